package state_test

import (
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/sockaccel/sockaccel/internal/status"
	"github.com/sockaccel/sockaccel/internal/testkit"
)

// soon is "about a second" on a machine that has other things to do.
const soon = 5 * time.Second

func kill(tb testing.TB, pid int, sig syscall.Signal) {
	tb.Helper()
	if pid <= 1 {
		tb.Fatalf("no process: pid %d", pid)
	}
	if err := syscall.Kill(pid, sig); err != nil {
		tb.Fatal(err)
	}
}

// awaitOther waits until sidecar and supervisor run, and are not these.
func awaitOther(tb testing.TB, tool *testkit.Tool, sidecar, supervisor int) *status.Status {
	tb.Helper()
	return tool.Await(tb, soon, "sidecar and supervisor are back", func(st *status.Status) bool {
		return st.Sidecar.Running && st.Sidecar.PID > 0 && st.Sidecar.PID != sidecar &&
			st.Sidecar.SupervisorPID > 0 && st.Sidecar.SupervisorPID != supervisor
	})
}

// Whichever of the two is killed, the other one brings it back; live
// connections go on being accelerated, and nothing is lost.
func TestKillSidecarUnderLoad(t *testing.T) {
	s := newScene(t)
	s.enable(t)
	l := startLoad(t, s, 2, 2)
	var slowest time.Duration
	for round := range 12 {
		awaitRedirecting(t, s.tool)
		st := s.tool.Await(t, soon, "both run", func(st *status.Status) bool {
			return st.Sidecar.PID > 0 && st.Sidecar.SupervisorPID > 0
		})
		time.Sleep(time.Duration(rand.IntN(200)) * time.Millisecond) // a random moment
		start := time.Now()
		if round%2 == 0 {
			kill(t, st.Sidecar.PID, syscall.SIGKILL)
			awaitOther(t, s.tool, st.Sidecar.PID, 0)
		} else {
			kill(t, st.Sidecar.SupervisorPID, syscall.SIGKILL)
			awaitOther(t, s.tool, 0, st.Sidecar.SupervisorPID)
		}
		slowest = max(slowest, time.Since(start))
		l.moving(t)
	}
	awaitRedirecting(t, s.tool)
	l.finish(t)
	t.Logf("back after %s at most", slowest.Round(time.Millisecond))
	s.tool.Disable(t)
	requireNothing(t, s.tool)
}

// stopSidecar kills sidecar and supervisor at once: neither can help.
func stopSidecar(tb testing.TB, tool *testkit.Tool) {
	tb.Helper()
	st := tool.Await(tb, soon, "both run", func(st *status.Status) bool {
		return st.Sidecar.PID > 0 && st.Sidecar.SupervisorPID > 0
	})
	// Stopped first, so that none sees the other one die.
	for _, sig := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGKILL} {
		kill(tb, st.Sidecar.SupervisorPID, sig)
		kill(tb, st.Sidecar.PID, sig)
	}
	tool.Await(tb, soon, "both are dead", func(st *status.Status) bool {
		return !st.Sidecar.Running && st.Sidecar.SupervisorPID == 0
	})
}

// awaitPlain waits until nothing is redirected any more while traffic goes on.
func awaitPlain(tb testing.TB, tool *testkit.Tool, l *load) {
	tb.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for last := tool.Status(tb).Messages.Redirected; ; {
		for range 5 {
			l.moving(tb)
		}
		now := tool.Status(tb).Messages.Redirected
		if now == last {
			return
		}
		if last = now; time.Now().After(deadline) {
			tb.Fatal("still redirecting without a sidecar")
		}
	}
}

// Without both the dead man's switch returns everything to TCP; enable brings
// it back and takes over the connections that are there.
//
// No stream ends here: where FIONREAD does not count TCP bytes a reader that
// trusts it waits for the next sidecar, which cannot find its socket any more
// once both ends have said FIN (the fionread risk).
func TestDeadMansSwitch(t *testing.T) {
	s := newScene(t)
	s.enable(t)
	l := startLoad(t, s, 4, 0)
	for range 3 {
		awaitRedirecting(t, s.tool)
		stopSidecar(t, s.tool)
		awaitPlain(t, s.tool, l)
		s.tool.Enable(t, s.cg)
		awaitRedirecting(t, s.tool)
	}
	l.finish(t)
	s.tool.Disable(t)
	requireNothing(t, s.tool)
}

// An idle connection outlives the sidecar and is redirected again with the
// next one, without being made anew.
func TestEnableTakesOver(t *testing.T) {
	s := newScene(t)
	s.enable(t)
	cfd, sfd := s.connect(t)
	s.exchange(t, cfd, sfd)
	stopSidecar(t, s.tool)
	s.tool.Enable(t, s.cg)
	before := s.tool.Status(t)
	if before.Connections.Accelerated != 1 {
		t.Errorf("%d connections accelerated, want the one from before", before.Connections.Accelerated)
	}
	s.exchange(t, cfd, sfd)
	if after := s.tool.Status(t); after.Messages.Redirected != before.Messages.Redirected+2 {
		t.Errorf("redirected %d messages, want 2", after.Messages.Redirected-before.Messages.Redirected)
	}
}

// A sidecar that is stopped is as good as dead, and resumes.
func TestStoppedSidecar(t *testing.T) {
	s := newScene(t)
	s.enable(t)
	l := startLoad(t, s, 4, 0)
	awaitRedirecting(t, s.tool)
	pid := s.tool.Status(t).Sidecar.PID
	kill(t, pid, syscall.SIGSTOP)
	resume := func() { _ = syscall.Kill(pid, syscall.SIGCONT) }
	t.Cleanup(resume)
	awaitPlain(t, s.tool, l)
	resume()
	awaitRedirecting(t, s.tool)
	if now := s.tool.Status(t).Sidecar.PID; now != pid {
		t.Errorf("sidecar %d was replaced by %d", pid, now)
	}
	l.finish(t)
}

// Neither does it keep disable or enable from doing their work.
func TestDisableStoppedSidecar(t *testing.T) {
	for _, role := range []string{"sidecar", "supervisor"} {
		t.Run(role, func(t *testing.T) {
			s := newScene(t)
			s.enable(t)
			st := s.tool.Status(t)
			pid := map[string]int{"sidecar": st.Sidecar.PID, "supervisor": st.Sidecar.SupervisorPID}[role]
			kill(t, pid, syscall.SIGSTOP)
			t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGCONT) })
			disabled := testkit.Go(func() (string, error) { return s.tool.Run("disable") })
			if out, err := disabled.Wait(10 * time.Second); err != nil {
				t.Errorf("disable: %v: %s", err, out)
				_ = syscall.Kill(pid, syscall.SIGCONT)
				_, _ = disabled.Wait(10 * time.Second)
			}
			requireNothing(t, s.tool)
		})
	}
}
