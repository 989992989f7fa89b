package state_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

// What enabling, disabling and idling cost is measured and logged; a machine
// that does other things must not make it a failure.
func TestCost(t *testing.T) {
	tool, cg := testkit.NewTool(t), testkit.NewCgroup(t)
	for range 3 {
		start := time.Now()
		tool.Enable(t, cg)
		enabled := time.Since(start)
		start = time.Now()
		tool.Disable(t)
		t.Logf("enable of an idle scope %s, disable %s (goal: under 500 ms each)",
			enabled.Round(time.Millisecond), time.Since(start).Round(time.Millisecond))
	}

	tool.Enable(t, cg)
	st := tool.Status(t)
	pids := []int{st.Sidecar.PID, st.Sidecar.SupervisorPID}
	// The cost of starting is another matter.
	time.Sleep(time.Second)
	const interval = 5 * time.Second
	before := processorTime(t, pids)
	time.Sleep(interval)
	used := processorTime(t, pids) - before
	t.Logf("idle sidecar and supervisor: %.2f %% of a core (goal: under 0.5 %%)", 100*used.Seconds()/interval.Seconds())
	for _, pid := range pids {
		t.Logf("process %d: %s, %s", pid, field(t, pid, "status", "VmRSS"), field(t, pid, "smaps_rollup", "Pss"))
	}
	if used > interval/10 {
		t.Errorf("%s of processor time in %s is not idle, whatever else happens here", used, interval)
	}
}

// processorTime is read from schedstat, in nanoseconds and for every thread:
// the ticks of /proc/PID/stat are too coarse.
func processorTime(tb testing.TB, pids []int) (sum time.Duration) {
	tb.Helper()
	for _, pid := range pids {
		paths, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
		if len(paths) == 0 {
			tb.Fatalf("process %d is gone", pid)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				tb.Fatal(err)
			}
			first, _, _ := strings.Cut(string(text), " ")
			ns, err := strconv.ParseInt(first, 10, 64)
			if err != nil {
				tb.Fatal(err)
			}
			sum += time.Duration(ns)
		}
	}
	return sum
}

func field(tb testing.TB, pid int, file, name string) string {
	tb.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
	if err != nil {
		tb.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return name + " " + strings.TrimSpace(value)
		}
	}
	tb.Fatalf("no %s in /proc/%d/%s", name, pid, file)
	return ""
}
