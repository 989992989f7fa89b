package bench_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sockaccel/sockaccel/bench/driver"
	"github.com/sockaccel/sockaccel/bench/record"
	"github.com/sockaccel/sockaccel/bench/report"
	"github.com/sockaccel/sockaccel/bench/scenario"
	"github.com/sockaccel/sockaccel/internal/state"
	"github.com/sockaccel/sockaccel/internal/testkit"
)

// benchRun is `bench run` with a recording.
type benchRun struct {
	*toolRun
	out string
}

func startBench(t *testing.T, args ...string) benchRun {
	t.Helper()
	out := filepath.Join(t.TempDir(), "samples.jsonl")
	args = append([]string{"bench", "run", "--out", out}, args...)
	return benchRun{startTool(t, "sockaccel-bench", args...), out}
}

// reportOf is what `bench report` says, in JSON.
func reportOf(t *testing.T, file string) *report.Report {
	t.Helper()
	d := startTool(t, "none", "bench", "report", "--format", "json", file)
	if code := d.wait(t); code != 0 {
		t.Fatalf("bench report: exit code %d: %s", code, &d.stderr)
	}
	r := new(report.Report)
	if err := json.Unmarshal(d.stdout.Bytes(), r); err != nil {
		t.Fatal(err)
	}
	return r
}

// Every scenario really runs, in all its modes, and really is accelerated.
func TestBench(t *testing.T) {
	d := startBench(t, "--rounds", "2", "--duration", "300ms", "--connections", "4", "--baseline")
	if code := d.wait(t); code != 0 {
		t.Fatalf("exit code %d: %s", code, &d.stderr)
	}
	d.nothingLeft(t)
	r := reportOf(t, d.out)
	seen := map[string]bool{}
	for _, c := range r.Cases {
		seen[c.Scenario] = true
		for _, m := range c.Modes {
			checkMode(t, c, m)
		}
		if !strings.Contains(d.stdout.String(), c.Scenario) {
			t.Errorf("the printed report has no %s", c.ID)
		}
	}
	for i := range scenario.All {
		name := scenario.All[i].Name
		if err := scenario.All[i].Missing(map[string]driver.Program{}); err != nil {
			t.Errorf("%s was not tested: %v", name, err)
		} else if !seen[name] {
			t.Errorf("%s was not run", name)
		}
	}
	if !strings.Contains(d.stderr.String(), "block 2 of 2") || !strings.Contains(d.stderr.String(), "accepted risk splice") {
		t.Errorf("no progress, or no risks: %s", &d.stderr)
	}
}

func checkMode(t *testing.T, c report.Case, m report.Mode) {
	t.Helper()
	name := c.ID + ", " + m.Mode
	// Two rounds are no measurement.
	if m.Difference != nil && m.Difference.Shown {
		t.Errorf("%s: a difference is shown: %+v", name, m.Difference)
	}
	if m.N != 2 || m.Errors != 0 || m.Throughput.Median <= 0 || m.CPUSecondsPerMillion.Median <= 0 {
		t.Errorf("%s: %+v", name, m)
	}
	if c.Unit == record.UnitRequests && (m.Latency == nil || m.Latency.P50 <= 0 || m.Latency.P999 < m.Latency.P50) {
		t.Errorf("%s: latency %+v", name, m.Latency)
	}
	if (m.Mode == record.ModeOn) != (m.RedirectedShare != nil) {
		t.Errorf("%s: share %v", name, m.RedirectedShare)
		return
	}
	if m.Mode != record.ModeOn {
		return
	}
	share := *m.RedirectedShare
	switch {
	case c.Scenario == "remote" && share > 0:
		t.Errorf("%s: %g of the messages were redirected", name, share)
	// A stream goes back to TCP when its reader is the slower end, which may
	// be at once, and a new process is trusted only after it was seen to read.
	case c.Scenario == "stream" && share == 0:
	case c.Scenario == "stream" || strings.HasPrefix(c.Scenario, "http-") || c.Scenario == "redis":
		if share <= 0 || share > 1 {
			t.Errorf("%s: %g of the messages were redirected", name, share)
		}
	case c.Scenario != "remote" && (share < 0.9 || share > 1):
		t.Errorf("%s: %g of the messages were redirected", name, share)
	}
}

