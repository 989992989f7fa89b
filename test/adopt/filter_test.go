package adopt_test

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"

	"github.com/sockaccel/sockaccel/bpf"
	"github.com/sockaccel/sockaccel/internal/filter"
	"github.com/sockaccel/sockaccel/internal/testkit"
)

// tuple is a connection with what its ends see of it.
type tuple struct {
	ends
	cookie         uint64 // of the client's socket
	client, server filter.End
}

// tuples connects every kind of client to every kind of server: IPv4 from
// several addresses, IPv6, and an IPv6 server with an IPv4 client.
func (s *scene) tuples(t *testing.T) (all []tuple) {
	t.Helper()
	for _, server := range []struct{ at, to string }{
		{"127.0.0.1", "127.0.0.1"}, {"127.0.0.2", "127.0.0.2"}, {"127.0.1.1", "127.0.1.1"},
		{"::1", "::1"}, {"::", "127.0.0.3"},
	} {
		listener, bound := s.server.MustListen(t, netip.AddrPortFrom(netip.MustParseAddr(server.at), 0), true)
		to := netip.AddrPortFrom(netip.MustParseAddr(server.to), bound.Port())
		froms := []string{"127.0.0.1", "127.0.0.9", "127.0.1.9"}
		if to.Addr().Is6() {
			froms = []string{"::1"}
		}
		for _, from := range froms {
			all = append(all, s.tuple(t, listener, netip.MustParseAddr(from), to))
		}
		s.server.MustClose(t, listener)
	}
	return all
}

func (s *scene) tuple(t *testing.T, listener int, from netip.Addr, to netip.AddrPort) tuple {
	t.Helper()
	family := 2 // AF_INET
	if from.Is6() {
		family = 10 // AF_INET6
	}
	cfd := testkit.Must(s.client.Socket(family, true))(t)
	if err := s.client.Bind(cfd, netip.AddrPortFrom(from, 0)); err != nil {
		t.Fatal(err)
	}
	if err := s.client.Connect(cfd, to); err != nil {
		t.Fatal(err)
	}
	sfd := testkit.Must(s.server.Accept(listener, true))(t)
	view := func(a *testkit.Agent, fd int) filter.End {
		return filter.End{Local: testkit.Must(a.LocalAddr(fd))(t), Remote: testkit.Must(a.PeerAddr(fd))(t)}
	}
	return tuple{
		ends:   ends{cfd, sfd},
		cookie: testkit.Must(s.client.Cookie(cfd))(t),
		client: view(s.client, cfd), server: view(s.server, sfd),
	}
}

// warmUp uses all connections until they are trusted and accelerated.
func (s *scene) warmUp(t *testing.T, g gauge, all []tuple) {
	t.Helper()
	if !eventually(patience, func() bool {
		for _, c := range all {
			s.mustExchange(t, c.ends, "warm")
		}
		return g.live(t) == len(all)
	}) {
		t.Fatalf("%d connections accelerated, want %d", g.live(t), len(all))
	}
}

// accelerated returns the cookies of the clients of accelerated connections.
func (g gauge) accelerated(t *testing.T) map[uint64]bool {
	t.Helper()
	var key bpf.AccelPairKey
	var p bpf.AccelPair
	const pairLive = 0x20000 // bpf/src/types.h
	found := map[uint64]bool{}
	it := g.Maps.Pairs.Iterate()
	for it.Next(&key, &p) {
		if p.Flags&pairLive != 0 {
			found[p.End[0].Cookie] = true
		}
	}
	if err := it.Err(); err != nil {
		t.Fatal(err)
	}
	return found
}

