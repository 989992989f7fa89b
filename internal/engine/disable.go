package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sockaccel/sockaccel/internal/adopt"
	"github.com/sockaccel/sockaccel/internal/cgroup"
	"github.com/sockaccel/sockaccel/internal/drain"
	"github.com/sockaccel/sockaccel/internal/sidecar"
	"github.com/sockaccel/sockaccel/internal/state"
)

// softDrain is how long directions may wait for an empty queue before they are
// told to return to TCP at once.
const softDrain = 200 * time.Millisecond

// Busy is the error of a disable that ended before every queue was read: it is
// done, but these connections stay in a map that only the kernel still has.
type Busy struct{ Connections uint32 }

func (b *Busy) Error() string {
	return fmt.Sprintf("%d connections have unread data still: they finish draining by themselves and are plain TCP then", b.Connections)
}

// Disable ends acceleration in the scopes, or everywhere without any. It loses,
// reorders and stalls nothing; ErrDisabled when nothing is enabled, Busy when
// some readers did not read within timeout.
func Disable(ctx context.Context, stateDir string, scopes []cgroup.Cgroup, timeout time.Duration) error {
	if err := CheckHost(); err != nil {
		return err
	}
	if !state.Exists(stateDir) && !state.Remains(stateDir) {
		return state.ErrDisabled
	}
	lock, err := state.Acquire(ctx, stateDir)
	if err != nil {
		return err
	}
	defer lock.Release()
	s, err := state.Open(stateDir)
	if errors.Is(err, state.ErrDisabled) {
		return errors.Join(state.Clean(stateDir), err)
	} else if err != nil {
		return err
	}
	defer s.Close()
	if len(scopes) > 0 {
		left, err := removeScopes(s, scopes)
		if err != nil || left > 0 {
			return err
		}
	}
	return takeDown(ctx, s, timeout)
}

func removeScopes(s *state.State, scopes []cgroup.Cgroup) (left int, err error) {
	for _, cg := range scopes {
		if err := s.DetachScope(cg.ID); err != nil {
			return 0, err
		}
	}
	err = s.Update(func(m *state.Meta) {
		m.Scopes = slices.DeleteFunc(m.Scopes, func(old cgroup.Cgroup) bool {
			return slices.ContainsFunc(scopes, func(cg cgroup.Cgroup) bool { return cg.ID == old.ID })
		})
		left = len(m.Scopes)
	})
	if err != nil || left == 0 {
		return left, err
	}
	// The sidecar's next pass brings their connections back to TCP.
	return left, errors.Join(s.Reevaluate(), s.Kick())
}

// takeDown ends everything.
func takeDown(ctx context.Context, s *state.State, timeout time.Duration) error {
	// Or else the next enable would finish an upgrade that was killed.
	if err := s.Update(func(m *state.Meta) { m.Upgrading = "" }); err != nil {
		return err
	}
	if err := halt(ctx, s); err != nil {
		return err
	}
	busy, err := empty(ctx, s, timeout)
	if err := errors.Join(err, s.Remove()); err != nil {
		return err
	}
	if busy > 0 {
		return &Busy{busy}
	}
	return nil
}

// quiesce ends everything but the state; sockets that are busy after timeout
// stay in the sockhash.
func quiesce(ctx context.Context, s *state.State, timeout time.Duration) (busy uint32, err error) {
	if err := halt(ctx, s); err != nil {
		return 0, err
	}
	return empty(ctx, s, timeout)
}

// halt makes everything drain. The order matters: nothing new may start, nobody
// else may take sockets in or out, and only then is the rest emptied.
func halt(ctx context.Context, s *state.State) error {
	if err := s.SetDraining(state.DrainSoft); err != nil {
		return err
	}
	return errors.Join(sidecar.Stop(ctx, s), s.DetachAll())
}

// empty sweeps until no socket is in the sockhash, and wakes readers that
// stopped at the seam.
func empty(ctx context.Context, s *state.State, timeout time.Duration) (busy uint32, err error) {
	meta, err := s.Meta()
	if err != nil {
		return 0, err
	}
	walker, err := adopt.New(s)
	if err != nil {
		return 0, err
	}
	defer walker.Close()
	start, hard := time.Now(), false
	for pause := time.Millisecond; ; pause = min(2*pause, 20*time.Millisecond) {
		swept, err := drain.Step(s, true)
		if err != nil {
			return 0, err
		}
		if swept.Seams > 0 {
			if _, _, err := walker.Pass(meta.Scopes); err != nil {
				return 0, err
			}
		} else if swept.InMap == 0 {
			return 0, nil
		}
		if time.Since(start) > timeout || ctx.Err() != nil {
			return swept.InMap, nil
		}
		if !hard && time.Since(start) > softDrain {
			hard = true
			if err := s.SetDraining(state.DrainHard); err != nil {
				return 0, err
			}
		}
		time.Sleep(pause)
	}
}