// However and whenever it is interrupted, nothing is left behind.
func TestBenchInterrupted(t *testing.T) {
	running := func(program string) func(benchRun) bool {
		return func(d benchRun) bool {
			return slices.ContainsFunc(processes(d.name), func(line string) bool { return strings.Contains(line, program) })
		}
	}
	redirecting := func(d benchRun) bool { return d.redirecting() }
	begun := func(d benchRun) bool { return state.Exists(d.cgroup) }
	for _, x := range []struct {
		name, scenario string
		signal         syscall.Signal
		group          bool // to the process group, as a terminal does
		when           func(benchRun) bool
	}{
		{"at the start", "rr", syscall.SIGINT, true, begun},
		{"nginx", "http-lb", syscall.SIGINT, true, running("nginx")},
		{"redis", "redis", syscall.SIGTERM, false, running("redis-server")},
		{"redirecting", "rr", syscall.SIGHUP, true, redirecting},
		{"wrk redirecting", "http-lb-keepalive", syscall.SIGINT, true, redirecting},
		// Nobody can clean up then but the keeper.
		{"killed", "http-lb", syscall.SIGKILL, false, redirecting},
		{"killed at the start", "rr", syscall.SIGKILL, false, begun},
	} {
		t.Run(x.name, func(t *testing.T) {
			d := startBench(t, "--rounds", "20", x.scenario)
			d.until(t, x.name, func() bool { return x.when(d) })
			d.kill(t, x.signal, x.group)
			if x.signal == syscall.SIGKILL {
				d.wait(t)
				for deadline := time.Now().Add(30 * time.Second); len(d.left()) > 0 && time.Now().Before(deadline); {
					time.Sleep(10 * time.Millisecond)
				}
				d.nothingLeft(t)
				return
			}
			d.interrupted(t)
			// What was measured is kept, but is not a benchmark.
			if x.name != "at the start" || state.Exists(d.out) {
				refused(t, "truncated", "bench", "report", d.out)
			}
		})
	}
}

// refused runs the tool, which has to fail with one line that says what.
func refused(t *testing.T, says string, args ...string) {
	t.Helper()
	d := startTool(t, "sockaccel-bench", args...)
	if code := d.wait(t); code != 1 {
		t.Errorf("%q: exit code %d", args, code)
	}
	d.nothingLeft(t)
	lines := strings.Split(strings.TrimSpace(d.stderr.String()), "\n")
	if last := lines[len(lines)-1]; !strings.HasPrefix(last, "sockaccel: ") || !strings.Contains(last, says) {
		t.Errorf("%q: stderr: %s", args, &d.stderr)
	}
	if d.stdout.Len() > 0 {
		t.Errorf("%q: stdout: %s", args, &d.stdout)
	}
}

// A server that dies is a failure, said in one line, and cleaned up.
func TestBenchServerDies(t *testing.T) {
	d := startBench(t, "--rounds", "20", "http-direct")
	var pids []byte
	d.until(t, "wrk", func() bool {
		pids, _ = os.ReadFile(filepath.Join(d.cgroup, "inside", "cgroup.procs"))
		return bytes.Count(pids, []byte("\n")) == 3 // nginx, its worker, wrk
	})
	for pid := range strings.FieldsSeq(string(pids)) {
		comm, _ := os.ReadFile("/proc/" + pid + "/comm")
		if strings.TrimSpace(string(comm)) == "nginx" {
			var n int
			_, _ = fmt.Sscan(pid, &n)
			_ = syscall.Kill(n, syscall.SIGKILL)
		}
	}
	if code := d.wait(t); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	d.nothingLeft(t)
	lines := strings.Split(strings.TrimSpace(d.stderr.String()), "\n")
	if last := lines[len(lines)-1]; !strings.HasPrefix(last, "sockaccel: ") || strings.Contains(last, "interrupted") {
		t.Errorf("stderr: %s", &d.stderr)
	}
}

