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
	// Adapt changes programs and maps before they are loaded: tests make
	// another version so. Nil changes nothing.
	Adapt func(*ebpf.CollectionSpec)
}

// Create makes a Draft and publishes it.
func Create(dir string, cfg Config) (*State, error) {
	s, err := Draft(dir, cfg)
	if err != nil {
		return nil, err
	}
	if err := os.Rename(draftOf(dir), dir); err != nil {
		return nil, errors.Join(fmt.Errorf("publish state: %w", err), s.Close(), removeTree(draftOf(dir)))
	}
	return s, nil
}

// Draft loads the programs and pins everything beside dir, to be published by
// one rename, or by Exchange with a state that is there. Nothing is attached
// yet, and what is found by path is not there before. The caller holds the Lock.
func Draft(dir string, cfg Config) (_ *State, err error) {
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
	b, err := newBuild(cfg)
	if err != nil {
		return nil, err
	}
	objs, err := b.load(nil)
	if err != nil {
		return nil, err
	}
	s.Maps, s.Progs = objs.Maps, objs.AccelPrograms
	if err := install(s.Maps.Verdicts, s.Progs.SockaccelVerdict); err != nil {
		return nil, err
	}
	if err := attachStub(s.Maps.Socks, s.Progs.SockaccelStub); err != nil {
		return nil, err
	}
	if s.meta, err = ebpf.NewMap(metaSpec()); err != nil {
		return nil, fmt.Errorf("create state: %w", err)
	}
	if s.pids, err = ebpf.NewMap(pidsSpec()); err != nil {
		return nil, fmt.Errorf("create state: %w", err)
	}
	cfg.Format, cfg.Layout, cfg.Programs = Format, b.layout, b.programs
	if err := writeMeta(s.meta, &cfg.Meta); err != nil {
		return nil, err
	}
	if err := s.pin(draft); err != nil {
		return nil, err
	}
	return s, nil
}

// Spec is what cfg makes of the programs and maps.
func Spec(cfg Config) (*ebpf.CollectionSpec, error) {
	spec, err := object(cfg)
	if err != nil {
		return nil, err
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

func install(verdicts *ebpf.Map, verdict *ebpf.Program) error {
	if err := verdicts.Put(uint32(0), verdict); err != nil {
		return fmt.Errorf("install verdict: %w", err)
	}
	return nil
}

// attachStub gives the program to sockets that enter from now on. By program and
// not by link: sockmap links need 6.10. The map is pinned, and keeps the program
// as long as it has a user.
func attachStub(socks *ebpf.Map, stub *ebpf.Program) error {
	if err := link.RawAttachProgram(link.RawAttachProgramOptions{
		Target: socks.FD(), Program: stub, Attach: ebpf.AttachSkMsgVerdict,
	}); err != nil {
		return fmt.Errorf("attach verdict to the sockhash: %w", err)
	}
	return nil
}

func (s *State) pin(dir string) error {
	for _, sub := range []string{"", "links", Sidecar, Supervisor} {
		if err := mkdir(dir, sub); err != nil {
			return err
		}
	}
	if err := errors.Join(pin(s.meta, dir, "meta"), pin(s.pids, dir, "pids")); err != nil {
		return err
	}
	return pinObjects(dir, &s.Maps, &s.Progs)
}

// pinObjects pins maps and programs in directories of their own below dir.
func pinObjects(dir string, maps *Maps, progs *bpf.AccelPrograms) error {
	if err := errors.Join(mkdir(dir, mapsDir), mkdir(dir, progsDir)); err != nil {
		return err
	}
	for name, m := range mapFields(maps) {
		if err := pin(*m, dir, mapsDir, pinName(name)); err != nil {
			return err
		}
	}
	for name, p := range programFields(progs) {
		if *p == nil {
			continue // optional
		}
		if err := pin(*p, dir, progsDir, name); err != nil {
			return err
		}
	}
	return nil
}

func mkdir(elem ...string) error {
	if err := os.Mkdir(filepath.Join(elem...), 0o750); err != nil {
		return fmt.Errorf("pin state: %w", err)
	}
	return nil
}

func pin(what interface{ Pin(string) error }, elem ...string) error {
	path := filepath.Join(elem...)
	if err := what.Pin(path); err != nil {
		return fmt.Errorf("pin state: %w", err)
	}
	return os.Chmod(path, 0o640)
}
