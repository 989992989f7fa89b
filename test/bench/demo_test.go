package bench_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/sockaccel/sockaccel/bench/demo"
	"github.com/sockaccel/sockaccel/internal/state"
	"github.com/sockaccel/sockaccel/internal/status"
)

func startDemo(t *testing.T, args ...string) *toolRun {
	t.Helper()
	return startTool(t, "sockaccel-demo", append([]string{"demo"}, args...)...)
}

func TestDemo(t *testing.T) {
	d := startDemo(t, "--json", "--rounds", "1", "--duration", "300ms")
	if code := d.wait(t); code != 0 {
		t.Fatalf("exit code %d: %s", code, &d.stderr)
	}
	d.nothingLeft(t)
	var report demo.Report
	if err := json.Unmarshal(d.stdout.Bytes(), &report); err != nil {
		t.Fatalf("%v: %s", err, &d.stdout)
	}
	if len(report.Workloads) != 2 {
		t.Fatalf("%d workloads: %s", len(report.Workloads), &d.stdout)
	}
	for _, w := range report.Workloads {
		// Failed connections and wrong content are errors of the run. More
		// than one means that something else was counted.
		if w.RedirectedShare < demo.WantRedirected || w.RedirectedShare > 1 {
			t.Errorf("%s: share of redirected messages is %g", w.Name, w.RedirectedShare)
		}
		if w.MessagesSent == 0 || w.Ratio <= 0 || w.Before.P99 < w.Before.P50 || w.After.P50 <= 0 {
			t.Errorf("%s: nothing measured: %+v", w.Name, w)
		}
	}
	for _, risk := range report.AcceptedRisks {
		if !strings.Contains(d.stderr.String(), "accepted risk "+risk) {
			t.Errorf("risk %s was accepted without a word", risk)
		}
	}
}

func TestDemoText(t *testing.T) {
	d := startDemo(t, "--rounds", "1", "--duration", "300ms")
	if code := d.wait(t); code != 0 {
		t.Fatalf("exit code %d: %s", code, &d.stderr)
	}
	d.nothingLeft(t)
	lines := strings.Split(strings.TrimSpace(d.stdout.String()), "\n")
	if len(lines) != 5 || !strings.HasPrefix(lines[4], "status counted: ") {
		t.Errorf("not a table and a line:\n%s", &d.stdout)
	}
	for _, line := range lines {
		if len(line) >= 100 {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
	if !strings.Contains(d.stderr.String(), "block 1 of 1\n") {
		t.Errorf("no progress: %s", &d.stderr)
	}
}

// However and whenever it is interrupted, nothing is left behind.
func TestDemoInterrupted(t *testing.T) {
	enabled := func(d *toolRun) bool {
		st, err := status.Read(d.stateDir(), "")
		return err == nil && st.Enabled
	}
	for _, x := range []struct {
		name   string
		signal syscall.Signal
		group  bool // to the process group, as a terminal does
		when   func(*toolRun) bool
	}{
		{"at the start", syscall.SIGINT, true, func(d *toolRun) bool { return state.Exists(d.cgroup) }},
		{"while enabling", syscall.SIGINT, true, func(d *toolRun) bool {
			return state.Exists(d.stateDir()+"-new") || state.Exists(d.stateDir())
		}},
		{"enabled", syscall.SIGTERM, false, enabled},
		{"redirecting", syscall.SIGINT, true, (*toolRun).redirecting},
		{"hangup", syscall.SIGHUP, true, (*toolRun).redirecting},
	} {
		t.Run(x.name, func(t *testing.T) {
			d := startDemo(t, "--rounds", "20")
			d.until(t, x.name, func() bool { return x.when(d) })
			d.kill(t, x.signal, x.group)
			d.interrupted(t)
		})
	}
}

// A load process that dies is a failure, said in one line, and cleaned up.
func TestDemoLoadDies(t *testing.T) {
	d := startDemo(t, "--rounds", "20")
	var pids []byte
	d.until(t, "two processes", func() bool {
		pids, _ = os.ReadFile(filepath.Join(d.cgroup, "inside", "cgroup.procs"))
		st, err := status.Read(d.stateDir(), "")
		return bytes.Count(pids, []byte("\n")) == 2 && err == nil && st.Messages.Redirected > 0
	})
	var server int
	if _, err := fmt.Sscan(string(pids), &server); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(server, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if code := d.wait(t); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	d.nothingLeft(t)
	lines := strings.Split(strings.TrimSpace(d.stderr.String()), "\n")
	if last := lines[len(lines)-1]; !strings.HasPrefix(last, "sockaccel: ") || strings.Contains(last, "interrupted") {
		t.Errorf("stderr: %s", &d.stderr)
	}
	if d.stdout.Len() > 0 {
		t.Errorf("stdout: %s", &d.stdout)
	}
}

func TestDemoUsage(t *testing.T) {
	for _, args := range [][]string{
		{"--rounds", "0"}, {"--rounds", "101"}, {"--rounds", "x"},
		{"--duration", "99ms"}, {"--duration", "61s"}, {"--duration", "1"}, {"more"},
	} {
		d := startDemo(t, args...)
		if code := d.wait(t); code != 2 {
			t.Errorf("%q: exit code %d, want 2", args, code)
		}
		if strings.Count(d.stderr.String(), "\n") != 1 || d.stdout.Len() > 0 {
			t.Errorf("%q: not one line on stderr: %s%s", args, &d.stderr, &d.stdout)
		}
		d.nothingLeft(t)
	}
}
