package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// result is what a run of the tool gave.
type result struct {
	code           int
	stdout, stderr string
}

// inProcess runs the command line within the test: for what needs no rights.
func inProcess(args ...string) result {
	var stdout, stderr bytes.Buffer
	code := sockaccel(context.Background(), env{
		args: append([]string{"sockaccel"}, args...), stdout: &stdout, stderr: &stderr,
		getenv: func(string) string { return "" },
	})
	return result{code, stdout.String(), stderr.String()}
}

// run runs the built tool with the state directory of tool.
func run(tb testing.TB, tool *testkit.Tool, args ...string) result {
	tb.Helper()
	return execute(tb, exec.Command(tool.Bin, append([]string{"--state-dir", tool.StateDir}, args...)...))
}

func execute(tb testing.TB, cmd *exec.Cmd) result {
	tb.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil && testkit.ExitCode(err) < 0 {
		tb.Fatalf("%s: %v: %s", cmd, err, &stderr)
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// refused checks the manners of an error: the code, one line on stderr that
// has all of these words, nothing on stdout.
func (r result) refused(tb testing.TB, code int, words ...string) {
	tb.Helper()
	if r.code != code {
		tb.Errorf("exit code %d, want %d", r.code, code)
	}
	if r.stdout != "" {
		tb.Errorf("on stdout: %q", r.stdout)
	}
	line, rest, ended := strings.Cut(r.stderr, "\n")
	if !strings.HasPrefix(line, "sockaccel: ") || rest != "" || !ended {
		tb.Errorf("on stderr is not exactly one line: %q", r.stderr)
	}
	for _, word := range words {
		if !strings.Contains(line, word) {
			tb.Errorf("%q does not say %q", line, word)
		}
	}
}

// unchanged checks that a refused command left nothing.
func unchanged(tb testing.TB, tool *testkit.Tool) {
	tb.Helper()
	left, err := filepath.Glob(tool.StateDir + "*")
	if err != nil {
		tb.Fatal(err)
	}
	// The number of another test's directory may begin with this one's.
	for _, path := range left {
		if path == tool.StateDir || strings.HasPrefix(path, tool.StateDir+"-") {
			tb.Errorf("left behind: %s", path)
		}
	}
	// One that has given up its role may need a moment to exit.
	deadline := time.Now().Add(2 * time.Second)
	for {
		running := processes(tool.StateDir)
		if len(running) == 0 {
			return
		}
		if time.Now().After(deadline) {
			tb.Errorf("still running: %q", running)
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func processes(dir string) (found []string) {
	cmdlines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range cmdlines {
		if text, err := os.ReadFile(path); err == nil && bytes.Contains(text, []byte("\x00"+dir+"\x00")) {
			found = append(found, string(text))
		}
	}
	return found
}

// onThread calls fn in a thread of its own, which ends with it: what fn does
// to its namespaces and capabilities concerns only what it starts.
func onThread(fn func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		fn()
	}()
	<-done
}

// withMounts calls fn in a mount namespace of its own after setting it up.
func withMounts(tb testing.TB, fn func()) {
	tb.Helper()
	onThread(func() {
		if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
			tb.Errorf("unshare: %v", err)
			return
		}
		// Or else what is unmounted here would be unmounted everywhere.
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			tb.Errorf("make mounts private: %v", err)
			return
		}
		fn()
	})
}

// asNobody makes a command run without any right.
func asNobody(cmd *exec.Cmd) *exec.Cmd {
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	return cmd
}
