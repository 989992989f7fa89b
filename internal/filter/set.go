// Package filter is what --port, --cidr and their --exclude forms mean: how
// they are read, stored, decided and compiled for BPF.
//
// Each end of a connection is judged by its own view of it, since with NAT the
// two ends see different ports and addresses. A connection is accelerated when
// no end is excluded and, for each kind of include given (ports, networks), at
// least one end matches it.
package filter

import (
	"encoding/json"
	"errors"
	"net/netip"
	"slices"
)

// Set is one instance's filter. The zero Set lets everything through. IPv6
// networks never cover IPv4, not even ::/0.
type Set struct {
	Ports        []PortRange    `json:"ports"`
	ExcludePorts []PortRange    `json:"exclude_ports"`
	CIDRs        []netip.Prefix `json:"cidrs"`
	ExcludeCIDRs []netip.Prefix `json:"exclude_cidrs"`
}

// UnmarshalJSON implements json.Unmarshaler. It refuses what no parser of this
// package returns: JSON has null for anything, and "" for a network.
func (s *Set) UnmarshalJSON(text []byte) error {
	type plain Set // without this method
	if err := json.Unmarshal(text, (*plain)(s)); err != nil {
		return err
	}
	noPort := func(r PortRange) bool { return r == PortRange{} }
	noNetwork := func(p netip.Prefix) bool { return !p.IsValid() }
	if slices.ContainsFunc(s.Ports, noPort) || slices.ContainsFunc(s.ExcludePorts, noPort) ||
		slices.ContainsFunc(s.CIDRs, noNetwork) || slices.ContainsFunc(s.ExcludeCIDRs, noNetwork) {
		return errors.New("filter with an empty port or network")
	}
	return nil
}

// Normalize returns the one sorted, shortest Set that means the same, with
// empty lists rather than nil ones, so that JSON has [] and not null.
func (s Set) Normalize() Set {
	return Set{
		Ports:        normalizePorts(s.Ports),
		ExcludePorts: normalizePorts(s.ExcludePorts),
		CIDRs:        normalizeCIDRs(s.CIDRs),
		ExcludeCIDRs: normalizeCIDRs(s.ExcludeCIDRs),
	}
}

// Equal says whether both Sets mean the same, however they are written.
func (s Set) Equal(o Set) bool {
	s, o = s.Normalize(), o.Normalize()
	return slices.Equal(s.Ports, o.Ports) && slices.Equal(s.ExcludePorts, o.ExcludePorts) &&
		slices.Equal(s.CIDRs, o.CIDRs) && slices.Equal(s.ExcludeCIDRs, o.ExcludeCIDRs)
}

// Empty says whether the Set filters nothing.
func (s Set) Empty() bool {
	return len(s.Ports)+len(s.ExcludePorts)+len(s.CIDRs)+len(s.ExcludeCIDRs) == 0
}
