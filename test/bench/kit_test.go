package bench_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sockaccel/sockaccel/internal/cgroup"
	"github.com/sockaccel/sockaccel/internal/status"
	"github.com/sockaccel/sockaccel/internal/testkit"
)

// toolRun is the tool with a sandbox of its own, running.
type toolRun struct {
	cmd            *exec.Cmd
	stdout, stderr bytes.Buffer
	name           string // of its cgroup and state directory
	cgroup         string
	done           chan error
}

// startTool starts the tool; sandbox is what its sandbox's name begins with.
func startTool(t *testing.T, sandbox string, args ...string) *toolRun {
	t.Helper()
	tool := testkit.NewTool(t)
	root, err := cgroup.FindRoot()
	if err != nil {
		t.Fatal(err)
	}
	d := &toolRun{cmd: exec.Command(tool.Bin, args...), done: make(chan error, 1)}
	d.cmd.Stdout, d.cmd.Stderr = &d.stdout, &d.stderr
	// Of its own, so that a test can signal all of it as a terminal does.
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { d.done <- d.cmd.Wait() }()
	d.name = fmt.Sprintf("%s-%d", sandbox, d.cmd.Process.Pid)
	d.cgroup = filepath.Join(root, d.name)
	return d
}

// wait returns the exit code.
func (d *toolRun) wait(t *testing.T) int {
	t.Helper()
	select {
	case err := <-d.done:
		return testkit.ExitCode(err)
	case <-time.After(10 * time.Minute):
		d.cmd.Process.Kill()
		t.Fatalf("it did not end; it said: %s", &d.stderr)
		return -1
	}
}

// until waits for a state of the run, which has to come while it runs.
func (d *toolRun) until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		select {
		case <-d.done:
			t.Fatalf("it ended before %s: %s", what, &d.stderr)
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

func (d *toolRun) stateDir() string { return filepath.Join("/sys/fs/bpf", d.name) }

// nothingLeft fails the test if anything of the tool is still there.
func (d *toolRun) nothingLeft(t *testing.T) {
	t.Helper()
	// The sidecar has given its role up before it is asked to be gone.
	deadline := time.Now().Add(5 * time.Second)
	for len(processes(d.name)) > 0 && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	if left := d.left(); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// kill signals the run, or all of its process group as a terminal does.
func (d *toolRun) kill(t *testing.T, signal syscall.Signal, group bool) {
	t.Helper()
	pid := d.cmd.Process.Pid
	if group {
		pid = -pid
	}
	if err := syscall.Kill(pid, signal); err != nil {
		t.Fatal(err)
	}
}

// interrupted fails the test unless the run ends with that word, and nothing else.
func (d *toolRun) interrupted(t *testing.T) {
	t.Helper()
	if code := d.wait(t); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	d.nothingLeft(t)
	if d.stdout.Len() > 0 {
		t.Errorf("stdout: %s", &d.stdout)
	}
	if want := "sockaccel: interrupted; nothing is left behind\n"; !strings.HasSuffix(d.stderr.String(), want) {
		t.Errorf("stderr: %s", &d.stderr)
	}
}

// redirecting reports whether messages are.
func (d *toolRun) redirecting() bool {
	st, err := status.Read(d.stateDir(), "")
	return err == nil && st.Messages.Redirected > 0
}

// processes returns those whose command line names the run.
func processes(name string) []string {
	var found []string
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		if text, err := os.ReadFile(file); err == nil && bytes.Contains(text, []byte(name)) {
			found = append(found, strings.ReplaceAll(string(text), "\x00", " "))
		}
	}
	return found
}

// left is all that is there of the run.
func (d *toolRun) left() (found []string) {
	for _, pattern := range []string{d.stateDir() + "*", d.cgroup, filepath.Join(os.TempDir(), d.name)} {
		paths, _ := filepath.Glob(pattern)
		found = append(found, paths...)
	}
	return append(found, processes(d.name)...)
}
