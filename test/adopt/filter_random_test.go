package adopt_test

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/sockaccel/sockaccel/internal/filter"
)

// Random filters over a set of living connections: the programs agree with the
// reference in internal/filter about each of them.
func TestFilterRandom(t *testing.T) {
	const seed, cases = 5, 25
	rng := rand.New(rand.NewPCG(seed, seed))
	s := newScene(t)
	all := s.tuples(t)
	s.tool.Enable(t, s.cg)
	g := s.gauge(t)
	s.warmUp(t, g, all)
	s.expect(t, g, filter.Set{}, all)
	accelerated, excluded := 0, 0
	for range cases {
		set := randomSet(rng, all)
		s.tool.Enable(t, s.cg, flags(set)...)
		s.expect(t, g, set, all)
		if t.Failed() {
			t.Fatalf("filters %+v", set)
		}
		n := len(g.accelerated(t))
		accelerated, excluded = accelerated+n, excluded+len(all)-n
	}
	t.Logf("%d sets of filters, %d times accelerated, %d times excluded", cases, accelerated, excluded)
	if accelerated == 0 || excluded == 0 {
		t.Error("the filters did not vary")
	}
}

// randomSet uses the ports and addresses that occur. It is never empty.
func randomSet(rng *rand.Rand, all []tuple) (set filter.Set) {
	port := func() filter.PortRange {
		c := all[rng.IntN(len(all))].client
		p := c.Local.Port()
		if rng.IntN(2) == 0 {
			p = c.Remote.Port()
		}
		if rng.IntN(2) == 0 {
			return filter.PortRange{Lo: p, Hi: p}
		}
		width := uint16(rng.IntN(3000))
		return filter.PortRange{Lo: p - min(p-1, width), Hi: p + min(65535-p, width)}
	}
	networks := []string{
		"127.0.0.0/8", "127.0.0.0/24", "127.0.1.0/24", "127.0.0.1/32", "127.0.0.2/31", "127.0.0.9/32",
		"127.0.1.9/32", "0.0.0.0/0", "::/0", "::1/128", "::/1", "10.0.0.0/8",
	}
	network := func() netip.Prefix { return netip.MustParsePrefix(networks[rng.IntN(len(networks))]) }
	for len(flags(set)) == 0 {
		set = filter.Set{
			Ports: some(rng, port), ExcludePorts: some(rng, port),
			CIDRs: some(rng, network), ExcludeCIDRs: some(rng, network),
		}
	}
	return set
}

// some draws none, more often than not, or up to three.
func some[T any](rng *rand.Rand, draw func() T) (list []T) {
	for range max(0, rng.IntN(7)-3) {
		list = append(list, draw())
	}
	return list
}
