package sidecar

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockaccel/sockaccel/internal/state"
)

// The detached sidecar and its supervisor watch each other: whichever dies is
// started again by the other. Only killing both leaves it to the dead man's
// switch. Both are this executable, by these hidden commands.
const (
	SidecarCommand    = "internal-sidecar"
	SupervisorCommand = "internal-supervisor"
)

// stopPatience is how long they may take to end by themselves.
const stopPatience = time.Second

// startTimeout is how long a sidecar may take to come up: a moment, but much
// longer in an emulated machine on a busy host.
const startTimeout = 20 * time.Second

// restartPause keeps a sidecar that cannot start from eating a processor.
const restartPause = 200 * time.Millisecond

// Detach starts a supervisor for the state and waits until the sidecar's heart
// beats. It does nothing when a supervisor and a sidecar run already.
func Detach(ctx context.Context, s *state.State) error {
	return detach(ctx, s, self)
}

// self is not found by name: the file may have been replaced or removed since.
const self = "/proc/self/exe"

func detach(ctx context.Context, s *state.State, executable string) error {
	// One in the foreground needs no supervisor of ours; a detached one brings
	// its supervisor back by itself.
	if s.Held(state.Sidecar) {
		if g, err := s.Gauges(); err == nil && state.Alive(g) {
			return nil
		}
	}
	if !s.Held(state.Supervisor) {
		args := []string{}
		if pid := s.PID(state.Sidecar); pid != 0 {
			args = append(args, "--sidecar", strconv.Itoa(pid))
		}
		cmd, err := spawn(executable, s.Dir, SupervisorCommand, args...)
		if err != nil {
			return err
		}
		go cmd.Wait() // a caller that lives on would keep a zombie
	}
	return waitAlive(ctx, s)
}

func waitAlive(ctx context.Context, s *state.State) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		g, err := s.Gauges()
		if err != nil {
			return err
		}
		if state.Alive(g) && s.Held(state.Sidecar) {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.New("start sidecar: it did not come up: run it in the foreground to see why: sockaccel run -v")
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// spawn starts the executable detached from everything of the caller's.
func spawn(executable, dir, command string, args ...string) (*exec.Cmd, error) {
	cmd := exec.Command(executable, append([]string{"--state-dir", dir, command}, args...)...)
	cmd.Dir = "/"
	cmd.Env = os.Environ()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", command, err)
	}
	return cmd, nil
}

// Supervise keeps a sidecar running until ctx ends, which ends the sidecar as
// well. With pid it takes over one that runs.
func Supervise(ctx context.Context, s *state.State, pid int) error {
	role, err := s.Claim(state.Supervisor)
	if err != nil {
		return err
	}
	defer role.Release()
	for {
		if pid == 0 {
			cmd, err := spawn(self, s.Dir, SidecarCommand, "--supervisor", strconv.Itoa(os.Getpid()))
			if err != nil {
				return err
			}
			pid = cmd.Process.Pid
			go cmd.Wait() // reaps; the end is seen by pidfd, as for a sidecar taken over
		}
		died, err := watch(pid)
		if err != nil {
			pid = 0
			continue
		}
		select {
		case <-ctx.Done():
			_ = syscall.Kill(pid, syscall.SIGTERM)
			<-died
			return nil
		case <-died:
		}
		pid = 0
		if !state.Exists(s.Dir) {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(restartPause):
		}
	}
}

// KeepSupervised starts a new supervisor whenever the one at pid dies, until
// ctx ends.
func KeepSupervised(ctx context.Context, s *state.State, pid int) {
	for {
		if died, err := watch(pid); err == nil {
			select {
			case <-ctx.Done():
				return
			case <-died:
			}
		}
		if ctx.Err() != nil || !state.Exists(s.Dir) {
			return
		}
		cmd, err := spawn(self, s.Dir, SupervisorCommand, "--sidecar", strconv.Itoa(os.Getpid()))
		if err != nil {
			time.Sleep(restartPause)
			continue
		}
		pid = cmd.Process.Pid
		go cmd.Wait()
	}
}

// watch returns a channel that is closed when the process has ended.
func watch(pid int) (<-chan struct{}, error) {
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("watch process %d: %w", pid, err)
	}
	died := make(chan struct{})
	go func() {
		defer close(died)
		defer unix.Close(fd)
		for {
			n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1)
			if n > 0 || (err != nil && !errors.Is(err, unix.EINTR)) {
				return
			}
		}
	}()
	return died, nil
}

// Stop ends supervisor and sidecar and waits for both. The caller holds the
// Lock, so that nobody starts them again.
func Stop(ctx context.Context, s *state.State) error {
	for _, role := range []string{state.Supervisor, state.Sidecar} {
		start := time.Now()
		for s.Held(role) {
			if pid := s.PID(role); pid > 0 && pid != os.Getpid() {
				sig := syscall.SIGTERM
				if time.Since(start) > stopPatience {
					// Stopped or stuck; a supervisor may be waiting for such a sidecar.
					sig = syscall.SIGKILL
				}
				_ = syscall.Kill(pid, sig)
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("stop %s %d: %w", role, s.PID(role), ctx.Err())
			case <-time.After(2 * time.Millisecond):
			}
		}
	}
	return nil
}
