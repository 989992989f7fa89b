package filter

import (
	"cmp"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"strings"
)

// ParseCIDRs reads the arguments of --cidr and --exclude-cidr: addresses and
// networks, several in one argument separated by commas. Host bits are
// cleared and v4-mapped IPv6 becomes IPv4. Its error names the part that is
// wrong.
func ParseCIDRs(args []string) ([]netip.Prefix, error) {
	var prefixes []netip.Prefix
	for part := range parts(args) {
		p, ok := parseCIDR(part)
		if !ok {
			return nil, fmt.Errorf("cidr %q: must be an address or a network such as 10.0.0.0/8", part)
		}
		prefixes = append(prefixes, p)
	}
	return prefixes, nil
}

func parseCIDR(s string) (netip.Prefix, bool) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		addr, err := netip.ParseAddr(s)
		// A zone names an interface of one network namespace, which a
		// socket's address in BPF does not carry.
		if err != nil || addr.Zone() != "" {
			return netip.Prefix{}, false
		}
		p = netip.PrefixFrom(addr, addr.BitLen())
	}
	// ::ffff:10.0.0.0/8 would be the IPv6 network ::/8, surely not what was meant.
	if p.Addr().Is4In6() && p.Bits() < mappedBits {
		return netip.Prefix{}, false
	}
	return canonical(p), true
}

// parts yields the comma-separated parts of all arguments, without the space
// around them. An empty part is yielded too: it is a mistake to report.
func parts(args []string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, arg := range args {
			for part := range strings.SplitSeq(arg, ",") {
				if !yield(strings.TrimSpace(part)) {
					return
				}
			}
		}
	}
}

// canonical clears host bits and makes v4-mapped networks IPv4, so that a
// dual-stack socket and an IPv4 one are judged alike.
func canonical(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= mappedBits {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-mappedBits)
	}
	return p.Masked()
}

// normalizeCIDRs sorts networks and drops those that another one covers.
func normalizeCIDRs(prefixes []netip.Prefix) []netip.Prefix {
	sorted := make([]netip.Prefix, 0, len(prefixes))
	for _, p := range prefixes {
		sorted = append(sorted, canonical(p))
	}
	slices.SortFunc(sorted, comparePrefix)
	out := sorted[:0]
	for _, p := range sorted {
		// Sorted, a covering network is the last one kept.
		if n := len(out); n > 0 && covers(out[n-1], p) {
			continue
		}
		out = append(out, p)
	}
	return out
}

// comparePrefix puts a network directly before all those it covers.
func comparePrefix(a, b netip.Prefix) int {
	return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
}

func covers(outer, inner netip.Prefix) bool {
	return outer.Bits() <= inner.Bits() && outer.Contains(inner.Addr())
}

func containsAddr(prefixes []netip.Prefix, addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return canonical(p).Contains(addr) })
}
