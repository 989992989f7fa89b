package core_test

import (
	"net/netip"
	"testing"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

// Across a veth pair, both families: the redirected bytes do not cross it.
func TestPairTwoNamespaces(t *testing.T) {
	onAndOff(t, func(t *testing.T, s *stage) {
		left, right := testkit.NewNetns(t), testkit.NewNetns(t)
		testkit.Link(t, left, right, "10.1.0.1/24", "10.1.0.2/24")
		testkit.Link(t, left, right, "fd00:1::1/64", "fd00:1::2/64")
		client, server := s.agent(t, "client", left), s.agent(t, "server", right)
		for _, addr := range []string{"10.1.0.2", "::ffff:10.1.0.2", "fd00:1::2"} {
			t.Run(addr, func(t *testing.T) {
				l := s.listen(t, client, server, dual, netip.MustParseAddr(addr))
				s.expect(t, tally{redirected: 2 * pairingRounds, paired: 1}, func() {
					l.connect(t).talk(t, pairingRounds)
				})
			})
		}
	})
}

// By way of a router in a third namespace.
func TestPairThreeNamespaces(t *testing.T) {
	onAndOff(t, func(t *testing.T, s *stage) {
		left, router, right := testkit.NewNetns(t), testkit.NewNetns(t), testkit.NewNetns(t)
		router.Forward(t)
		testkit.Link(t, left, router, "10.1.0.1/24", "10.1.0.2/24")
		testkit.Link(t, router, right, "10.2.0.1/24", "10.2.0.2/24")
		left.AddRoute(t, "10.2.0.0/24", "10.1.0.2")
		right.AddRoute(t, "10.1.0.0/24", "10.2.0.1")
		client, server := s.agent(t, "client", left), s.agent(t, "server", right)
		l := s.listen(t, client, server, any4, netip.MustParseAddr("10.2.0.2"))
		s.expect(t, tally{redirected: 2 * pairingRounds, paired: 1}, func() {
			l.connect(t).talk(t, pairingRounds)
		})
	})
}

// Client and server in different scopes of one instance, in both directions.
func TestPairTwoScopes(t *testing.T) {
	onAndOff(t, func(t *testing.T, s *stage) {
		other := &stage{tool: s.tool, cg: testkit.NewCgroup(t), on: s.on}
		if s.on {
			s.tool.Enable(t, other.cg)
		}
		left, right := testkit.NewNetns(t), testkit.NewNetns(t)
		testkit.Link(t, left, right, "10.1.0.1/24", "10.1.0.2/24")
		a, b := s.agent(t, "a", left), other.agent(t, "b", right)
		for _, l := range []*line{
			s.listen(t, a, b, any4, netip.MustParseAddr("10.1.0.2")),
			s.listen(t, b, a, any4, netip.MustParseAddr("10.1.0.1")),
		} {
			s.expect(t, tally{redirected: 2 * pairingRounds, paired: 1}, func() {
				l.connect(t).talk(t, pairingRounds)
			})
		}
	})
}

// A cgroup and its child both enabled: the callbacks run twice for sockets of
// the child, which must not look like a third claimant.
func TestPairNestedScopes(t *testing.T) {
	onAndOff(t, func(t *testing.T, s *stage) {
		child := &stage{tool: s.tool, cg: s.cg.Child(t, "child"), on: s.on}
		grandchild := &stage{tool: s.tool, cg: child.cg.Child(t, "grandchild"), on: s.on}
		if s.on {
			s.tool.Enable(t, child.cg)
		}
		above, below, deep := s.agent(t, "above", nil), child.agent(t, "below", nil), grandchild.agent(t, "deep", nil)
		for _, x := range [][2]*testkit.Agent{{below, below}, {above, below}, {below, above}, {deep, below}, {deep, above}} {
			t.Run(x[0].Name+" to "+x[1].Name, func(t *testing.T) {
				l := s.listen(t, x[0], x[1], testkit.Loopback, local4)
				s.expect(t, tally{redirected: 2 * pairingRounds, paired: 1}, func() {
					c := l.connect(t)
					c.talk(t, pairingRounds)
					c.close(t)
				})
			})
		}
	})
}
