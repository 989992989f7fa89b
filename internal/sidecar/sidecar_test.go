package sidecar

import (
	"os"
	"os/exec"
	"testing"
	"time"
)

// Passes that cost more than their share are put off, and never for long.
func TestDebt(t *testing.T) {
	now := time.Now()
	sc := new(Sidecar)
	if d := sc.debt(now); d != 0 {
		t.Fatalf("debt before the first pass: %s", d)
	}
	sc.budget -= passBurst
	if d := sc.debt(now); d != 0 {
		t.Errorf("a burst of %s is free, debt %s", passBurst, d)
	}
	sc.budget -= 10 * time.Millisecond
	if d := sc.debt(now); d != 10*time.Millisecond*passShare {
		t.Errorf("10 ms too much: debt %s", d)
	}
	if d := sc.debt(now.Add(10 * time.Millisecond * passShare)); d != 0 {
		t.Errorf("debt is left after it was waited for: %s", d)
	}
	// A pass that was stopped in its middle, or kept waiting by others.
	sc.budget -= time.Minute
	if d := sc.debt(now.Add(time.Second)); d > passMax {
		t.Errorf("a reader that has to be woken would wait for %s", d)
	}
	// An idle hour saves up no more than a burst.
	sc.debt(now.Add(time.Hour))
	if sc.budget > passBurst {
		t.Errorf("budget %s", sc.budget)
	}
}

func TestUntilDue(t *testing.T) {
	sc := new(Sidecar)
	if d := sc.untilDue(); d < time.Minute {
		t.Errorf("with nothing to do: %s", d)
	}
	sc.passAt = time.Now().Add(time.Second)
	sc.sweepAt = time.Now().Add(-time.Second)
	if d := sc.untilDue(); d != 0 {
		t.Errorf("overdue: %s", d)
	}
	sc.sweepAt = time.Time{}
	if d := sc.untilDue(); d <= 0 || d > time.Second {
		t.Errorf("due in a second: %s", d)
	}
}

// The end of a process is seen, also of one that is no child; and that it
// never was is an error.
func TestWatch(t *testing.T) {
	cmd := exec.Command("/proc/self/exe", "-test.run=^$")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	died, err := watch(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	select {
	case <-died:
	case <-time.After(10 * time.Second):
		t.Error("the end was not seen")
	}
	if _, err := watch(cmd.Process.Pid); err == nil {
		t.Error("a process that is gone can be watched")
	}
	alive, err := watch(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-alive:
		t.Error("this process has not died")
	case <-time.After(20 * time.Millisecond):
	}
}
