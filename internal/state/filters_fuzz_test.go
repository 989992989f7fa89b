package state

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/sockaccel/sockaccel/bpf"
	"github.com/sockaccel/sockaccel/internal/filter"
)

// FuzzFilters decides about ends by what SetFilters puts into the maps, as
// bpf/src/filter.h does, and by the reference. A rule is 20 bytes: list, length
// of the network, two bytes that are nothing else's or two ports, address.
func FuzzFilters(f *testing.F) {
	rule := func(list byte, s string) []byte {
		p := netip.MustParsePrefix(s)
		a := p.Addr().As16()
		return append([]byte{list, byte(p.Bits()), 0, 0}, a[:]...)
	}
	ports := func(list byte, lo, hi uint16) []byte {
		b := make([]byte, ruleSize)
		b[0] = list
		binary.BigEndian.PutUint16(b[4:], lo)
		binary.BigEndian.PutUint16(b[6:], hi)
		return b
	}
	loopback := netip.MustParseAddr("127.0.0.1").As16()
	f.Add(append(rule(2, "10.0.0.0/8"), rule(3, "10.1.0.0/16")...), loopback[:], uint16(80), uint16(40000))
	f.Add(append(rule(3, "::/0"), rule(2, "127.0.0.0/8")...), loopback[:], uint16(80), uint16(40000))
	f.Add(append(ports(0, 80, 90), ports(1, 85, 65535)...), loopback[:], uint16(80), uint16(90))
	f.Add(ports(1, 22, 22), loopback[:], uint16(22), uint16(0))
	f.Fuzz(func(t *testing.T, rules, addr []byte, local, remote uint16) {
		set := rulesSet(rules)
		a, ok := netip.AddrFromSlice(addr)
		if !ok {
			return
		}
		b := netip.MustParseAddr("10.1.2.3")
		end := filter.End{Local: netip.AddrPortFrom(a, local), Remote: netip.AddrPortFrom(b, remote)}
		config, entries := compile(set), cidrEntries(set)
		got, want := decide(config, entries, end), set.Bits(end)
		// The program stops at what excludes.
		if got.Accelerate() != want.Accelerate() || got&filter.Excluded != want&filter.Excluded ||
			want&filter.Excluded == 0 && got != want {
			t.Errorf("%v: maps say %03b, reference %03b\nset %+v\ntrie %v", end, got, want, set, entries)
		}
	})
}

const ruleSize = 20

func rulesSet(rules []byte) (set filter.Set) {
	rules = rules[:min(len(rules), 32*ruleSize)] // more only makes it slow
	for ; len(rules) >= ruleSize; rules = rules[ruleSize:] {
		lo, hi := binary.BigEndian.Uint16(rules[4:]), binary.BigEndian.Uint16(rules[6:])
		ports := filter.PortRange{Lo: max(1, min(lo, hi)), Hi: max(1, lo, hi)}
		a := netip.AddrFrom16([16]byte(rules[4:ruleSize]))
		if rules[2] == 0 { // as ParseCIDRs does, which knows no v4-mapped network
			a = a.Unmap()
		}
		network := netip.PrefixFrom(a, int(rules[1])%(a.BitLen()+1))
		switch rules[0] % 4 {
		case 0:
			set.Ports = append(set.Ports, ports)
		case 1:
			set.ExcludePorts = append(set.ExcludePorts, ports)
		case 2:
			set.CIDRs = append(set.CIDRs, network)
		case 3:
			set.ExcludeCIDRs = append(set.ExcludeCIDRs, network)
		}
	}
	return set
}

// decide is filter_end() of bpf/src/filter.h.
func decide(config *bpf.AccelFilterConfig, entries []filter.PrefixFlag, end filter.End) (b filter.Bits) {
	has := func(set [1024]uint64, port uint16) bool { return set[port/64]>>(port%64)&1 == 1 }
	local, remote := end.Local.Port(), end.Remote.Port()
	if config.HasPorts == 0 {
		b |= filter.PortOK
	} else {
		if has(config.Exclude, local) || has(config.Exclude, remote) {
			return filter.Excluded
		}
		if has(config.Include, local) || has(config.Include, remote) {
			b |= filter.PortOK
		}
	}
	if config.HasCidrs == 0 {
		return b | filter.CIDROK
	}
	flags := longest(entries, end.Local.Addr()) | longest(entries, end.Remote.Addr())
	if flags&filter.FlagExclude != 0 {
		return filter.Excluded
	}
	if flags&filter.FlagInclude != 0 {
		b |= filter.CIDROK
	}
	return b
}

// longest is what the trie finds; an entry that is put later replaces an equal one.
func longest(entries []filter.PrefixFlag, addr netip.Addr) (flags uint32) {
	addr = netip.AddrFrom16(addr.As16())
	best := -1
	for _, e := range entries {
		if e.Prefix.Contains(addr) && e.Prefix.Bits() >= best {
			best, flags = e.Prefix.Bits(), e.Flags
		}
	}
	return flags
}