// expect returns when exactly the connections that set lets through are
// accelerated, and proves it by traffic on each of them.
func (s *scene) expect(t *testing.T, g gauge, set filter.Set, all []tuple) {
	t.Helper()
	want := map[uint64]bool{}
	for _, c := range all {
		if set.Accelerate(c.client, c.server) {
			want[c.cookie] = true
		}
	}
	excluded := uint64(len(all) - len(want))
	counted := func() uint64 { return s.tool.Status(t).NotAccelerated.Excluded }
	if !eventually(patience, func() bool {
		return maps.Equal(g.accelerated(t), want) && counted() == excluded
	}) {
		for _, c := range all {
			if got := g.accelerated(t)[c.cookie]; got != want[c.cookie] {
				t.Errorf("%v -> %v accelerated: %v, want %v", c.client, c.server, got, want[c.cookie])
			}
		}
		t.Fatalf("filters %+v: %d counted as excluded, want %d", set, counted(), excluded)
	}
	for i, c := range all {
		before := g.counters(t).RedirectedMessages
		s.mustExchange(t, c.ends, fmt.Sprintf("message %d", i))
		redirected := g.counters(t).RedirectedMessages - before
		if redirected != 0 && redirected != 2 || (redirected == 2) != want[c.cookie] {
			t.Errorf("filters %+v: %v redirected %d messages", set, c.client, redirected)
		}
	}
}

// flags is how a set is written on the command line.
func flags(set filter.Set) (args []string) {
	for _, p := range set.Ports {
		args = append(args, "--port", p.String())
	}
	for _, p := range set.ExcludePorts {
		args = append(args, "--exclude-port", p.String())
	}
	for _, p := range set.CIDRs {
		args = append(args, "--cidr", p.String())
	}
	for _, p := range set.ExcludeCIDRs {
		args = append(args, "--exclude-cidr", p.String())
	}
	return args
}

// Enable with other filters replaces them at once, for living connections and
// new ones; enable without filter flags leaves them as they are.
func TestFilterReplace(t *testing.T) {
	s := newScene(t)
	all := s.tuples(t)
	port := func(c tuple, local bool) filter.PortRange {
		if local {
			return filter.PortRange{Lo: c.client.Local.Port(), Hi: c.client.Local.Port()}
		}
		return filter.PortRange{Lo: c.server.Local.Port(), Hi: c.server.Local.Port()}
	}
	cidr := netip.MustParsePrefix
	s.tool.Enable(t, s.cg)
	g := s.gauge(t)
	s.warmUp(t, g, all)
	s.expect(t, g, filter.Set{}, all)
	for _, set := range []filter.Set{
		{Ports: []filter.PortRange{port(all[0], false)}},                                                      // a server's port
		{Ports: []filter.PortRange{port(all[0], true)}},                                                       // a client's
		{ExcludePorts: []filter.PortRange{port(all[3], false)}},                                               //
		{Ports: []filter.PortRange{{Lo: 1, Hi: 65535}}, ExcludePorts: []filter.PortRange{port(all[1], true)}}, // both
		{CIDRs: []netip.Prefix{cidr("127.0.1.0/24")}},
		{CIDRs: []netip.Prefix{cidr("127.0.0.0/8")}, ExcludeCIDRs: []netip.Prefix{cidr("127.0.0.9/32")}},
		{CIDRs: []netip.Prefix{cidr("::1/128")}},
		{ExcludeCIDRs: []netip.Prefix{cidr("::/0")}}, // not IPv4, nor v4-mapped
		{ExcludeCIDRs: []netip.Prefix{cidr("0.0.0.0/0")}},
		{Ports: []filter.PortRange{port(all[0], false)}, ExcludeCIDRs: []netip.Prefix{cidr("127.0.1.9/32")}},
		{ExcludePorts: []filter.PortRange{{Lo: 1, Hi: 1}}}, // all again
	} {
		s.tool.Enable(t, s.cg, flags(set)...)
		s.expect(t, g, set, all)
		s.tool.Enable(t, s.cg)
		if got := s.tool.Status(t).Filters; !got.Equal(set) {
			t.Errorf("filters %+v became %+v by enable without any", set, got)
		}
		s.expect(t, g, set, all)
	}
	// New connections are judged the same way, at their birth.
	set := filter.Set{ExcludeCIDRs: []netip.Prefix{cidr("127.0.0.9/32")}}
	s.tool.Enable(t, s.cg, flags(set)...)
	fresh := s.tuples(t)
	for range 8 {
		for _, c := range fresh {
			s.mustExchange(t, c.ends, "warm") // their listeners are new as well
		}
	}
	s.expect(t, g, set, slices.Concat(all, fresh))
}
