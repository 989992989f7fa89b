package state

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/rlimit"

	"github.com/sockaccel/sockaccel/bpf"
)

// Limits of queued data (invariant I4).
const (
	// LimitBytes is what one direction of a connection may have queued.
	LimitBytes = 4 << 20
	// LimitMessages bounds the kilobyte of slab that each message costs.
	LimitMessages = 512
)

// Config is what is fixed when the programs are loaded.
type Config struct {
	Meta
	// BlindTCP: FIONREAD does not count TCP bytes of a socket in the sockhash.
	BlindTCP bool
	// RmemCharged: redirected bytes are charged to the receive buffer.
	RmemCharged bool
	// MPTCPChildren: plain TCP children of Multipath TCP listeners may enter.
	MPTCPChildren bool
	// LimitBytes is what one direction may have queued; 0: LimitBytes.
	LimitBytes uint32
	// LimitTotal is the queue budget of all connections together, in bytes.
	LimitTotal uint64
}

// Create loads the programs, pins everything beside dir and publishes it by
// one rename. Nothing is attached yet. The caller holds the Lock.
func Create(dir string, cfg Config) (_ *State, err error) {
	if err := rlimit.RemoveMemlock(); err != nil {
		return nil, fmt.Errorf("raise locked memory limit: %w", err)
	}
	draft := draftOf(dir)
	// A process that was killed at this point before us left its draft.
	if err := removeTree(draft); err != nil {
		return nil, fmt.Errorf("remove unfinished state: %w", err)
	}
	s := &State{Dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close(), removeTree(draft))
		}
	}()
	if err := s.load(cfg); err != nil {
		return nil, err
	}
	if s.meta, err = ebpf.NewMap(metaSpec()); err != nil {
		return nil, fmt.Errorf("create state: %w", err)
	}
	if s.pids, err = ebpf.NewMap(pidsSpec()); err != nil {
		return nil, fmt.Errorf("create state: %w", err)
	}
	cfg.Meta.Format = Format
	if err := writeMeta(s.meta, &cfg.Meta); err != nil {
		return nil, err
	}
	if err := s.pin(draft); err != nil {
		return nil, err
	}
	if err := os.Rename(draft, dir); err != nil {
		return nil, fmt.Errorf("publish state: %w", err)
	}
	return s, nil
}

// Spec is what cfg makes of the programs and maps.
func Spec(cfg Config) (*ebpf.CollectionSpec, error) {
	spec, err := bpf.LoadAccel()
	if err != nil {
		return nil, fmt.Errorf("read programs: %w", err)
	}
	connections := cfg.MaxConnections
	spec.Maps["socks"].MaxEntries = 2 * connections
	// Records of connections that are not (yet) accelerated count as well.
	spec.Maps["pairs"].MaxEntries = 2 * connections
	spec.Maps["claims"].MaxEntries = max(4*connections, 65536)
	for name, value := range map[string]any{
		"blind_tcp":      cfg.BlindTCP,
		"rmem_charged":   cfg.RmemCharged,
		"mptcp_children": cfg.MPTCPChildren,
		"no_adopt":       cfg.NoAdopt,
		"limit_bytes":    cmp.Or(cfg.LimitBytes, LimitBytes),
		"limit_msgs":     uint32(LimitMessages),
		"limit_total":    cfg.LimitTotal,
	} {
		if err := spec.Variables[name].Set(value); err != nil {
			return nil, fmt.Errorf("configure programs: %s: %w", name, err)
		}
	}
	for name := range spec.Programs {
		if !cfg.Meta.has(name) {
			delete(spec.Programs, name)
		}
	}
	return spec, nil
}

func (s *State) load(cfg Config) error {
	spec, err := Spec(cfg)
	if err != nil {
		return err
	}
	loaded, err := ebpf.NewCollection(spec)
	if err != nil {
		return fmt.Errorf("load programs: %w", err)
	}
	defer loaded.Close() // what is not taken out of it
	for name, m := range mapFields(&s.Maps) {
		*m = loaded.DetachMap(name)
	}
	for name, p := range programFields(&s.Progs) {
		*p = loaded.DetachProgram(name)
	}
	if err := s.Maps.Verdicts.Put(uint32(0), s.Progs.SockaccelVerdict); err != nil {
		return fmt.Errorf("install verdict: %w", err)
	}
	// By program and not by link: sockmap links need 6.10. The map is pinned,
	// and keeps the program as long as it has a user.
	if err := link.RawAttachProgram(link.RawAttachProgramOptions{
		Target: s.Maps.Socks.FD(), Program: s.Progs.SockaccelStub, Attach: ebpf.AttachSkMsgVerdict,
	}); err != nil {
		return fmt.Errorf("attach verdict to the sockhash: %w", err)
	}
	return nil
}

func (s *State) pin(dir string) error {
	for _, sub := range []string{"", "maps", "progs", "links", Sidecar, Supervisor} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o750); err != nil {
			return fmt.Errorf("pin state: %w", err)
		}
	}
	pin := func(what interface{ Pin(string) error }, elem ...string) error {
		path := filepath.Join(append([]string{dir}, elem...)...)
		if err := what.Pin(path); err != nil {
			return fmt.Errorf("pin state: %w", err)
		}
		return os.Chmod(path, 0o640)
	}
	if err := errors.Join(pin(s.meta, "meta"), pin(s.pids, "pids")); err != nil {
		return err
	}
	for name, m := range mapFields(&s.Maps) {
		if err := pin(*m, "maps", name); err != nil {
			return err
		}
	}
	for name, p := range programFields(&s.Progs) {
		if *p == nil {
			continue // optional
		}
		if err := pin(*p, "progs", name); err != nil {
			return err
		}
	}
	return nil
}
