package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/sockaccel/sockaccel/internal/cgroup"
	"github.com/sockaccel/sockaccel/internal/probe"
	"github.com/sockaccel/sockaccel/internal/state"
)

// ForceDisable is for a state that Disable finds unusable: it is given up, see
// state.Drop.
func ForceDisable(ctx context.Context, stateDir string) error {
	lock, err := state.Acquire(ctx, stateDir)
	if err != nil {
		return err
	}
	defer lock.Release()
	return state.Drop(ctx, stateDir)
}

// ForceUpgrade is for a state that Upgrade finds unusable: it is given up, and
// this version starts over with its settings. It refuses, and changes nothing,
// when there is a setting that this version does not know.
func ForceUpgrade(ctx context.Context, o Options) error {
	meta, err := state.Settings(o.StateDir)
	if err != nil {
		return fmt.Errorf("take over the settings: %w: run sockaccel disable --force, then sockaccel enable", err)
	}
	risks := append(slices.Clone(meta.AcceptedRisks), o.AcceptedRisks...)
	o.AcceptedRisks = slices.Compact(slices.Sorted(slices.Values(risks)))
	o.Filters, o.MaxConnections, o.NoAdopt = &meta.Filters, meta.MaxConnections, &meta.NoAdopt
	o.Scopes = slices.DeleteFunc(meta.Scopes, func(cg cgroup.Cgroup) bool { return !cg.Exists() })
	if len(o.Scopes) == 0 {
		return errors.New("take over the settings: no scope is left: run sockaccel disable --force, then sockaccel enable")
	}
	o.SpliceGuard = meta.SpliceGuard
	found, err := probe.Run()
	if err != nil {
		return err
	}
	if err := chooseGuard(o.SpliceGuard, &found); err != nil {
		return err
	}
	if err := checkRisks(found, o.AcceptedRisks); err != nil {
		return err
	}
	if err := ForceDisable(ctx, o.StateDir); err != nil {
		return err
	}
	s, err := Enable(ctx, o, Detached)
	if err != nil {
		return err
	}
	o.notice("gave up the state of %s; version %s started over", meta.Version, o.Version)
	return s.Close()
}
