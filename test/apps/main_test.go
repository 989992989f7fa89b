// Package apps_test runs real servers and clients inside an accelerated
// cgroup: nginx as Debian configures it, and wrk.
package apps_test

import (
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"testing"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

func TestMain(m *testing.M) {
	if os.Getenv(httpClientEnv) == "1" {
		os.Exit(httpClientMain(os.Stdin, os.Stdout))
	}
	testkit.Main(m)
}

// requireTool skips the test when a program is not installed.
func requireTool(tb testing.TB, path string) string {
	tb.Helper()
	found, err := exec.LookPath(path)
	if err != nil {
		tb.Skipf("%s is not installed (Debian has it): %v", path, err)
	}
	return found
}

// forker starts processes from a thread that lives as long as the test does:
// children are killed when the thread dies that forked them.
var forker = sync.OnceValue(func() chan<- func() {
	work := make(chan func())
	go func() {
		runtime.LockOSThread()
		for fn := range work {
			fn()
		}
	}()
	return work
})

// startIn starts cmd in the cgroup, where its sockets are in scope from the
// first on.
func startIn(cg *testkit.Cgroup, cmd *exec.Cmd) error {
	dir, err := os.Open(cg.Path)
	if err != nil {
		return err
	}
	defer dir.Close()
	cmd.SysProcAttr = &syscall.SysProcAttr{
		UseCgroupFD: true, CgroupFD: int(dir.Fd()), Pdeathsig: syscall.SIGKILL,
	}
	done := make(chan error)
	forker() <- func() { done <- cmd.Start() }
	return <-done
}

// freeAddr is an address on the loopback interface that nobody uses now.
func freeAddr(tb testing.TB) netip.AddrPort {
	tb.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).AddrPort()
}

func closeAll(cs ...io.Closer) {
	for _, c := range cs {
		_ = c.Close()
	}
}
