package state

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// programOf names the program that a pin in links/ has attached: the part of
// its name before "-" is that of the program.
func programOf(pin string) string {
	name, _, _ := strings.Cut(pin, "-")
	return "sockaccel_" + name
}

// relink gives every link the program of its name in to. One that only from has
// stays as it is.
func (w *Swap) relink(to, from programs) error {
	return w.eachLink(func(name string) error {
		program := programOf(name)
		if to[program] != nil {
			return w.replaceLink(name, to[program])
		}
		if from[program] == nil {
			return fmt.Errorf("no program is called %s", program)
		}
		return nil
	})
}

// dropLinks removes what only the old version had.
func (w *Swap) dropLinks() error {
	return w.eachLink(func(name string) error {
		if program := programOf(name); w.new[program] == nil && w.old[program] != nil {
			return removeLink(w.state.path("links", name))
		}
		return nil
	})
}

func (w *Swap) eachLink(do func(name string) error) error {
	entries, err := os.ReadDir(w.state.path("links"))
	if err != nil {
		return w.state.damaged(err)
	}
	for _, e := range entries {
		if err := do(e.Name()); err != nil {
			return fmt.Errorf("replace the program of link %s: %w", e.Name(), err)
		}
	}
	return nil
}

func (w *Swap) replaceLink(name string, program *ebpf.Program) error {
	path := w.state.path("links", name)
	l, err := link.LoadPinnedLink(path, nil)
	if err != nil {
		return err
	}
	defer l.Close()
	err = l.Update(program)
	if errors.Is(err, unix.ENOLINK) {
		return nil // its cgroup is gone, and the sidecar forgets it
	}
	if !errors.Is(err, link.ErrNotSupported) {
		return err
	}
	// No other program can be given to a tracing link. The new one is attached
	// first: evidence may count twice, the guard and the correction of FIONREAD
	// say the same twice, and what neither sees would be lost.
	l, err = link.AttachTracing(link.TracingOptions{Program: program})
	if err != nil {
		return err
	}
	beside := filepath.Join(draftOf(w.state.Dir), name)
	if err := errors.Join(pinLink(l, beside), l.Close()); err != nil {
		return err
	}
	return os.Rename(beside, path)
}
