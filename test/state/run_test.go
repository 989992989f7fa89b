package state_test

import (
	"bytes"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sockaccel/sockaccel/internal/status"
	"github.com/sockaccel/sockaccel/internal/testkit"
)

// foreground is `sockaccel run`.
type foreground struct {
	cmd    *exec.Cmd
	stderr bytes.Buffer
	stdout bytes.Buffer
	exited chan error
}

func startRun(tb testing.TB, s *scene) *foreground {
	tb.Helper()
	f := &foreground{exited: make(chan error, 1)}
	f.cmd = exec.Command(s.tool.Bin, "--state-dir", s.tool.StateDir, "run",
		"--accept-risk", testkit.AcceptAll, "--cgroup", s.cg.Path)
	f.cmd.Stdout, f.cmd.Stderr = &f.stdout, &f.stderr
	if err := f.cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = f.cmd.Process.Kill() })
	go func() { f.exited <- f.cmd.Wait() }()
	return f
}

func (f *foreground) awaitExit(tb testing.TB) error {
	tb.Helper()
	select {
	case err := <-f.exited:
		return err
	case <-time.After(10 * time.Second):
		tb.Fatal("run does not end")
		return nil
	}
}

func running(tb testing.TB, s *scene, pid int) {
	tb.Helper()
	s.tool.Await(tb, stall, "run is ready", func(st *status.Status) bool {
		return st.Enabled && st.Sidecar.Running && st.Sidecar.PID == pid
	})
}

// run is the sidecar: it works, ends on SIGTERM with 0 and leaves the state,
// which the next run or enable takes over, live connections included.
func TestRun(t *testing.T) {
	s := newScene(t)
	first := startRun(t, s)
	running(t, s, first.cmd.Process.Pid)
	s.trust(t)
	cfd, sfd := s.connect(t)
	before := s.tool.Status(t).Messages.Redirected
	s.exchange(t, cfd, sfd)
	if got := s.tool.Status(t).Messages.Redirected - before; got != 2 {
		t.Errorf("redirected %d messages, want 2", got)
	}

	kill(t, first.cmd.Process.Pid, syscall.SIGTERM)
	if err := first.awaitExit(t); err != nil {
		t.Errorf("run: %v: %s", err, &first.stderr)
	}
	if first.stdout.Len() > 0 {
		t.Errorf("run prints on stdout: %s", &first.stdout)
	}
	st := s.tool.Status(t)
	if st.Sidecar.Running || !st.Enabled {
		t.Errorf("after run: enabled %t, sidecar %+v", st.Enabled, st.Sidecar)
	}

	second := startRun(t, s)
	running(t, s, second.cmd.Process.Pid)
	before = s.tool.Status(t).Messages.Redirected
	s.exchange(t, cfd, sfd)
	if got := s.tool.Status(t).Messages.Redirected - before; got != 2 {
		t.Errorf("redirected %d messages after the second start, want 2", got)
	}
	kill(t, second.cmd.Process.Pid, syscall.SIGKILL)
	_ = second.awaitExit(t)
	s.tool.Enable(t, s.cg)
	before = s.tool.Status(t).Messages.Redirected
	s.exchange(t, cfd, sfd)
	if got := s.tool.Status(t).Messages.Redirected - before; got != 2 {
		t.Errorf("redirected %d messages after enable, want 2", got)
	}
}

// Only one sidecar per state directory; the second says so in one line.
func TestRunTwice(t *testing.T) {
	s := newScene(t)
	first := startRun(t, s)
	running(t, s, first.cmd.Process.Pid)
	second := startRun(t, s)
	if code := testkit.ExitCode(second.awaitExit(t)); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	text := strings.TrimSpace(second.stderr.String())
	if strings.Contains(text, "\n") || !strings.Contains(text, "already") || !strings.Contains(text, "disable") {
		t.Errorf("the second run says %q", text)
	}
	running(t, s, first.cmd.Process.Pid)
	// disable ends a foreground sidecar as well.
	s.tool.Disable(t)
	if err := first.awaitExit(t); err != nil {
		t.Errorf("run after disable: %v: %s", err, &first.stderr)
	}
	requireNothing(t, s.tool)
}
