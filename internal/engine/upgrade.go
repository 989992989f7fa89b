package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/sockaccel/sockaccel/internal/probe"
	"github.com/sockaccel/sockaccel/internal/sidecar"
	"github.com/sockaccel/sockaccel/internal/state"
)

// Upgrade makes this version's programs and sidecar serve what is enabled, with
// its scopes, filters and settings. ErrDisabled when nothing is enabled. When it
// fails the version from before goes on serving.
func Upgrade(ctx context.Context, o Options) error {
	if !state.Exists(o.StateDir) {
		return state.ErrDisabled
	}
	o.upgrade = true
	s, err := Enable(ctx, o, Detached)
	if err != nil {
		return err
	}
	return s.Close()
}

// upgrade is one under way.
type upgrade struct {
	ctx   context.Context
	o     Options
	s     *state.State // what is enabled
	meta  *state.Meta  // of it, as it was
	cfg   state.Config // what it is to become
	image *sidecar.Image
}

// refresh makes an enabled state one of this version, if it is not, and returns
// what is enabled then. It takes s over.
func refresh(ctx context.Context, s *state.State, o Options) (_ *state.State, err error) {
	u := &upgrade{ctx: ctx, o: o, s: s}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if u.meta, err = s.Meta(); err != nil {
		return nil, err
	}
	// Of an upgrade that was killed after it had published its state.
	if err := state.Clean(o.StateDir); err != nil {
		return nil, err
	}
	// A sidecar that runs would be in the way of one in the foreground.
	if o.Foreground && s.Held(state.Sidecar) {
		return s, nil
	}
	if !o.Foreground {
		u.image = sidecar.ImageOf(s)
		defer u.image.Close()
	}
	u.cfg = Config(o, *u.meta, remembered(u.meta))
	programs, err := s.Differs(u.cfg)
	if err != nil {
		return nil, err
	}
	programs = programs || u.meta.Upgrading != ""
	if !programs && u.meta.Version == o.Version && (!o.upgrade || u.image == nil || u.image.Own()) {
		if o.upgrade {
			o.notice("version %s is in use already", o.Version)
		}
		return s, nil
	}
	if !programs {
		if err := u.follow(u.begin(), u.replaceSidecar(), u.commit()); err != nil {
			return nil, err
		}
		o.notice("version %s is in use; it has the same programs as %s, they stay", o.Version, u.meta.Version)
		return s, nil
	}
	// Found out again and not remembered: this version may need to know more.
	found, err := probe.Run()
	if err != nil {
		return nil, err
	}
	if err := chooseGuard(u.meta.SpliceGuard, &found); err != nil {
		return nil, err
	}
	if err := checkRisks(found, u.meta.AcceptedRisks); err != nil {
		return nil, err
	}
	u.cfg = Config(o, *u.meta, found)
	var swap *state.Swap
	var other *state.OtherLayout
	if err := u.follow(step{"load", func() (err error) {
		if swap, err = s.Prepare(u.cfg); errors.As(err, &other) {
			return nil
		}
		return err
	}, nil}); err != nil {
		return nil, err
	}
	if other != nil {
		o.notice("the programs of %s have %s: connections return to TCP and start over", u.meta.Version, other.Why)
		return u.startOver()
	}
	return s, u.swap(swap)
}

// swap replaces the programs under live connections.
func (u *upgrade) swap(w *state.Swap) (err error) {
	defer func() { err = errors.Join(err, w.Close()) }()
	if err := u.follow(
		u.begin(),
		step{"verdict", w.Verdict, w.OldVerdict},
		step{"stub", w.Stub, w.OldStub},
		step{"links", w.Links, w.OldLinks},
		step{"pins", w.Pins, w.OldPins},
		step{"resume", u.undrain, nil},
		u.replaceSidecar(),
		step{"commit", func() error { return w.Commit(u.become) }, nil},
	); err != nil {
		return err
	}
	u.o.notice("version %s is in use, instead of %s; accelerated connections went on", u.o.Version, u.meta.Version)
	return w.Finish()
}

func (u *upgrade) follow(steps ...step) error { return u.failed(follow(steps, u.o.OnStep)) }

func (u *upgrade) failed(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("upgrade from %s to %s: %w: version %s goes on serving", u.meta.Version, u.o.Version, err, u.meta.Version)
}

// begin notes that links and live sockets may have programs of either version
// from now on: the next call makes all of them its own.
func (u *upgrade) begin() step {
	set := func(version string) func() error {
		return func() error { return u.s.Update(func(m *state.Meta) { m.Upgrading = version }) }
	}
	return step{"begin", set(u.o.Version), set(u.meta.Upgrading)}
}

func (u *upgrade) commit() step {
	return step{"commit", func() error { return u.s.Update(u.become) }, nil}
}

func (u *upgrade) become(m *state.Meta) {
	m.Version, m.Upgrading = u.o.Version, ""
	m.FIONREAD, m.FIONREADCorrected, m.SpliceGuard = u.cfg.FIONREAD, u.cfg.FIONREADCorrected, u.cfg.SpliceGuard
}

// undrain is for an upgrade that was killed while it drained.
func (u *upgrade) undrain() error {
	g, err := u.s.Gauges()
	if err != nil || g.Draining == 0 {
		return err
	}
	return errors.Join(u.s.SetDraining(0), u.s.Reevaluate())
}

// replaceSidecar leaves one that runs in the foreground alone: it is not ours to
// start, and may nurse connections of any version that agrees on the maps.
func (u *upgrade) replaceSidecar() step {
	apply := func() error {
		if u.o.Foreground {
			return nil
		}
		if sidecar.Foreground(u.s) {
			u.o.notice("the sidecar runs in the foreground (pid %d): restart it, so that it is of this version as well", u.s.PID(state.Sidecar))
			return nil
		}
		return sidecar.Replace(u.ctx, u.s)
	}
	return step{"sidecar", apply, u.restoreSidecar}
}

// restoreSidecar starts the sidecar from before, if it was detached.
func (u *upgrade) restoreSidecar() error {
	if u.image == nil {
		return nil
	}
	return u.image.Restart(context.WithoutCancel(u.ctx), u.s)
}
