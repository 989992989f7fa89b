package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/sockaccel/sockaccel/bench/load"
	"github.com/sockaccel/sockaccel/internal/cgroup"
	"github.com/sockaccel/sockaccel/internal/engine"
	"github.com/sockaccel/sockaccel/internal/state"
	"github.com/sockaccel/sockaccel/internal/status"
)

const (
	// maxConnections is far more than the load has: the maps stay small.
	maxConnections = 1024
	drainTimeout   = 3 * time.Second
	// cleanUpTimeout bounds the wait for what others hold.
	cleanUpTimeout = 15 * time.Second
)

// sandbox is all that a demonstration makes: a cgroup, a state directory
// while acceleration is on, two processes.
type sandbox struct {
	o        Options
	risks    []string
	scope    cgroup.Cgroup
	stateDir string
	server   *load.Process
	client   *load.Process
	addrs    load.Addrs
}

func newSandbox(o Options, risks []string, p *progress) (*sandbox, error) {
	name := fmt.Sprintf("sockaccel-demo-%d", os.Getpid())
	b := &sandbox{o: o, risks: risks, stateDir: filepath.Join("/sys/fs/bpf", name)}
	notice, err := engine.PrepareStateDir(b.stateDir)
	if notice != "" {
		p.note("%s", notice)
	}
	if err != nil {
		return nil, err
	}
	if err := os.Mkdir(filepath.Join(o.CgroupRoot, name), 0o755); err != nil {
		return nil, fmt.Errorf("create cgroup: %w", err)
	}
	if b.scope, err = cgroup.Resolve(o.CgroupRoot, name); err != nil {
		return nil, b.cleanUp(err)
	}
	return b, nil
}

// start starts server and client inside the cgroup: a socket belongs to the
// cgroup of its creator.
func (b *sandbox) start(ctx context.Context) error {
	dir, err := os.Open(b.scope.Path)
	if err != nil {
		return fmt.Errorf("open cgroup: %w", err)
	}
	defer dir.Close()
	if b.server, b.addrs, err = load.StartServer(ctx, b.o.Exe, dir); err != nil {
		return err
	}
	b.client, err = load.StartClient(b.o.Exe, dir)
	return err
}

func (b *sandbox) enable(ctx context.Context) error {
	s, err := engine.Enable(ctx, engine.Options{
		StateDir: b.stateDir, Version: b.o.Version, Scopes: []cgroup.Cgroup{b.scope},
		MaxConnections: maxConnections, AcceptedRisks: b.risks,
	}, engine.Detached)
	if err != nil {
		return fmt.Errorf("enable: %w", err)
	}
	return s.Close()
}

func (b *sandbox) disable(ctx context.Context) error {
	if err := engine.Disable(ctx, b.stateDir, nil, drainTimeout); err != nil {
		return fmt.Errorf("disable: %w", err)
	}
	return nil
}

func (b *sandbox) status() (*status.Status, error) { return status.Read(b.stateDir, b.o.Version) }

// CleanUpError says that something is left behind.
type CleanUpError struct{ cause error }

func (e *CleanUpError) Error() string { return "clean up: " + e.cause.Error() }

func (e *CleanUpError) Unwrap() error { return e.cause }

// cleanUp removes everything, whatever became of ctx, and joins what fails to
// cause. The processes go first: without them there is nothing to drain.
func (b *sandbox) cleanUp(cause error) error {
	ctx, cancel := context.WithTimeout(context.Background(), cleanUpTimeout)
	defer cancel()
	for _, p := range []*load.Process{b.client, b.server} {
		if p != nil {
			p.Stop()
		}
	}
	err := b.disable(ctx)
	if errors.Is(err, state.ErrDisabled) {
		err = nil
	}
	path := filepath.Join(b.o.CgroupRoot, filepath.Base(b.stateDir))
	if rm := os.Remove(path); rm != nil && !errors.Is(rm, os.ErrNotExist) {
		err = errors.Join(err, fmt.Errorf("remove cgroup: %w", rm))
	}
	if err == nil {
		return cause
	}
	return errors.Join(cause, &CleanUpError{err})
}