func TestBenchPortInUse(t *testing.T) {
	lis, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	port := fmt.Sprint(lis.Addr().(*net.TCPAddr).Port)
	for _, name := range []string{"http-direct", "redis"} {
		out := filepath.Join(t.TempDir(), "out")
		refused(t, port+" is in use", "bench", "run", "--out", out, "--port", port, name)
		refused(t, "--port", "bench", "run", "--out", out+"2", "--port", port, name)
	}
}

func TestBenchWhileOn(t *testing.T) {
	tool, cg := testkit.NewTool(t), testkit.NewCgroup(t)
	tool.Enable(t, cg)
	out := filepath.Join(t.TempDir(), "out")
	refused(t, "acceleration is on", "bench", "run", "--out", out, "--cgroup", cg.Path, "rr")
	tool.Disable(t)
	// And it runs there when it is off.
	d := startBench(t, "--rounds", "2", "--duration", "100ms", "--connections", "1", "--cgroup", cg.Path, "connect")
	if code := d.wait(t); code != 0 {
		t.Errorf("exit code %d: %s", code, &d.stderr)
	}
}

func TestBenchKeepsFiles(t *testing.T) {
	out := filepath.Join(t.TempDir(), "precious")
	if err := os.WriteFile(out, []byte("data"), 0o644); err != nil {
		t.Fatal(err)
	}
	refused(t, "exists already", "bench", "run", "--out", out, "rr")
	refused(t, "not a recording", "bench", "report", out)
	refused(t, "no such file", "bench", "report", out+"2")
	refused(t, "no such file", "bench", "run", "--out", filepath.Join(out+"-dir", "x"), "rr")
	if text, _ := os.ReadFile(out); string(text) != "data" {
		t.Errorf("%s was changed: %q", out, text)
	}
}

func TestBenchUsage(t *testing.T) {
	for _, args := range [][]string{
		{"run", "htpp"}, {"run", "--rounds", "1"}, {"run", "rr", "--rounds", "x"}, {"run", "rr", "--duration", "0s"},
		{"run", "--connections", "0"}, {"run", "--port", "70000"}, {"run", "--cgroup", ""}, {"run", "--nonsense"},
		{"report"}, {"report", "a", "b"}, {"report", "--format", "pdf", "a"}, {"list", "all"}, {"walk"},
	} {
		d := startTool(t, "sockaccel-bench", append([]string{"bench"}, args...)...)
		if code := d.wait(t); code != 2 {
			t.Errorf("%q: exit code %d, want 2", args, code)
		}
		if strings.Count(d.stderr.String(), "\n") != 1 || d.stdout.Len() > 0 {
			t.Errorf("%q: not one line on stderr: %s%s", args, &d.stderr, &d.stdout)
		}
		d.nothingLeft(t)
	}
}

func TestBenchList(t *testing.T) {
	d := startTool(t, "none", "bench", "list")
	if code := d.wait(t); code != 0 || d.stderr.Len() > 0 {
		t.Errorf("exit code %d: %s", code, &d.stderr)
	}
	for i := range scenario.All {
		if !strings.Contains(d.stdout.String(), "\n"+scenario.All[i].Name+" ") {
			t.Errorf("%s is not listed:\n%s", scenario.All[i].Name, &d.stdout)
		}
	}
}

// A program that is missing is a scenario less, said with what to do.
func TestBenchMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	d := startTool(t, "none", "bench", "list", "--json")
	if code := d.wait(t); code != 0 {
		t.Fatalf("exit code %d: %s", code, &d.stderr)
	}
	var rows []struct{ Name, Missing string }
	if err := json.Unmarshal(d.stdout.Bytes(), &rows); err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if needs := strings.HasPrefix(r.Name, "http"); needs && !strings.Contains(r.Missing, "apt-get install") {
			t.Errorf("%s: missing: %q", r.Name, r.Missing)
		}
	}
	refused(t, "nothing to run", "bench", "run", "--out", filepath.Join(t.TempDir(), "out"), "http-lb")
}
