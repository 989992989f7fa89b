package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockaccel/sockaccel/internal/engine"
	"github.com/sockaccel/sockaccel/internal/state"
)

const (
	drainTimeout = 3 * time.Second
	// removeTimeout bounds the wait for what others hold.
	removeTimeout = 15 * time.Second
)

// things are what a sandbox consists of, by name: whoever knows them can
// remove them.
type things struct {
	Cgroup   string `json:"cgroup"`
	StateDir string `json:"state_dir"`
	Dir      string `json:"dir"`
}

// remove removes what is there. The processes go first: without them there is
// nothing to drain.
func (t things) remove() error {
	ctx, cancel := context.WithTimeout(context.Background(), removeTimeout)
	defer cancel()
	err := t.kill(ctx)
	if off := engine.Disable(ctx, t.StateDir, nil, drainTimeout); !errors.Is(off, state.ErrDisabled) && off != nil {
		err = errors.Join(err, fmt.Errorf("disable: %w", off))
	}
	for _, dir := range []string{"inside", "outside", ""} {
		if rm := os.Remove(filepath.Join(t.Cgroup, dir)); rm != nil && !errors.Is(rm, fs.ErrNotExist) {
			err = errors.Join(err, fmt.Errorf("remove cgroup: %w", rm))
		}
	}
	if rm := os.RemoveAll(t.Dir); rm != nil {
		err = errors.Join(err, fmt.Errorf("remove working directory: %w", rm))
	}
	return err
}

// kill ends all processes in the cgroup and returns when they are gone.
func (t things) kill(ctx context.Context) error {
	err := os.WriteFile(filepath.Join(t.Cgroup, "cgroup.kill"), []byte("1"), 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("kill cgroup: %w", err)
	}
	return t.empty(ctx)
}

// empty returns when the kernel says that no process is left: cgroup.events
// changes then, which poll reports as an exception.
func (t things) empty(ctx context.Context) error {
	events, err := os.Open(filepath.Join(t.Cgroup, "cgroup.events"))
	if err != nil {
		return fmt.Errorf("wait for processes: %w", err)
	}
	defer events.Close()
	for ctx.Err() == nil {
		text := make([]byte, 256)
		n, err := unix.Pread(int(events.Fd()), text, 0)
		if err != nil {
			return fmt.Errorf("wait for processes: %w", err)
		}
		if value(text[:n], "populated") == "0" {
			return nil
		}
		fds := []unix.PollFd{{Fd: int32(events.Fd()), Events: unix.POLLPRI}}
		if _, err := unix.Poll(fds, 100); err != nil && err != unix.EINTR {
			return fmt.Errorf("wait for processes: %w", err)
		}
	}
	return fmt.Errorf("processes in %s do not end", t.Cgroup)
}
