package core_test

import (
	"net/netip"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

// A cookie names a socket, not a connection: after connect(AF_UNSPEC) and a
// new connect it is the same, and stays on TCP for good.
func TestPairReusedSocket(t *testing.T) {
	onAndOff(t, func(t *testing.T, s *stage) {
		client := s.agent(t, "client", nil)
		one := s.listen(t, client, s.agent(t, "one", nil), testkit.Loopback, local4)
		two := s.listen(t, client, s.agent(t, "two", nil), testkit.Loopback, local4)
		first := one.connect(t)
		s.expect(t, tally{redirected: 2}, func() { first.talk(t, 1) })

		before := tallyOf(s.tool.Status(t))
		second := reconnect(t, first, two)
		second.talk(t, pairingRounds)
		third := reconnect(t, second, one)
		third.talk(t, pairingRounds)

		now := tallyOf(s.tool.Status(t)).since(before)
		if now.redirected != 0 || now.paired != 0 {
			t.Errorf("a reused socket was accelerated: %+v", now)
		}
		if s.on && now.inUse == 0 {
			t.Errorf("reused, and not counted as in use: %+v", now)
		}
		mustBeReset(t, first.server, first.sfd)
		if n := s.socks(t); n > 1 { // the first server's end, not closed yet
			t.Errorf("%d sockets in the sockhash, want at most the first server's", n)
		}
	})
}

// What the first peer sent and nobody read is gone with the first connection.
func TestPairReusedSocketUnread(t *testing.T) {
	onAndOff(t, func(t *testing.T, s *stage) {
		client := s.agent(t, "client", nil)
		one := s.listen(t, client, s.agent(t, "one", nil), testkit.Loopback, local4)
		two := s.listen(t, client, s.agent(t, "two", nil), testkit.Loopback, local4)
		first := one.connect(t)
		first.talk(t, 1)
		s.expect(t, tally{redirected: 1}, func() {
			first.server.MustSend(t, first.sfd, []byte("for the first connection"))
		})
		second := reconnect(t, first, two)
		second.talk(t, pairingRounds)
	})
}

// The first server does not hear of the end of its connection: the reset is
// lost. It may not get what is meant for the second.
func TestPairReusedSocketResetLost(t *testing.T) {
	onAndOff(t, func(t *testing.T, s *stage) {
		home, left, right := testkit.NewNetns(t), testkit.NewNetns(t), testkit.NewNetns(t)
		testkit.Link(t, home, left, "10.1.0.1/24", "10.1.0.2/24")
		testkit.Link(t, home, right, "10.2.0.1/24", "10.2.0.2/24")
		client := s.agent(t, "client", home)
		one := s.listen(t, client, s.agent(t, "one", left), any4, netip.MustParseAddr("10.1.0.2"))
		two := s.listen(t, client, s.agent(t, "two", right), any4, netip.MustParseAddr("10.2.0.2"))
		first := one.connect(t)
		first.talk(t, 2)

		blackhole(t, home, "10.1.0.2/32")
		second := reconnect(t, first, two)
		second.talk(t, pairingRounds)
		mustBeQuiet(t, first.server, first.sfd)
		// Its peer is gone: nobody may hear this.
		first.server.MustSend(t, first.sfd, []byte("is anybody there?"))
		second.talk(t, pairingRounds)
	})
}

// reconnect makes a client's socket one of another connection.
func reconnect(tb testing.TB, old *conn, to *line) *conn {
	tb.Helper()
	if err := old.client.ConnectUnspec(old.cfd); err != nil {
		tb.Fatal(err)
	}
	if err := old.client.Connect(old.cfd, to.addr); err != nil {
		tb.Fatal(err)
	}
	return &conn{to.client, to.server, old.cfd, testkit.Must(to.server.Accept(to.listener, true))(tb)}
}

func blackhole(tb testing.TB, ns *testkit.Netns, cidr string) {
	tb.Helper()
	dst, err := netlink.ParseIPNet(cidr)
	if err != nil {
		tb.Fatal(err)
	}
	ns.Do(tb, func() { err = netlink.RouteAdd(&netlink.Route{Dst: dst, Type: unix.RTN_BLACKHOLE}) })
	if err != nil {
		tb.Fatalf("add a blackhole: %v", err)
	}
}

func mustBeReset(tb testing.TB, a *testkit.Agent, fd int) {
	tb.Helper()
	if got, err := a.RecvAll(fd, 1, connectWait); err == nil {
		tb.Errorf("agent %s: received %q, want a reset", a.Name, got)
	}
}
