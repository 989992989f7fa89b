// Package adopt runs the iterator programs: passes over the TCP sockets of
// every network namespace with processes in scope. What a pass does to a
// socket is in bpf/src/adopt.c.
package adopt

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/sockaccel/sockaccel/bpf"
	"github.com/sockaccel/sockaccel/internal/cgroup"
	"github.com/sockaccel/sockaccel/internal/state"
)

// Walker owns a thread that moves between network namespaces: iter/tcp visits
// the namespace of the thread that opens it.
type Walker struct {
	state  *state.State
	visits *link.Iter
	owners *link.Iter
	jobs   chan func()
}

// New prepares passes over the sockets in scope of s. Close it.
func New(s *state.State) (*Walker, error) {
	visits, err := link.AttachIter(link.IterOptions{Program: s.Progs.SockaccelVisit})
	if err != nil {
		return nil, fmt.Errorf("iterate over TCP sockets: %w", err)
	}
	owners, err := link.AttachIter(link.IterOptions{Program: s.Progs.SockaccelOwners})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("iterate over files: %w", err), visits.Close())
	}
	w := &Walker{state: s, visits: visits, owners: owners, jobs: make(chan func())}
	go func() {
		// Never unlocked: the thread ends with the goroutine, whatever
		// namespace it is in.
		runtime.LockOSThread()
		for job := range w.jobs {
			job()
		}
	}()
	return w, nil
}

// Close ends the thread and releases the iterators.
func (w *Walker) Close() error {
	close(w.jobs)
	return errors.Join(w.visits.Close(), w.owners.Close())
}

// Pass visits every socket once. It returns what the programs met and the
// processor time that it took; an error that concerns one namespace does not
// keep the others from being visited.
func (w *Walker) Pass(scopes []cgroup.Cgroup) (result bpf.AccelPassArgs, cost time.Duration, err error) {
	w.do(func() {
		start := threadTime()
		result, err = w.pass(scopes)
		cost = threadTime() - start
	})
	return result, cost, err
}

func threadTime() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_THREAD, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func (w *Walker) do(job func()) {
	done := make(chan struct{})
	w.jobs <- func() { job(); close(done) }
	<-done
}

func (w *Walker) pass(scopes []cgroup.Cgroup) (bpf.AccelPassArgs, error) {
	var paths []string
	for _, scope := range scopes {
		if scope.Exists() {
			paths = append(paths, scope.Path)
		}
	}
	namespaces, err := cgroup.NetNamespaces(paths)
	if errors.Is(err, cgroup.ErrDenied) {
		err = nil // some processes hide theirs, even from root; others tell
	}
	errs := []error{err, w.state.BeginPass()}
	for inode, pid := range namespaces {
		errs = append(errs, w.visit(inode, pid))
	}
	result, err := w.state.EndPass()
	return result, errors.Join(append(errs, err)...)
}

func (w *Walker) visit(inode uint64, pid int) error {
	ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		return nil // the process has gone; so has, most likely, its namespace
	}
	defer ns.Close()
	var st unix.Stat_t
	if unix.Fstat(int(ns.Fd()), &st) != nil || st.Ino != inode {
		return nil // another process by now
	}
	if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter network namespace %d: %w", inode, err)
	}
	return exhaust(w.visits)
}

// FindOwners tells, for sockets that were there before us, whose they are, and
// what processor time that took.
func (w *Walker) FindOwners() (cost time.Duration, err error) {
	w.do(func() {
		start := threadTime()
		err = exhaust(w.owners)
		cost = threadTime() - start
	})
	return cost, err
}

func exhaust(it *link.Iter) error {
	r, err := it.Open()
	if err != nil {
		return fmt.Errorf("open iterator: %w", err)
	}
	_, err = io.Copy(io.Discard, r)
	return errors.Join(err, r.Close())
}
