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
	Maps  bpf.AccelMaps
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

// Open opens the state at dir. ErrDisabled when there is none; errors that say
// what to do when it is somebody else's or of an incompatible version.
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
	meta, err := ebpf.LoadPinnedMap(filepath.Join(dir, "meta"), nil)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, foreign(dir)
		}
		return nil, fmt.Errorf("open state %s: %w", dir, err)
	}
	s := &State{Dir: dir, meta: meta}
	if err := s.open(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func foreign(dir string) error {
	return fmt.Errorf("state dir %s belongs to something else: choose another with --state-dir", dir)
}

func (s *State) open() error {
	if s.meta.ValueSize() != metaSize || s.meta.Type() != ebpf.Array {
		return foreign(s.Dir)
	}
	meta, err := s.Meta()
	if err != nil {
		return err
	}
	if meta.Format != Format {
		return fmt.Errorf("state dir %s was made by an incompatible version (%s): disable with that version, or drop the state safely with: rm -r %s",
			s.Dir, meta.Version, s.Dir)
	}
	if s.pids, err = ebpf.LoadPinnedMap(s.path("pids"), nil); err != nil {
		return s.damaged(err)
	}
	for name, m := range mapFields(&s.Maps) {
		if *m, err = ebpf.LoadPinnedMap(s.path("maps", name), nil); err != nil {
			return s.damaged(err)
		}
	}
	for name, p := range programFields(&s.Progs) {
		if !meta.has(name) {
			continue
		}
		if *p, err = ebpf.LoadPinnedProgram(s.path("progs", name), nil); err != nil {
			return s.damaged(err)
		}
	}
	return nil
}

func (s *State) damaged(err error) error {
	return fmt.Errorf("state dir %s is damaged: drop it safely with: rm -r %s: %w", s.Dir, s.Dir, err)
}

// Close releases the file descriptors.
func (s *State) Close() error {
	var errs []error
	// Closing a nil map or program is allowed.
	errs = append(errs, s.meta.Close(), s.pids.Close())
	for _, m := range mapFields(&s.Maps) {
		errs = append(errs, (*m).Close())
	}
	for _, p := range programFields(&s.Progs) {
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

// Clean removes a draft. The caller holds the Lock.
func Clean(dir string) error { return removeTree(draftOf(dir)) }

// removeTree is os.RemoveAll for bpffs, links first so that nothing new starts
// while the rest goes.
func removeTree(dir string) error {
	links := os.RemoveAll(filepath.Join(dir, "links"))
	return errors.Join(links, os.RemoveAll(dir))
}
