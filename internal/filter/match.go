package filter

import "net/netip"

// Bits is the verdict on one end of a connection. The values are shared with
// the BPF programs.
type Bits uint32

const (
	// Excluded: a port or address of the end is in an exclude list.
	Excluded Bits = 1 << iota
	// PortOK: no ports were given to include, or one of the end's is.
	PortOK
	// CIDROK: no networks were given to include, or one holds an address of
	// the end.
	CIDROK
)

// End is one end's view of its connection.
type End struct {
	Local, Remote netip.AddrPort
}

// Bits judges one end. This is the reference that the BPF programs must agree
// with.
func (s Set) Bits(e End) Bits {
	port := func(list []PortRange) bool {
		return containsPort(list, e.Local.Port()) || containsPort(list, e.Remote.Port())
	}
	addr := func(list []netip.Prefix) bool {
		return containsAddr(list, e.Local.Addr()) || containsAddr(list, e.Remote.Addr())
	}
	var b Bits
	if port(s.ExcludePorts) || addr(s.ExcludeCIDRs) {
		b |= Excluded
	}
	if len(s.Ports) == 0 || port(s.Ports) {
		b |= PortOK
	}
	if len(s.CIDRs) == 0 || addr(s.CIDRs) {
		b |= CIDROK
	}
	return b
}

// Match judges one end by itself: excluded when a port or address of it is in
// an exclude list, included when it satisfies every kind of include given.
//
// Values of one kind widen (--port 80 --port 81 is either), kinds narrow each
// other (--port 80 --cidr 10.0.0.0/8 is port 80 there): that is what people
// expect of two different flags.
func (s Set) Match(local, remote netip.AddrPort) (excluded, included bool) {
	b := s.Bits(End{local, remote})
	return b&Excluded != 0, b.ok()
}

// Accelerate decides a connection: the bits of both ends are or-ed, so one end
// is enough to exclude it and one is enough to satisfy each kind of include.
func (s Set) Accelerate(a, b End) bool {
	return (s.Bits(a) | s.Bits(b)).Accelerate()
}

// Accelerate decides on the or-ed bits of both ends.
func (b Bits) Accelerate() bool { return b&Excluded == 0 && b.ok() }

func (b Bits) ok() bool { return b&PortOK != 0 && b&CIDROK != 0 }
