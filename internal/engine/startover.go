package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sockaccel/sockaccel/internal/sidecar"
	"github.com/sockaccel/sockaccel/internal/state"
)

// upgradeDrain is how long an upgrade waits for readers with unread data.
const upgradeDrain = 10 * time.Second

// startOver is the upgrade to programs that need other maps: everything returns
// to TCP as for disable, and living connections are adopted anew. The new state
// is complete before anything of the old one is touched, and the old one stays
// beside it until the new one serves.
func (u *upgrade) startOver() (fresh *state.State, err error) {
	if sidecar.Foreground(u.s) {
		return nil, u.failed(fmt.Errorf("the sidecar runs in the foreground (pid %d): end it and run this version in its place", u.s.PID(state.Sidecar)))
	}
	var busy uint32
	published := false
	defer func() {
		if err != nil && fresh != nil {
			err = errors.Join(err, fresh.Close())
		}
		// The old state, or a new one that does not serve.
		err = errors.Join(err, state.Clean(u.s.Dir))
	}()
	steps := []step{
		{"build", func() (err error) {
			fresh, err = u.draft()
			return err
		}, nil},
		u.begin(),
		{"drain", func() (err error) {
			busy, err = quiesce(u.ctx, u.s, upgradeDrain)
			return err
		}, u.resume},
		{"publish", func() error {
			err := state.Exchange(u.s.Dir)
			published = err == nil
			return err
		}, func() error {
			if !published {
				return nil
			}
			return state.Exchange(u.s.Dir)
		}},
		{"sidecar", func() error {
			if u.o.Foreground {
				return nil // the caller's, who attaches the scopes then
			}
			return sidecar.Replace(u.ctx, fresh)
		}, func() error {
			_, err := quiesce(context.WithoutCancel(u.ctx), fresh, time.Second)
			return err
		}},
		{"attach", func() error {
			if u.o.Foreground {
				return nil
			}
			return errors.Join(fresh.AttachTracing(), addScopes(fresh, nil))
		}, nil},
	}
	if err := u.follow(steps...); err != nil {
		return fresh, err
	}
	if busy > 0 {
		u.o.notice("%s", &Busy{busy})
	}
	u.o.notice("version %s is in use, instead of %s", u.o.Version, u.meta.Version)
	return fresh, u.s.Close()
}

// draft is the new state, with the settings of the old one.
func (u *upgrade) draft() (*state.State, error) {
	u.cfg.Since = now()
	s, err := state.Draft(u.s.Dir, u.cfg)
	if err != nil {
		return nil, err
	}
	if err := s.SetFilters(u.meta.Filters); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// resume makes the old state serve again after it was drained.
func (u *upgrade) resume() error {
	err := errors.Join(u.s.SetDraining(0), u.s.AttachTracing(), addScopes(u.s, nil), u.s.Reevaluate())
	return errors.Join(err, u.restoreSidecar())
}
