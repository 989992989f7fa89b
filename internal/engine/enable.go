// Package engine carries out what the commands ask for: enable and disable as
// sequences of steps of which each leaves a state that the next call repairs.
package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/cilium/ebpf"

	"github.com/sockaccel/sockaccel/internal/cgroup"
	"github.com/sockaccel/sockaccel/internal/filter"
	"github.com/sockaccel/sockaccel/internal/host"
	"github.com/sockaccel/sockaccel/internal/probe"
	"github.com/sockaccel/sockaccel/internal/sidecar"
	"github.com/sockaccel/sockaccel/internal/state"
)

// DefaultMaxConnections is the capacity where none is asked for.
const DefaultMaxConnections = 65536

// firstLook is how long enable waits for the first pass.
const firstLook = 2 * time.Second

// Options of enable and run.
type Options struct {
	StateDir       string
	Version        string
	Scopes         []cgroup.Cgroup // at least one
	Filters        *filter.Set     // nil: leave as they are
	MaxConnections uint32          // 0: as it is, or DefaultMaxConnections
	NoAdopt        *bool           // nil: as it is, or false
	SpliceGuard    string          // state.GuardOn or state.GuardEvidence; "": the strongest that loads
	AcceptedRisks  []string        // see ParseRisks
	// Foreground: nurse is the sidecar itself.
	Foreground bool
	// Notice is told, a line each, what happens beside what was asked for.
	Notice func(string)
	// OnStep is called before each step of an upgrade, which fails when it does:
	// for tests, as Adapt (see state.Config).
	OnStep func(name string) error
	Adapt  func(*ebpf.CollectionSpec)

	upgrade bool // and nothing else: what is not enabled stays so
}

func (o *Options) notice(format string, args ...any) {
	if o.Notice != nil {
		o.Notice(fmt.Sprintf(format, args...))
	}
}

// Enable makes the scopes accelerated and returns when they are. nurse is
// called, with the lock held, when there is something to nurse: it starts the
// sidecar and returns when its heart beats. Enabling what is enabled changes
// nothing, unless another version did: that is an upgrade, see Upgrade. Other
// filters and further scopes take effect at once. The caller closes the State,
// and has called CheckHost before.
func Enable(ctx context.Context, o Options, nurse func(context.Context, *state.State) error) (_ *state.State, err error) {
	lock, err := state.Acquire(ctx, o.StateDir)
	if err != nil {
		return nil, err
	}
	defer lock.Release()
	s, created, err := openOrCreate(ctx, o)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err == nil {
			return
		}
		if created {
			err = errors.Join(err, takeDown(ctx, s, 0))
		}
		s.Close()
	}()
	if o.Filters != nil || created {
		if err := setFilters(s, o.Filters); err != nil {
			return nil, err
		}
	}
	if err := nurse(ctx, s); err != nil {
		return nil, err
	}
	if err := s.AttachTracing(); err != nil {
		return nil, err
	}
	if err := addScopes(s, o.Scopes); err != nil {
		return nil, err
	}
	return s, nil
}

// openOrCreate returns the state that is there, repaired, or a new one.
func openOrCreate(ctx context.Context, o Options) (_ *state.State, created bool, err error) {
	s, err := state.Open(o.StateDir)
	if err == nil {
		if err := amend(s, o); err != nil {
			return nil, false, errors.Join(err, s.Close())
		}
		half, err := halfDisabled(s)
		if err != nil {
			return nil, false, errors.Join(err, s.Close())
		}
		if !half {
			s, err = refresh(ctx, s, o)
			return s, false, err
		}
		// Finish it, then start afresh.
		if err := errors.Join(takeDown(ctx, s, time.Second), s.Close()); err != nil {
			return nil, false, err
		}
	} else if !errors.Is(err, state.ErrDisabled) {
		return nil, false, err
	}
	if o.upgrade {
		return nil, false, state.ErrDisabled
	}
	found, err := probe.Run()
	if err != nil {
		return nil, false, err
	}
	if err := chooseGuard(o.SpliceGuard, &found); err != nil {
		return nil, false, err
	}
	if err := checkRisks(found, o.AcceptedRisks); err != nil {
		return nil, false, err
	}
	s, err = state.Create(o.StateDir, Config(o, state.Meta{
		Since: now(), AcceptedRisks: o.AcceptedRisks,
		MaxConnections: cmp.Or(o.MaxConnections, DefaultMaxConnections),
		NoAdopt:        o.NoAdopt != nil && *o.NoAdopt,
		Scopes:         []cgroup.Cgroup{},
	}, found))
	return s, err == nil, err
}

// halfDisabled tells whether a disable was killed.
func halfDisabled(s *state.State) (bool, error) {
	g, err := s.Gauges()
	if err != nil {
		return false, err
	}
	meta, err := s.Meta()
	return g.Draining != 0 && meta.Upgrading == "", err
}

func now() time.Time { return time.Now().UTC().Truncate(time.Second) }

