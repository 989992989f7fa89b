package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/sockaccel/sockaccel/internal/cgroup"
)

// cgroupHooks are attached to every scope; the key names the pin. The
// setsockopt hook comes first: a socket that it should have seen must not be
// paired without it.
func (s *State) cgroupHooks() []struct {
	name   string
	attach ebpf.AttachType
	prog   *ebpf.Program
} {
	return []struct {
		name   string
		attach ebpf.AttachType
		prog   *ebpf.Program
	}{
		{"setsockopt", ebpf.AttachCGroupSetsockopt, s.Progs.SockaccelSetsockopt},
		{"sockops", ebpf.AttachCGroupSockOps, s.Progs.SockaccelSockops},
	}
}

func (s *State) linkPath(hook string, id uint64) string {
	return s.path("links", fmt.Sprintf("%s-%d", hook, id))
}

// Attached reports whether all hooks of the scope are attached.
func (s *State) Attached(cg cgroup.Cgroup) bool {
	for _, hook := range s.cgroupHooks() {
		if !Exists(s.linkPath(hook.name, cg.ID)) {
			return false
		}
	}
	return true
}

// AttachScope puts the cgroup in scope. What is attached already stays.
func (s *State) AttachScope(cg cgroup.Cgroup) error {
	if err := s.Maps.Scopes.Put(cg.ID, cg.ID); err != nil {
		return fmt.Errorf("add scope %s: %w", cg.Name, err)
	}
	for _, hook := range s.cgroupHooks() {
		path := s.linkPath(hook.name, cg.ID)
		if Exists(path) {
			continue
		}
		l, err := link.AttachCgroup(link.CgroupOptions{Path: cg.Path, Attach: hook.attach, Program: hook.prog})
		if err != nil {
			return fmt.Errorf("attach to cgroup %s: %w", cg.Name, err)
		}
		// Without a link (a legacy attach) there is nothing to pin: fatal.
		if err := errors.Join(pinLink(l, path), l.Close()); err != nil {
			return fmt.Errorf("attach to cgroup %s: %w", cg.Name, err)
		}
	}
	return nil
}

// DetachScope takes the cgroup out of scope; its connections are the sidecar's
// to bring back to TCP. The cgroup may be gone.
func (s *State) DetachScope(id uint64) error {
	var errs []error
	for _, hook := range s.cgroupHooks() {
		errs = append(errs, removeLink(s.linkPath(hook.name, id)))
	}
	if err := s.Maps.Scopes.Delete(id); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		errs = append(errs, fmt.Errorf("remove scope: %w", err))
	}
	return errors.Join(errs...)
}

// tracingHooks are host-wide; the name is that of the pin. The guard comes after
// what tells it who splices.
func (s *State) tracingHooks() []struct {
	name string
	prog *ebpf.Program // nil where it is optional
} {
	return []struct {
		name string
		prog *ebpf.Program
	}{
		{"fionread", s.Progs.SockaccelFionread},
		{"splice_begin", s.Progs.SockaccelSpliceBegin},
		{"splice_end", s.Progs.SockaccelSpliceEnd},
		{"guard", s.Progs.SockaccelGuard},
		{evidence, s.Progs.SockaccelEvidence},
	}
}

// evidence is the one tracing hook that does not protect what is queued.
const evidence = "evidence"

// AttachTracing starts watching, and guarding, how programs in scope read. What
// is attached already stays.
func (s *State) AttachTracing() error {
	for _, hook := range s.tracingHooks() {
		path := s.path("links", hook.name)
		if hook.prog == nil || Exists(path) {
			continue
		}
		l, err := link.AttachTracing(link.TracingOptions{Program: hook.prog})
		if err != nil {
			return fmt.Errorf("attach %s: %w", hook.name, err)
		}
		if err := errors.Join(pinLink(l, path), l.Close()); err != nil {
			return fmt.Errorf("attach %s: %w", hook.name, err)
		}
	}
	return nil
}

// DetachAll removes every link but those that protect what is queued: nothing new
// starts after it. Remove removes the rest.
func (s *State) DetachAll() error {
	entries, err := os.ReadDir(s.path("links"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("detach: %w", err)
	}
	stays := make(map[string]bool)
	for _, hook := range s.tracingHooks() {
		stays[hook.name] = hook.name != evidence
	}
	var errs []error
	for _, e := range entries {
		if !stays[e.Name()] {
			errs = append(errs, removeLink(s.path("links", e.Name())))
		}
	}
	return errors.Join(errs...)
}

func pinLink(l link.Link, path string) error {
	if err := l.Pin(path); err != nil {
		return err
	}
	return os.Chmod(path, 0o640)
}

// removeLink detaches before it unpins where the kernel can (cgroup links), so
// that no event is seen after it; an unpinned link goes asynchronously.
func removeLink(path string) error {
	l, err := link.LoadPinnedLink(path, nil)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return fmt.Errorf("detach: %w", err)
	}
	defer l.Close()
	if d, ok := l.(interface{ Detach() error }); ok {
		// Refused where the cgroup is gone, which is as good.
		_ = d.Detach()
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("detach: %w", err)
	}
	return nil
}
