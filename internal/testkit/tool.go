package testkit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sockaccel/sockaccel/internal/host"
	"github.com/sockaccel/sockaccel/internal/status"
)

// AcceptAll is what tests accept: they choose what their programs do.
const AcceptAll = "splice,fionread,blocking"

// built is the tool, built once per test binary; SOCKACCEL_BIN names one that
// exists (in a virtual machine there is no compiler).
var built = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("SOCKACCEL_BIN"); path != "" {
		return path, nil
	}
	if path, err := exec.LookPath("/bin/sockaccel"); err == nil && os.Getenv("SOCKACCEL_VM") != "" {
		return path, nil
	}
	dir, err := os.MkdirTemp("", "sockaccel-test-bin-")
	if err != nil {
		return "", err
	}
	atExit = append(atExit, func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "sockaccel")
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", path, "github.com/sockaccel/sockaccel/cmd/sockaccel")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build sockaccel: %w: %s", err, out)
	}
	return path, nil
})

var instances atomic.Int64

// Tool is the command-line tool with a state directory of its own.
type Tool struct {
	Bin, StateDir string
	// Log is the file that the detached sidecar writes its log to.
	Log string
}

// NewTool prepares the tool. Whatever the test leaves enabled is disabled, and
// killed if that fails; both are test failures if anything remains.
func NewTool(tb testing.TB) *Tool {
	tb.Helper()
	RequireRoot(tb)
	bin, err := built()
	if err != nil {
		tb.Fatal(err)
	}
	// Whoever comes first would mount it and say so; tests of what is said,
	// and to whom, need it there. The one test of the mounting has its own.
	if _, err := host.EnsureBPFFS("/sys/fs/bpf/sockaccel-test"); err != nil {
		tb.Fatal(err)
	}
	t := &Tool{
		Bin:      bin,
		StateDir: fmt.Sprintf("/sys/fs/bpf/sockaccel-test-%d-%d", os.Getpid(), instances.Add(1)),
		Log:      filepath.Join(tb.TempDir(), "sidecar.log"),
	}
	tb.Cleanup(func() { t.cleanup(tb) })
	return t
}

func (t *Tool) cleanup(tb testing.TB) {
	if tb.Failed() {
		if st, err := t.status(); err == nil {
			text, _ := json.Marshal(st)
			tb.Logf("status at the end: %s", text)
		}
		if text, err := os.ReadFile(t.Log); err == nil {
			tb.Logf("sidecar log:\n%s", tail(text, 4000))
		}
	}
	out, err := t.Run("disable", "--drain-timeout", "3s")
	if err != nil {
		tb.Errorf("disable at the end: %v: %s", err, out)
	}
	for _, left := range []string{"", "-lock", "-new"} {
		if _, err := os.Stat(t.StateDir + left); err == nil {
			tb.Errorf("left behind: %s", t.StateDir+left)
			os.RemoveAll(t.StateDir + left)
		}
	}
}

func tail(text []byte, n int) []byte { return text[max(0, len(text)-n):] }

// Run runs the tool and returns what it printed, both streams; the error has
// the exit code.
func (t *Tool) Run(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, t.Bin, append([]string{"--state-dir", t.StateDir}, args...)...)
	cmd.Env = append(os.Environ(), "SOCKACCEL_LOG="+t.Log)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return strings.TrimSpace(out.String()), err
}

// ExitCode of an error of Run; -1 when the tool did not exit by itself.
func ExitCode(err error) int {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	if err == nil {
		return 0
	}
	return -1
}

// MustRun fails the test when the tool fails.
func (t *Tool) MustRun(tb testing.TB, args ...string) string {
	tb.Helper()
	out, err := t.Run(args...)
	if err != nil {
		tb.Fatalf("sockaccel %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return out
}

// Enable accelerates the cgroup, all risks accepted; more are further flags.
func (t *Tool) Enable(tb testing.TB, cg *Cgroup, more ...string) {
	tb.Helper()
	t.MustRun(tb, append([]string{"enable", "--accept-risk", AcceptAll, "--cgroup", cg.Path}, more...)...)
}

// Disable stops acceleration everywhere.
func (t *Tool) Disable(tb testing.TB) {
	tb.Helper()
	t.MustRun(tb, "disable")
}

// Status reads `status --json`.
func (t *Tool) Status(tb testing.TB) *status.Status {
	tb.Helper()
	st, err := t.status()
	if err != nil {
		tb.Fatal(err)
	}
	return st
}

func (t *Tool) status() (*status.Status, error) {
	out, err := t.Run("status", "--json")
	if err != nil {
		return nil, fmt.Errorf("status: %w: %s", err, out)
	}
	st := new(status.Status)
	if err := json.Unmarshal([]byte(out), st); err != nil {
		return nil, fmt.Errorf("status: %w: %s", err, out)
	}
	return st, nil
}

// Await polls the status until ok is satisfied: for what the sidecar does by
// itself. It fails the test after within.
func (t *Tool) Await(tb testing.TB, within time.Duration, what string, ok func(*status.Status) bool) *status.Status {
	tb.Helper()
	deadline := time.Now().Add(within)
	for {
		st := t.Status(tb)
		if ok(st) {
			return st
		}
		if time.Now().After(deadline) {
			text, _ := json.Marshal(st)
			tb.Fatalf("not within %s: %s: %s", within, what, text)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// Trust makes the readers of a client and of a listener trusted, as a few
// exchanges on plain TCP do: connections made after it are accelerated at
// birth. The agents must be in scope; afterwards no connection is left open.
func (t *Tool) Trust(tb testing.TB, client, server *Agent, listener int) {
	tb.Helper()
	cfd := client.MustDial(tb, Must(server.LocalAddr(listener))(tb), true)
	sfd := Must(server.Accept(listener, true))(tb)
	for range 8 {
		client.MustSend(tb, cfd, []byte("learn"))
		server.MustRecv(tb, sfd, []byte("learn"))
		server.MustSend(tb, sfd, []byte("trust"))
		client.MustRecv(tb, cfd, []byte("trust"))
	}
	client.MustClose(tb, cfd)
	server.MustClose(tb, sfd)
}
