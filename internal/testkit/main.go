package testkit

import (
	"fmt"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// agentEnv marks a process as an agent.
const agentEnv = "SOCKACCEL_TEST_AGENT"

// Main is the body of TestMain. In an agent it serves operations until the
// test closes the control socket; otherwise it runs the tests and fails them
// if they leak file descriptors. It does not return.
func Main(m *testing.M) {
	if os.Getenv(agentEnv) == "1" {
		os.Exit(agentMain())
	}
	startNetpoll()
	before := openFDs()
	code := m.Run()
	for _, f := range atExit {
		f()
	}
	if leaked := leakedFDs(before); len(leaked) > 0 {
		fmt.Fprintf(os.Stderr, "testkit: %d file descriptors leaked:\n", len(leaked))
		for fd, target := range leaked {
			fmt.Fprintf(os.Stderr, "\t%s -> %s\n", fd, target)
		}
		code = max(code, 1)
	}
	os.Exit(code)
}

// atExit runs after all tests.
var atExit []func()

// RequireRoot skips the test when it may not create cgroups, namespaces and
// BPF programs.
func RequireRoot(tb testing.TB) {
	tb.Helper()
	if uid := os.Geteuid(); uid != 0 {
		tb.Skipf("needs root to create cgroups and network namespaces (effective uid is %d)", uid)
	}
}

// startNetpoll makes the Go runtime open the descriptors of its poller, which
// stay open for good and would look like a leak.
func startNetpoll() {
	if r, w, err := os.Pipe(); err == nil {
		r.Close()
		w.Close()
	}
}

// openFDs returns what the descriptors of this process refer to.
func openFDs() map[string]string {
	const dir = "/proc/self/fd"
	fds := make(map[string]string)
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		// The descriptor of the listing itself is closed by now.
		if target, err := os.Readlink(dir + "/" + e.Name()); err == nil {
			fds[e.Name()] = target
		}
	}
	return fds
}

// leakedFDs returns the descriptors that are open now and were not before.
// Background goroutines of the last tests get a moment to close theirs; no
// garbage collection is forced, since finalizers would hide a leak.
func leakedFDs(before map[string]string) map[string]string {
	deadline := time.Now().Add(2 * time.Second)
	for {
		leaked := openFDs()
		for fd, target := range leaked {
			if before[fd] == target {
				delete(leaked, fd)
			}
		}
		if len(leaked) == 0 || time.Now().After(deadline) {
			return leaked
		}
		_, _ = unix.Poll(nil, 20)
	}
}
