package filter

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
)

func TestPortBitmap(t *testing.T) {
	s := Set{
		Ports:        []PortRange{{1, 1}, {63, 64}, {65535, 65535}},
		ExcludePorts: []PortRange{{1, 65535}},
	}
	include, exclude := s.PortBitmap()
	for p := range 1 << 16 {
		port := uint16(p)
		if got, want := include[p/64]>>(p%64)&1 == 1, containsPort(s.Ports, port); got != want {
			t.Errorf("port %d: include bit %v, want %v", p, got, want)
		}
		if got, want := exclude[p/64]>>(p%64)&1 == 1, p > 0; got != want {
			t.Errorf("port %d: exclude bit %v, want %v", p, got, want)
		}
	}
}

func TestPrefixFlags(t *testing.T) {
	const in, ex = FlagInclude, FlagExclude
	type entry struct {
		prefix string
		flags  uint32
	}
	tests := []struct {
		name             string
		include, exclude []string
		want             []entry
	}{
		{"empty", nil, nil, nil},
		{"one", []string{"10.0.0.0/8"}, nil, []entry{{"::ffff:10.0.0.0/104", in}}},
		{"union of covering ones", []string{"10.0.0.0/8"}, []string{"10.1.0.0/16", "11.0.0.0/8"}, []entry{
			{"::ffff:10.0.0.0/104", in}, {"::ffff:10.1.0.0/112", in | ex}, {"::ffff:11.0.0.0/104", ex},
		}},
		{"three levels", []string{"10.0.0.0/8", "10.1.1.0/24"}, []string{"10.1.0.0/16"}, []entry{
			{"::ffff:10.0.0.0/104", in}, {"::ffff:10.1.0.0/112", in | ex},
		}},
		{"same in both", []string{"::1/128"}, []string{"::1/128"}, []entry{{"::1/128", in | ex}}},
		{"IPv6 does not cover IPv4", []string{"::/0"}, []string{"127.0.0.1/32"}, []entry{
			{"::/0", in}, {"::ffff:0.0.0.0/96", 0}, {"::ffff:127.0.0.1/128", ex},
		}},
		{"all of IPv4 is its own fence", []string{"::/64"}, []string{"0.0.0.0/0"}, []entry{
			{"::/64", in}, {"::ffff:0.0.0.0/96", ex},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var want []PrefixFlag
			for _, e := range tt.want {
				want = append(want, PrefixFlag{netip.MustParsePrefix(e.prefix), e.flags})
			}
			got := Set{CIDRs: prefixes(tt.include...), ExcludeCIDRs: prefixes(tt.exclude...)}.PrefixFlags()
			if !slices.Equal(got, want) {
				t.Errorf("got  %v\nwant %v", got, want)
			}
		})
	}
}

// longestMatch does what a BPF LPM trie does with 128-bit keys.
func longestMatch(entries []PrefixFlag, addr netip.Addr) (flags uint32) {
	addr = netip.AddrFrom16(addr.As16())
	best := -1
	for _, e := range entries {
		if e.Prefix.Contains(addr) && e.Prefix.Bits() > best {
			best, flags = e.Prefix.Bits(), e.Flags
		}
	}
	return flags
}

func checkLookup(t *testing.T, s Set, addrs []netip.Addr) {
	t.Helper()
	entries := s.PrefixFlags()
	seen := make(map[netip.Prefix]bool)
	for _, e := range entries {
		if e.Prefix != e.Prefix.Masked() || !e.Prefix.Addr().Is6() || seen[e.Prefix] {
			t.Errorf("bad or double key %v of %+v", e.Prefix, s)
		}
		seen[e.Prefix] = true
	}
	for _, a := range addrs {
		var want uint32
		if containsAddr(s.CIDRs, a) {
			want |= FlagInclude
		}
		if containsAddr(s.ExcludeCIDRs, a) {
			want |= FlagExclude
		}
		if got := longestMatch(entries, a); got != want {
			t.Errorf("%v: flags %b, want %b\nset %+v\ntrie %v", a, got, want, s, entries)
		}
	}
}

func TestPrefixFlagsProperty(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	addr := func() netip.Addr {
		// Few distinct bits, so that networks nest and meet the addresses;
		// one in three IPv6 ones shares its start with the mapped range.
		b := func() byte { return byte(rng.IntN(2)) << (7 * rng.IntN(2)) }
		switch rng.IntN(3) {
		case 0:
			return netip.AddrFrom4([4]byte{b(), b(), b(), b()})
		case 1:
			a := [16]byte{10: 0xff, 11: 0xff, 12: b(), 13: b(), 14: b(), 15: b()}
			a[rng.IntN(12)] ^= b()
			return netip.AddrFrom16(a)
		}
		return netip.AddrFrom16([16]byte{0: b(), 1: b(), 7: b(), 15: b()})
	}
	list := func() (out []netip.Prefix) {
		for range rng.IntN(8) {
			a := addr()
			out = append(out, netip.PrefixFrom(a, rng.IntN(a.BitLen()+1)))
		}
		return out
	}
	for range 3000 {
		s := Set{CIDRs: list(), ExcludeCIDRs: list()}
		var addrs []netip.Addr
		for range 20 {
			addrs = append(addrs, addr())
		}
		checkLookup(t, s, addrs)
		checkLookup(t, s.Normalize(), addrs)
		if !s.Equal(s.Normalize()) {
			t.Errorf("%+v differs from its normal form", s)
		}
		if t.Failed() {
			return
		}
	}
}

// FuzzPrefixFlags reads networks as 18-byte records (address, length, list) and
// looks up each record's address and one more.
func FuzzPrefixFlags(f *testing.F) {
	record := func(s string, exclude byte) []byte {
		p := key(netip.MustParsePrefix(s))
		a := p.Addr().As16()
		return append(a[:], byte(p.Bits()), exclude)
	}
	probe := netip.MustParseAddr("10.1.2.3").As16()
	f.Add(probe[:], slices.Concat(record("10.0.0.0/8", 0), record("10.1.0.0/16", 1)))
	f.Add(probe[:], slices.Concat(record("::/0", 0), record("::/96", 1), record("0.0.0.0/0", 1)))
	f.Fuzz(func(t *testing.T, probe, records []byte) {
		var s Set
		var addrs []netip.Addr
		if a, ok := netip.AddrFromSlice(probe); ok {
			addrs = append(addrs, a)
		}
		records = records[:min(len(records), 32*18)] // more only makes it slow
		for r := range slices.Chunk(records[:len(records)/18*18], 18) {
			a := netip.AddrFrom16([16]byte(r[:16]))
			p := netip.PrefixFrom(a, int(r[16])%129)
			if r[17]%2 == 0 {
				s.CIDRs = append(s.CIDRs, p)
			} else {
				s.ExcludeCIDRs = append(s.ExcludeCIDRs, p)
			}
			addrs = append(addrs, a)
		}
		checkLookup(t, s, addrs)
	})
}
