package testkit

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// AwaitBlocked waits until a thread of the agent sleeps in a system call whose
// first argument is the descriptor, such as a blocking recv, accept or splice,
// and returns the thread. It replaces a sleep between starting an operation
// with Go and going on. Operations that wait with poll or epoll do not count.
func (a *Agent) AwaitBlocked(fd int, timeout time.Duration) (tid int, err error) {
	deadline := time.Now().Add(timeout)
	for {
		if tid, ok := a.blockedIn(fd); ok {
			return tid, nil
		}
		if time.Now().After(deadline) {
			return 0, fmt.Errorf("agent %s: no thread blocked on descriptor %d: %w", a.Name, fd, os.ErrDeadlineExceeded)
		}
		time.Sleep(time.Millisecond)
	}
}

// Interrupt sends a signal without effect to a thread of the agent, as if an
// application had installed an SA_RESTART handler for it, and returns when the
// thread has taken it. The system call may not have been restarted by then:
// AwaitBlocked tells.
func (a *Agent) Interrupt(tid int) error {
	if err := unix.Tgkill(a.Pid, tid, unix.SIGURG); err != nil {
		return fmt.Errorf("agent %s: tgkill: %w", a.Name, err)
	}
	deadline := time.Now().Add(connectTimeout)
	for {
		pending, err := a.signalPending(tid, unix.SIGURG)
		if err != nil || !pending {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("agent %s: signal still pending: %w", a.Name, os.ErrDeadlineExceeded)
		}
		time.Sleep(time.Millisecond)
	}
}

func (a *Agent) signalPending(tid int, sig unix.Signal) (bool, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/status", a.Pid, tid))
	if err != nil {
		return false, err
	}
	_, mask, _ := strings.Cut(string(status), "\nSigPnd:")
	mask, _, _ = strings.Cut(mask, "\n")
	bits, err := strconv.ParseUint(strings.TrimSpace(mask), 16, 64)
	return bits&(1<<(sig-1)) != 0, err
}

// blockedIn looks for a thread blocked on a descriptor. The kernel shows the
// arguments of a system call only of a thread that sleeps in it.
func (a *Agent) blockedIn(fd int) (tid int, ok bool) {
	calls, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/syscall", a.Pid))
	for _, path := range calls {
		line, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		fields := strings.Fields(string(line)) // number, six arguments, ...
		if len(fields) < 2 || fields[0] == "-1" {
			continue
		}
		arg, err := strconv.ParseUint(strings.TrimPrefix(fields[1], "0x"), 16, 64)
		if err != nil || arg != uint64(fd) {
			continue
		}
		tid, err = strconv.Atoi(filepath.Base(filepath.Dir(path)))
		return tid, err == nil
	}
	return 0, false
}
