package state_test

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

// runAndKill starts the tool and kills it after a while, if it still runs.
func runAndKill(tb testing.TB, tool *testkit.Tool, after time.Duration, args ...string) (killed bool) {
	tb.Helper()
	cmd := exec.Command(tool.Bin, append([]string{"--state-dir", tool.StateDir}, args...)...)
	cmd.Env = append(os.Environ(), "SOCKACCEL_LOG="+tool.Log)
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	time.Sleep(after)
	_ = cmd.Process.Kill()
	return testkit.ExitCode(cmd.Wait()) == -1
}

// Whatever instant enable or disable is killed at, under load, the next call
// of any kind works, and repairs what there is to repair.
func TestKillTool(t *testing.T) {
	s := newScene(t)
	s.enable(t)
	l := startLoad(t, s, 1, 1)
	kills := 0
	for round := range 40 {
		after := time.Duration(rand.Int64N(int64(150 * time.Millisecond)))
		args := []string{"enable", "--accept-risk", testkit.AcceptAll, "--cgroup", s.cg.Path}
		if round%2 == 0 {
			args = []string{"disable"}
		}
		if runAndKill(t, s.tool, after, args...) {
			kills++
		}
		switch round % 4 {
		case 0, 3:
			s.tool.Status(t)
			s.tool.Enable(t, s.cg)
			awaitRedirecting(t, s.tool)
		case 1:
			s.tool.Disable(t)
			requireNothing(t, s.tool)
			s.tool.Status(t)
		case 2:
			// The next round kills what follows upon the remains.
			s.tool.Status(t)
		}
		if t.Failed() {
			t.Fatalf("round %d: %s killed after %s", round, args[0], after)
		}
		l.moving(t)
	}
	if kills < 10 {
		t.Errorf("only %d of 40 were killed: the others were done", kills)
	}
	s.tool.Disable(t)
	requireNothing(t, s.tool)
	l.finish(t)
}

// Disable cleans up after an enable that was killed before it published
// anything: there is no state to be found then, but a draft and a lock.
func TestDisableRemovesDraft(t *testing.T) {
	s := newScene(t)
	for _, left := range []string{"-new", "-lock"} {
		if err := os.Mkdir(s.tool.StateDir+left, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(s.tool.StateDir+"-new/maps", 0o700); err != nil {
		t.Fatal(err)
	}
	if out := s.tool.MustRun(t, "disable"); out != "not enabled" {
		t.Errorf("disable says %q", out)
	}
	requireNothing(t, s.tool)
}

// Killed while it unpins, disable does not leave half of a state, which nobody
// could open.
func TestKillDisableUnpinning(t *testing.T) {
	s := newScene(t)
	hits, round := 0, 0
	for ; hits < 3 && round < 100; round++ {
		s.tool.Enable(t, s.cg)
		cmd := exec.Command(s.tool.Bin, "--state-dir", s.tool.StateDir, "disable")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// The first pin that goes is the moment.
		for _, err := os.Lstat(s.tool.StateDir + "/progs/sockaccel_stub"); err == nil; {
			_, err = os.Lstat(s.tool.StateDir + "/progs/sockaccel_stub")
		}
		_ = cmd.Process.Kill()
		if testkit.ExitCode(cmd.Wait()) == -1 && len(ours(t, s.tool)) > 0 {
			hits++
		}
		if round%2 == 0 {
			s.tool.Disable(t)
			requireNothing(t, s.tool)
		}
	}
	t.Logf("%d of %d were killed with pins left", hits, round)
	if hits == 0 {
		t.Error("never killed at the right moment")
	}
}
