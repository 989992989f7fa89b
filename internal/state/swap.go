package state

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// Swap gives an enabled state other programs over the maps that it has, under
// live connections. Any mixture of both sets works, because they agree on the
// maps: so each step can be the last, be undone, or be made again.
type Swap struct {
	state    *State
	build    *build
	fresh    *objects
	old, new programs
	swapped  []string // subdirectories that are exchanged
}

type programs map[string]*ebpf.Program

// Differs tells whether programs and maps of cfg are others than the pinned
// ones.
func (s *State) Differs(cfg Config) (bool, error) {
	meta, err := s.Meta()
	if err != nil {
		return false, err
	}
	b, err := newBuild(cfg)
	if err != nil {
		return false, err
	}
	return !maps.Equal(b.layout, meta.Layout) || !maps.Equal(b.programs, meta.Programs), nil
}

// OtherLayout is the error of programs that cannot use the maps of another
// version.
type OtherLayout struct{ Why string }

func (e *OtherLayout) Error() string { return e.Why }

// Prepare loads the programs of cfg over the maps of the state and pins them
// beside it: nothing that runs is changed. OtherLayout when they need other maps.
// The caller holds the Lock, and closes the Swap.
func (s *State) Prepare(cfg Config) (_ *Swap, err error) {
	meta, err := s.Meta()
	if err != nil {
		return nil, err
	}
	b, err := newBuild(cfg)
	if err != nil {
		return nil, err
	}
	if other := otherMaps(meta.Layout, b.layout); len(other) > 0 {
		return nil, &OtherLayout{"other data in " + strings.Join(other, ", ")}
	}
	w := &Swap{state: s, build: b}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Close())
		}
	}()
	shared := map[string]*ebpf.Map{}
	for name, m := range mapFields(&s.Maps) {
		if *m != nil && b.spec.Maps[name] != nil {
			shared[name] = *m
		}
	}
	if w.fresh, err = b.load(shared); err != nil {
		return nil, err
	}
	w.new = programs{}
	for name, p := range programFields(&w.fresh.AccelPrograms) {
		if *p != nil { // optional
			w.new[name] = *p
		}
	}
	if w.old, err = s.pinnedPrograms(); err != nil {
		return nil, err
	}
	if err := Clean(s.Dir); err != nil {
		return nil, err
	}
	if err := mkdir(draftOf(s.Dir)); err != nil {
		return nil, err
	}
	return w, pinObjects(draftOf(s.Dir), &w.fresh.Maps, &w.fresh.AccelPrograms)
}

// otherMaps names the maps that are there and mean something else. Maps that
// one of the two does not have are no obstacle.
func otherMaps(pinned, wanted map[string]string) (other []string) {
	if len(pinned) == 0 {
		return []string{"maps of unknown layout"}
	}
	for name, fingerprint := range wanted {
		if was, ok := pinned[name]; ok && was != fingerprint {
			other = append(other, name)
		}
	}
	slices.Sort(other)
	return other
}

// pinnedPrograms opens what is pinned, known to this version or not.
func (s *State) pinnedPrograms() (_ programs, err error) {
	entries, err := os.ReadDir(s.path(progsDir))
	if err != nil {
		return nil, s.damaged(err)
	}
	found := programs{}
	for _, e := range entries {
		if found[e.Name()], err = ebpf.LoadPinnedProgram(s.path(progsDir, e.Name()), nil); err != nil {
			return nil, errors.Join(s.damaged(err), found.close())
		}
	}
	return found, nil
}

func (p programs) close() (err error) {
	for _, program := range p {
		err = errors.Join(err, program.Close())
	}
	return err
}

// Verdict makes live sockets use the new verdict.
func (w *Swap) Verdict() error { return install(w.state.Maps.Verdicts, w.new[verdictProgram]) }

// OldVerdict undoes Verdict.
func (w *Swap) OldVerdict() error { return install(w.state.Maps.Verdicts, w.old[verdictProgram]) }

// Stub is for sockets that enter from now on; others keep theirs for ever.
func (w *Swap) Stub() error { return attachStub(w.state.Maps.Socks, w.new[stubProgram]) }

// OldStub undoes Stub.
func (w *Swap) OldStub() error { return attachStub(w.state.Maps.Socks, w.old[stubProgram]) }

const (
	verdictProgram = "sockaccel_verdict"
	stubProgram    = "sockaccel_stub"
)

// Links makes every hook run the new programs. What only the old version has
// stays until Finish.
func (w *Swap) Links() error { return w.relink(w.new, w.old) }

// OldLinks undoes Links.
func (w *Swap) OldLinks() error { return w.relink(w.old, w.new) }

// Pins makes the new programs those that a process finds which opens the state.
func (w *Swap) Pins() error {
	for _, sub := range []string{mapsDir, progsDir} {
		if err := w.exchange(sub); err != nil {
			return err
		}
		w.swapped = append(w.swapped, sub)
	}
	return nil
}

// OldPins undoes Pins.
func (w *Swap) OldPins() error {
	for ; len(w.swapped) > 0; w.swapped = w.swapped[:len(w.swapped)-1] {
		if err := w.exchange(w.swapped[len(w.swapped)-1]); err != nil {
			return err
		}
	}
	return nil
}

func (w *Swap) exchange(sub string) error {
	return exchange(w.state.path(sub), filepath.Join(draftOf(w.state.Dir), sub))
}

// exchange swaps two names on one bpffs at once.
func exchange(a, b string) error {
	if err := unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE); err != nil {
		return fmt.Errorf("publish state: exchange %s and %s: %w", a, b, err)
	}
	return nil
}

// Commit makes the new version that of the state, by one system call. change
// may add to it.
func (w *Swap) Commit(change func(*Meta)) error {
	return w.state.Update(func(m *Meta) {
		m.Layout, m.Programs, m.Upgrading = w.build.layout, w.build.programs, ""
		change(m)
	})
}

// Finish is for after Commit: it makes the state use the new programs in this
// process as well, and detaches those that the new version has no use for.
func (w *Swap) Finish() error {
	w.state.Maps, w.fresh.Maps = w.fresh.Maps, w.state.Maps
	w.state.Progs, w.fresh.AccelPrograms = w.fresh.AccelPrograms, w.state.Progs
	return w.dropLinks()
}

// Close removes what was pinned beside the state.
func (w *Swap) Close() error {
	errs := []error{Clean(w.state.Dir), w.old.close()}
	if w.fresh != nil {
		errs = append(errs, closeObjects(&w.fresh.Maps, &w.fresh.AccelPrograms))
	}
	return errors.Join(errs...)
}