// Config is how programs are loaded on this kernel, as it was found, for what a
// state remembers, new or not.
func Config(o Options, meta state.Meta, found probe.Result) state.Config {
	meta.Version, meta.Upgrading = o.Version, ""
	meta.SpliceGuard = state.GuardEvidence
	if found.Guard {
		meta.SpliceGuard = state.GuardOn
	}
	meta.FIONREAD, meta.FIONREADCorrected = found.FIONREAD, found.Correction
	return state.Config{
		Meta:          meta,
		BlindTCP:      found.FIONREAD == probe.FIONREADBlindTCP,
		RmemCharged:   found.RmemCharged,
		MPTCPChildren: found.MPTCPChildren,
		LimitBytes:    uint32(min(state.LimitBytes, host.TCPReceiveBufferMax()/2)),
		LimitTotal:    max(host.TotalMemory()/100, state.LimitBytes),
		Adapt:         o.Adapt,
	}
}

// amend adds to what is remembered of an enabled state what this call accepts,
// and refuses to pass over what only a new state could have.
func amend(s *state.State, o Options) error {
	meta, err := s.Meta()
	if err != nil {
		return err
	}
	if o.MaxConnections != 0 && o.MaxConnections != meta.MaxConnections ||
		o.NoAdopt != nil && *o.NoAdopt != meta.NoAdopt {
		return fmt.Errorf("enabled already with --max-connections %d and --no-adopt=%t: run sockaccel disable first to change them",
			meta.MaxConnections, meta.NoAdopt)
	}
	if o.SpliceGuard != "" && o.SpliceGuard != meta.SpliceGuard {
		return fmt.Errorf("enabled already with --splice-guard %s: run sockaccel disable first to change it", meta.SpliceGuard)
	}
	risks := append(slices.Clone(meta.AcceptedRisks), o.AcceptedRisks...)
	slices.Sort(risks)
	risks = slices.Compact(risks)
	if err := checkRisks(remembered(meta), risks); err != nil {
		return err
	}
	if slices.Equal(risks, meta.AcceptedRisks) {
		return nil
	}
	return s.Update(func(m *state.Meta) { m.AcceptedRisks = risks })
}

// chooseGuard takes the strongest level that loads, or what was asked for, and
// corrects found to that.
func chooseGuard(want string, found *probe.Result) error {
	if want == state.GuardOn && !found.Guard {
		return fmt.Errorf("--splice-guard guard: this kernel refuses it (%w): use auto or evidence", found.Refused)
	}
	if want == state.GuardEvidence {
		found.Guard = false
	}
	return nil
}

// remembered is what a state was enabled with.
func remembered(meta *state.Meta) probe.Result {
	return probe.Result{
		FIONREAD: meta.FIONREAD, Correction: meta.FIONREADCorrected, Guard: meta.SpliceGuard == state.GuardOn,
	}
}

func setFilters(s *state.State, set *filter.Set) error {
	if set == nil {
		set = &filter.Set{}
	}
	normal := set.Normalize()
	if err := s.Update(func(m *state.Meta) { m.Filters = normal }); err != nil {
		return err
	}
	if err := s.SetFilters(normal); err != nil {
		return err
	}
	return s.Kick()
}

func addScopes(s *state.State, scopes []cgroup.Cgroup) error {
	// Recorded first: a tool killed in between leaves a scope that is known
	// but not attached, which status shows and the next enable attaches.
	err := s.Update(func(m *state.Meta) {
		for _, cg := range scopes {
			known := func(old cgroup.Cgroup) bool { return old.ID == cg.ID }
			if !slices.ContainsFunc(m.Scopes, known) {
				m.Scopes = append(m.Scopes, cg)
			}
		}
	})
	if err != nil {
		return err
	}
	meta, err := s.Meta()
	if err != nil {
		return err
	}
	changed := false
	for _, cg := range meta.Scopes {
		if s.Attached(cg) || !cg.Exists() {
			continue
		}
		if err := s.AttachScope(cg); err != nil {
			return err
		}
		changed = true
	}
	if !changed {
		return nil
	}
	// What was out of scope may have its peer in scope now.
	if err := s.Reevaluate(); err != nil {
		return err
	}
	return lookedAt(s)
}

// lookedAt returns when a pass that began after this call has seen what was
// there before: listeners, of which the next connection has to know whose it
// is. It is no failure when that takes long; connections are adopted then.
func lookedAt(s *state.State) error {
	before, err := s.Gauges()
	if err != nil {
		return err
	}
	if err := s.Kick(); err != nil {
		return err
	}
	for deadline := time.Now().Add(firstLook); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		now, err := s.Gauges()
		if err != nil {
			return err
		}
		if int32(now.Passed-before.Pass) > 0 {
			return nil
		}
	}
	return nil
}

// CheckHost tells whether this process on this kernel can do it at all.
func CheckHost() error {
	for _, r := range host.Requirements {
		if _, err := r.Check(); err != nil {
			return err
		}
	}
	return nil
}

// Detached is the nurse of enable: a supervised sidecar in the background.
func Detached(ctx context.Context, s *state.State) error { return sidecar.Detach(ctx, s) }

// PrepareStateDir mounts bpffs where that is missing; notice says so.
func PrepareStateDir(dir string) (notice string, err error) {
	mounted, err := host.EnsureBPFFS(dir)
	if err != nil {
		return "", err
	}
	if mounted {
		notice = "mounted bpffs at /sys/fs/bpf"
	}
	if err := os.MkdirAll(parent(dir), 0o750); err != nil {
		return notice, fmt.Errorf("create state dir: %w", err)
	}
	return notice, nil
}
