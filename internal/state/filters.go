package state

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/cilium/ebpf"

	"github.com/sockaccel/sockaccel/bpf"
	"github.com/sockaccel/sockaccel/internal/filter"
)

// SetFilters replaces the filters: the unused one of the two slots is filled,
// then one store switches. The caller holds the Lock.
func (s *State) SetFilters(set filter.Set) error {
	gauges, err := s.Gauges()
	if err != nil {
		return err
	}
	next := gauges.FilterGen + 1
	slot := next & 1
	if err := s.clearCIDRs(slot); err != nil {
		return err
	}
	if err := s.Maps.Filters.Put(slot, compile(set)); err != nil {
		return fmt.Errorf("store filters: %w", err)
	}
	for _, entry := range cidrEntries(set) {
		key := bpf.AccelCidrKey{Prefixlen: 32 + uint32(entry.Prefix.Bits()), Gen: slot, Addr: entry.Prefix.Addr().As16()}
		if err := s.Maps.Cidrs.Put(key, entry.Flags); err != nil {
			return fmt.Errorf("store filters: %w", err)
		}
	}
	return s.setFilterGen(next)
}

var anyAddress = netip.MustParsePrefix("::/0")

// Reevaluate makes scopes and filters be applied to every connection again.
func (s *State) Reevaluate() error {
	meta, err := s.Meta()
	if err != nil {
		return err
	}
	return s.SetFilters(meta.Filters)
}

func compile(set filter.Set) *bpf.AccelFilterConfig {
	include, exclude := set.PortBitmap()
	cfg := &bpf.AccelFilterConfig{Include: include, Exclude: exclude}
	if len(set.Ports)+len(set.ExcludePorts) > 0 {
		cfg.HasPorts = 1
	}
	if len(set.Ports) == 0 {
		for i := range cfg.Include {
			cfg.Include[i] = ^uint64(0)
		}
	}
	if len(set.CIDRs)+len(set.ExcludeCIDRs) > 0 {
		cfg.HasCidrs = 1
	}
	return cfg
}

// cidrEntries is what the trie holds: where no network is included, all are.
func cidrEntries(set filter.Set) []filter.PrefixFlag {
	entries := set.PrefixFlags()
	if len(set.CIDRs) > 0 {
		return entries
	}
	for i := range entries {
		entries[i].Flags |= filter.FlagInclude
	}
	// First, so that an excluded ::/0 replaces it.
	return append([]filter.PrefixFlag{{Prefix: anyAddress, Flags: filter.FlagInclude}}, entries...)
}

func (s *State) clearCIDRs(slot uint32) error {
	var old []bpf.AccelCidrKey
	var key bpf.AccelCidrKey
	var flags uint32
	for it := s.Maps.Cidrs.Iterate(); it.Next(&key, &flags); {
		if key.Gen == slot {
			old = append(old, key)
		}
	}
	for _, key := range old {
		if err := s.Maps.Cidrs.Delete(key); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("clear filters: %w", err)
		}
	}
	return nil
}
