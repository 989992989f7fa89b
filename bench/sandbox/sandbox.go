// Package sandbox makes what a benchmark needs and nobody else has: cgroups, a
// state directory and a working directory of its own. Whatever becomes of its
// maker, all of it is removed.
package sandbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sockaccel/sockaccel/bench/baseline"
	"github.com/sockaccel/sockaccel/bench/record"
	"github.com/sockaccel/sockaccel/internal/cgroup"
	"github.com/sockaccel/sockaccel/internal/engine"
	"github.com/sockaccel/sockaccel/internal/status"
)

// Options of a sandbox.
type Options struct {
	Name    string   // of the cgroup and the other directories, before the pid
	Root    string   // the cgroup v2 mount
	Parent  string   // cgroup below which the sandbox's is made, as cgroup.Resolve takes it
	BPFFS   string   // directory in which the state is made; default /sys/fs/bpf
	Version string   // of the tool
	Exe     string   // the tool
	Risks   []string // accepted when on
	Notice  func(format string, args ...any)
}

// Sandbox is not safe for concurrent use.
type Sandbox struct {
	Inside  *os.File // cgroup of the processes whose sockets are accelerated when on
	Outside *os.File // cgroup of those whose are not
	Dir     string   // for files

	o      Options
	things things
	scope  cgroup.Cgroup
	keeper *keeper
}

// New makes a sandbox. The caller has called engine.CheckHost before, and
// calls Remove.
func New(o Options) (*Sandbox, error) {
	parent, err := cgroup.Resolve(o.Root, o.Parent)
	if err != nil {
		return nil, err
	}
	if err := notAccelerated(parent); err != nil {
		return nil, err
	}
	name := fmt.Sprintf("%s-%d", o.Name, os.Getpid())
	b := &Sandbox{o: o, things: things{
		Cgroup: filepath.Join(parent.Path, name), StateDir: filepath.Join(cmp.Or(o.BPFFS, "/sys/fs/bpf"), name),
		Dir: filepath.Join(os.TempDir(), name),
	}}
	notice, err := engine.PrepareStateDir(b.things.StateDir)
	if notice != "" {
		o.Notice("%s", notice)
	}
	if err != nil {
		return nil, err
	}
	// Before there is anything to remove.
	if b.keeper, err = startKeeper(o.Exe, b.things); err != nil {
		return nil, err
	}
	if err := b.make(); err != nil {
		return nil, b.Remove(err)
	}
	return b, nil
}

func (b *Sandbox) make() error {
	b.Dir = b.things.Dir
	// Mkdir fails where something is already: it is not ours to use.
	if err := os.Mkdir(b.Dir, 0o700); err != nil {
		return fmt.Errorf("create working directory: %w", err)
	}
	for _, dir := range []string{"", "inside", "outside"} {
		if err := os.Mkdir(filepath.Join(b.things.Cgroup, dir), 0o755); err != nil {
			return fmt.Errorf("create cgroup: %w", err)
		}
	}
	var err error
	if b.scope, err = cgroup.Resolve(b.o.Root, filepath.Join(b.things.Cgroup, "inside")); err != nil {
		return err
	}
	if b.Inside, err = os.Open(b.scope.Path); err != nil {
		return fmt.Errorf("open cgroup: %w", err)
	}
	if b.Outside, err = os.Open(filepath.Join(b.things.Cgroup, "outside")); err != nil {
		return fmt.Errorf("open cgroup: %w", err)
	}
	return nil
}

// StateDir is that of the sandbox's acceleration.
func (b *Sandbox) StateDir() string { return b.things.StateDir }

// Status is that of the sandbox's acceleration: zeros unless it is on.
func (b *Sandbox) Status() (*status.Status, error) {
	return status.Read(b.things.StateDir, b.o.Version)
}

// Enter begins a mode of package record and returns how to leave it: what was
// accelerated then is plain TCP.
func (b *Sandbox) Enter(ctx context.Context, mode string) (leave func() error, err error) {
	switch mode {
	case record.ModeOn:
		return b.enable(ctx)
	case record.ModeBaseline:
		// Nothing is pinned: it ends with this process at the latest.
		a, err := baseline.Attach(b.scope.Path)
		if err != nil {
			return nil, err
		}
		return a.Close, nil
	}
	return func() error { return nil }, nil
}

func (b *Sandbox) enable(ctx context.Context) (leave func() error, err error) {
	s, err := engine.Enable(ctx, engine.Options{
		StateDir: b.things.StateDir, Version: b.o.Version, Scopes: []cgroup.Cgroup{b.scope}, AcceptedRisks: b.o.Risks,
	}, engine.Detached)
	if err != nil {
		return nil, fmt.Errorf("enable: %w", err)
	}
	return func() error {
		if err := engine.Disable(ctx, b.things.StateDir, nil, drainTimeout); err != nil {
			return fmt.Errorf("disable: %w", err)
		}
		return nil
	}, s.Close()
}

// CleanUpError says that something is left behind.
type CleanUpError struct{ cause error }

func (e *CleanUpError) Error() string { return "clean up: " + e.cause.Error() }

func (e *CleanUpError) Unwrap() error { return e.cause }

// Remove ends all processes in the sandbox, removes everything, and joins what
// fails to cause.
func (b *Sandbox) Remove(cause error) error {
	for _, dir := range []*os.File{b.Inside, b.Outside} {
		if dir != nil {
			dir.Close()
		}
	}
	err := b.things.remove()
	if err != nil {
		err = &CleanUpError{err}
	}
	b.keeper.dismiss()
	return errors.Join(cause, err)
}
