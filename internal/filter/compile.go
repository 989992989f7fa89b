package filter

import (
	"net/netip"
	"slices"
)

// mappedBits is the length of ::ffff:0:0/96, below which BPF keeps IPv4.
const mappedBits = 96

var mapped = netip.PrefixFrom(netip.AddrFrom16(netip.IPv4Unspecified().As16()), mappedBits)

// Flags of a PrefixFlag, shared with the BPF programs.
const (
	FlagInclude uint32 = 1 << iota // the address is in CIDRs
	FlagExclude                    // the address is in ExcludeCIDRs
)

// PrefixFlag is an entry of the LPM trie: a network, IPv4 as
// ::ffff:a.b.c.d/96+n, and the lists that hold its addresses.
type PrefixFlag struct {
	Prefix netip.Prefix
	Flags  uint32
}

// PortBitmap returns both port lists as bitmaps: port p is bit p%64 of word
// p/64. No ports to include gives an empty bitmap although every port is then
// included: the program must be told by len(s.Ports) == 0.
func (s Set) PortBitmap() (include, exclude [1024]uint64) {
	return bitmap(s.Ports), bitmap(s.ExcludePorts)
}

func bitmap(ranges []PortRange) (words [1024]uint64) {
	for _, r := range ranges {
		for p := uint32(r.Lo); p <= uint32(r.Hi); p++ { // uint32: 65535 must end the loop
			words[p/64] |= 1 << (p % 64)
		}
	}
	return words
}

// PrefixFlags returns both address lists as the sorted entries of one LPM
// trie. A trie returns the longest match only, so each entry carries the flags
// of all networks that cover it as well. An address without a match, and one
// that matches an entry without flags, is in neither list.
func (s Set) PrefixFlags() []PrefixFlag {
	s = s.Normalize()
	flags := make(map[netip.Prefix]uint32)
	for _, p := range s.CIDRs {
		flags[p] |= FlagInclude
	}
	for _, p := range s.ExcludeCIDRs {
		flags[p] |= FlagExclude
	}
	prefixes := make([]netip.Prefix, 0, len(flags))
	fence := false
	for p := range flags {
		prefixes = append(prefixes, p)
		fence = fence || covers(p, mapped)
	}
	// IPv4 sorts first, so that it inherits nothing from IPv6; within a
	// family a network comes before those it covers.
	slices.SortFunc(prefixes, comparePrefix)

	out := make([]PrefixFlag, 0, len(prefixes)+1)
	var around []netip.Prefix // the networks that cover the present one
	for _, p := range prefixes {
		for len(around) > 0 && !covers(around[len(around)-1], p) {
			around = around[:len(around)-1]
		}
		if len(around) > 0 {
			flags[p] |= flags[around[len(around)-1]]
		}
		around = append(around, p)
		out = append(out, PrefixFlag{key(p), flags[p]})
	}
	// In the trie all of IPv4 lies below ::/0 and the like, which mean IPv6
	// only: an entry of its own keeps their flags off.
	if _, ok := flags[netip.PrefixFrom(netip.IPv4Unspecified(), 0)]; fence && !ok {
		out = append(out, PrefixFlag{mapped, 0})
	}
	slices.SortFunc(out, func(a, b PrefixFlag) int { return comparePrefix(a.Prefix, b.Prefix) })
	return out
}

func key(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4() {
		return netip.PrefixFrom(netip.AddrFrom16(p.Addr().As16()), p.Bits()+mappedBits)
	}
	return p
}
