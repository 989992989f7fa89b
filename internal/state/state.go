// Package state owns the state directory: programs, maps and links pinned in
// one bpffs directory, which is all that acceleration consists of. It is built
// beside its place and published by one rename, under a lock, so that killing
// any process at any instant leaves nothing that the next call cannot repair.
package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/cilium/ebpf"

	"github.com/sockaccel/sockaccel/bpf"
)

const (
	mapsDir  = "maps"
	progsDir = "progs"
)

// Roles of processes that exist once per state directory.
const (
	Sidecar    = "sidecar"
	Supervisor = "supervisor"
)

// ErrDisabled says that there is no state: nothing is enabled.
var ErrDisabled = errors.New("acceleration is not enabled")

// State is an open state directory. Close it; closing changes nothing.
type State struct {
	Dir   string
	Maps  Maps
	Progs bpf.AccelPrograms
	meta  *ebpf.Map
	pids  *ebpf.Map
}

func (s *State) path(elem ...string) string {
	return filepath.Join(append([]string{s.Dir}, elem...)...)
}

// Exists reports whether something is at dir, whatever it is.
func Exists(dir string) bool {
	_, err := os.Lstat(dir)
	return err == nil
}

// Open opens the state at dir. ErrDisabled when there is none, Unusable when it
// is damaged or of an incompatible version; what is somebody else's is refused.
func Open(dir string) (*State, error) {
	if info, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, ErrDisabled
	} else if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("open state: %w: run as root", err)
	} else if err != nil {
		return nil, fmt.Errorf("open state: %w", err)
	} else if !info.IsDir() {
		return nil, foreign(dir)
	}
	meta, err := loadMeta(dir)
	if err != nil {
		return nil, err
	}
	s := &State{Dir: dir, meta: meta}
	if err := s.open(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// loadMeta opens the map that makes a directory a state, of whatever version.
func loadMeta(dir string) (*ebpf.Map, error) {
	m, err := ebpf.LoadPinnedMap(filepath.Join(dir, "meta"), nil)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, foreign(dir)
	} else if err != nil {
		return nil, fmt.Errorf("open state %s: %w", dir, err)
	}
	info, err := m.Info()
	if err != nil || info.Name != metaSpec().Name || m.Type() != ebpf.Array {
		m.Close()
		return nil, foreign(dir)
	}
	return m, nil
}

func foreign(dir string) error {
	return fmt.Errorf("state dir %s belongs to something else: choose another with --state-dir", dir)
}

func (s *State) open() error {
	// Nothing else of a format that is not known can be relied on.
	value, err := readValue(s.meta)
	if err != nil {
		return err
	}
	format, version, err := formatOf(value)
	if err != nil {
		return s.damaged(err)
	}
	if format != Format {
		return &Unusable{s.Dir, fmt.Sprintf("was made by an incompatible version (%s, format %d)", version, format)}
	}
	meta, err := parseMeta(value)
	if err != nil {
		return s.damaged(err)
	}
	if s.pids, err = ebpf.LoadPinnedMap(s.path("pids"), nil); err != nil {
		return s.damaged(err)
	}
	for name, m := range mapFields(&s.Maps) {
		*m, err = ebpf.LoadPinnedMap(s.path(mapsDir, pinName(name)), nil)
		if err != nil && !missing(err, meta.Layout, name) {
			return s.damaged(fmt.Errorf("map %s: %w", name, err))
		}
	}
	for name, p := range programFields(&s.Progs) {
		if !meta.has(name) {
			continue
		}
		*p, err = ebpf.LoadPinnedProgram(s.path(progsDir, name), nil)
		if err != nil && !missing(err, meta.Programs, name) {
			return s.damaged(fmt.Errorf("program %s: %w", name, err))
		}
	}
	return nil
}

// missing tells whether a pin is not there because the version that made the
// state had nothing of that name.
func missing(err error, pinned map[string]string, name string) bool {
	return errors.Is(err, fs.ErrNotExist) && pinned[name] == "" && (pinned != nil || name == globals)
}

// Unusable is the error for a state of ours that this version cannot do anything
// with but Drop it.
type Unusable struct{ Dir, Why string }

func (e *Unusable) Error() string {
	return fmt.Sprintf("state dir %s %s: use the version that made it, or give it up safely with: sockaccel disable --force", e.Dir, e.Why)
}

func (s *State) damaged(err error) error {
	return &Unusable{s.Dir, fmt.Sprintf("is damaged (%s)", err)}
}

// Close releases the file descriptors.
func (s *State) Close() error {
	// Closing a nil map or program is allowed.
	return errors.Join(s.meta.Close(), s.pids.Close(), closeObjects(&s.Maps, &s.Progs))
}

func closeObjects(maps *Maps, progs *bpf.AccelPrograms) error {
	var errs []error
	for _, m := range mapFields(maps) {
		errs = append(errs, (*m).Close())
	}
	for _, p := range programFields(progs) {
		errs = append(errs, (*p).Close())
	}
	return errors.Join(errs...)
}

// Meta reads what the tool remembers.
func (s *State) Meta() (*Meta, error) { return readMeta(s.meta) }

// Update changes what the tool remembers. The caller holds the Lock.
func (s *State) Update(change func(*Meta)) error {
	meta, err := s.Meta()
	if err != nil {
		return err
	}
	change(meta)
	return writeMeta(s.meta, meta)
}

// Remove unpins everything; what live sockets hold stays in the kernel until
// they close. The caller holds the Lock.
//
// It is unpublished by one rename first: a process that is killed here leaves a
// draft, which is nobody's state, and not the half of one.
func (s *State) Remove() error {
	draft := draftOf(s.Dir)
	if err := removeTree(draft); err != nil {
		return err
	}
	if err := os.Rename(s.Dir, draft); err != nil {
		return fmt.Errorf("unpublish state: %w", err)
	}
	return removeTree(draft)
}

func draftOf(dir string) string { return dir + "-new" }

// Remains reports whether killed processes left a draft or a lock, but no state.
func Remains(dir string) bool { return Exists(draftOf(dir)) || Exists(dir+"-lock") }

// Exchange publishes a draft in the place of the state that is there, which is
// the draft then. The caller holds the Lock.
func Exchange(dir string) error { return exchange(dir, draftOf(dir)) }

// Clean removes a draft. The caller holds the Lock.
func Clean(dir string) error { return removeTree(draftOf(dir)) }

// removeTree is os.RemoveAll for bpffs, links first so that nothing new starts
// while the rest goes.
func removeTree(dir string) error {
	links := os.RemoveAll(filepath.Join(dir, "links"))
	return errors.Join(links, os.RemoveAll(dir))
}
