package sidecar

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/sockaccel/sockaccel/internal/state"
)

// replaceTimeout bounds the wait for a sidecar that cannot end because it waits
// in the kernel for a socket's lock.
const replaceTimeout = 2 * startTimeout

// Image is the executable of a running sidecar. It can be started again, also
// when its file has been replaced or removed since.
type Image struct{ file *os.File }

// Foreground tells whether the sidecar runs in the foreground, without a
// supervisor: then it is not ours to replace.
func Foreground(s *state.State) bool { return s.Held(state.Sidecar) && !s.Held(state.Supervisor) }

// ImageOf returns the image of the detached sidecar of the state; nil when none
// runs. Close it.
func ImageOf(s *state.State) *Image {
	if Foreground(s) {
		return nil
	}
	for _, role := range []string{state.Sidecar, state.Supervisor} {
		if f, err := os.Open(fmt.Sprintf("/proc/%d/exe", s.PID(role))); err == nil {
			return &Image{f}
		}
	}
	return nil
}

// Own tells whether it is the executable of this process.
func (i *Image) Own() bool {
	theirs, err := i.file.Stat()
	if err != nil {
		return false
	}
	ours, err := os.Stat("/proc/self/exe")
	return err == nil && os.SameFile(theirs, ours)
}

// Close releases it.
func (i *Image) Close() error {
	if i == nil {
		return nil
	}
	return i.file.Close()
}

// Restart starts it, supervised, in the place of any other, and waits until its
// heart beats.
func (i *Image) Restart(ctx context.Context, s *state.State) error {
	ctx, cancel := context.WithTimeout(ctx, replaceTimeout)
	defer cancel()
	// One that does not end in time is replaced by the supervisor when it does.
	stopped := Stop(ctx, s)
	return errors.Join(stopped, detach(context.WithoutCancel(ctx), s, fmt.Sprintf("/proc/self/fd/%d", i.file.Fd())))
}

// Replace ends a sidecar and its supervisor, and starts this executable in their
// place. It returns when the new one has made a pass: a heart that beats may
// still be the old one's. The caller holds the Lock.
func Replace(ctx context.Context, s *state.State) error {
	ctx, cancel := context.WithTimeout(ctx, replaceTimeout)
	defer cancel()
	if err := Stop(ctx, s); err != nil {
		return err
	}
	before, err := s.Gauges()
	if err != nil {
		return err
	}
	if err := Detach(ctx, s); err != nil {
		return err
	}
	for {
		now, err := s.Gauges()
		if err != nil {
			return err
		}
		if int32(now.Passed-before.Pass) > 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.New("start sidecar: it does not look at connections")
		case <-time.After(2 * time.Millisecond):
		}
	}
}
