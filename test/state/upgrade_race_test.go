package state_test

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

// Killed at any instant, and not between steps only.
func TestUpgradeKilledAnywhere(t *testing.T) {
	s := newScene(t)
	s.enable(t)
	l := upgradeLoad(t, s)
	kills, rounds := 0, max(testkit.Volume(24), 3)
	for round := range rounds {
		to := next
		if round%2 == 1 {
			to.Variant = "types"
		}
		text, err := json.Marshal(to)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("/proc/self/exe", "--state-dir", s.tool.StateDir, "upgrade")
		cmd.Env = append(os.Environ(), otherEnv+"="+string(text))
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(rand.Int64N(int64(400 * time.Millisecond)))) // a random moment
		_ = cmd.Process.Kill()
		if testkit.ExitCode(cmd.Wait()) == -1 {
			kills++
		}
		s.tool.Status(t)
		l.moving(t)
		switch round % 3 {
		case 0:
			s.tool.MustRun(t, "upgrade")
			s.serves(t, s.version)
		case 1:
			s.mustAsOther(t, next, "upgrade")
			s.serves(t, "next")
		case 2:
			s.tool.Disable(t)
			requireNothing(t, s.tool)
			s.tool.Enable(t, s.cg)
			s.serves(t, s.version)
		}
		l.moving(t)
		awaitRedirecting(t, s.tool)
		if t.Failed() {
			t.Fatalf("round %d", round)
		}
	}
	if kills < rounds/4 {
		t.Errorf("only %d of %d were killed: the others were done", kills, rounds)
	}
	s.tool.Disable(t)
	requireNothing(t, s.tool)
	l.finish(t)
}

// Whatever is called at the same time is done one after the other.
func TestUpgradeConcurrent(t *testing.T) {
	s := newScene(t)
	s.enable(t)
	l := upgradeLoad(t, s)
	for range testkit.Volume(4) {
		var wg sync.WaitGroup
		for _, call := range []func() (string, error){
			func() (string, error) { return s.tool.Run("upgrade") },
			func() (string, error) { return s.asOther(next, "upgrade") },
			func() (string, error) { return s.asOther(other{Version: "third", Variant: "types"}, "upgrade") },
			func() (string, error) {
				return s.tool.Run("enable", "--accept-risk", testkit.AcceptAll, "--cgroup", s.cg.Path)
			},
			func() (string, error) { return s.tool.Run("disable") },
		} {
			wg.Go(func() {
				if out, err := call(); err != nil {
					t.Errorf("%v: %s", err, out)
				}
			})
		}
		wg.Wait()
		s.tool.Enable(t, s.cg)
		s.serves(t, s.version)
		l.moving(t)
		awaitRedirecting(t, s.tool)
	}
	s.tool.Disable(t)
	requireNothing(t, s.tool)
	l.finish(t)
}

// A sidecar in the foreground is left to whoever started it; the next run is of
// the new version, and takes the connections over.
func TestUpgradeForeground(t *testing.T) {
	s := newScene(t)
	first := startRun(t, s)
	running(t, s, first.cmd.Process.Pid)
	s.trust(t)
	cfd, sfd := s.connect(t)
	s.exchange(t, cfd, sfd)
	out := s.mustAsOther(t, next, "upgrade")
	if !strings.Contains(out, "in the foreground") {
		t.Errorf("upgrade says %q", out)
	}
	running(t, s, first.cmd.Process.Pid)
	awaitAccelerated(t, s, cfd, sfd)
	// One that needs other maps cannot leave it running.
	out, err := s.asOther(other{Version: "third", Variant: "types"}, "upgrade")
	if testkit.ExitCode(err) != 1 || !strings.Contains(out, "in the foreground") || !strings.Contains(out, "next goes on serving") {
		t.Errorf("%v: upgrade says %q", err, out)
	}
	running(t, s, first.cmd.Process.Pid)
	awaitAccelerated(t, s, cfd, sfd)

	kill(t, first.cmd.Process.Pid, syscall.SIGTERM)
	if err := first.awaitExit(t); err != nil {
		t.Errorf("run: %v: %s", err, &first.stderr)
	}
	second := startRun(t, s)
	running(t, s, second.cmd.Process.Pid)
	if st := s.tool.Status(t); st.Version != s.version {
		t.Errorf("version %s after run", st.Version)
	}
	awaitAccelerated(t, s, cfd, sfd)
	s.tool.Disable(t)
	if err := second.awaitExit(t); err != nil {
		t.Errorf("run after disable: %v: %s", err, &second.stderr)
	}
}
