// Package apps_test runs other people's servers and clients in a cgroup, each
// exchange by plain TCP and accelerated: what holds without must hold with.
// docs/compatibility.md lists the programs and what is claimed of each.
package apps_test

import (
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

func TestMain(m *testing.M) {
	if main, ok := roles[os.Getenv(roleEnv)]; ok {
		os.Exit(main(os.Args[1:]))
	}
	testkit.Main(m)
}

// roleEnv makes the test binary, executed again, an ordinary Go program.
const roleEnv = "SOCKACCEL_TEST_ROLE"

// roles are these programs.
var roles = map[string]func(args []string) int{
	"http-client":    func([]string) int { return httpClientMain(os.Stdin, os.Stdout) },
	"http-server":    goServerMain,
	"tcp-proxy":      tcpProxyMain,
	"ws-client":      wsClientMain,
	"redis-pipeline": redisPipelineMain,
}

// program is one of the roles, to be started.
func program(role string, args ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Args[0] = "sockaccel-test-" + role
	cmd.Env = append(os.Environ(), roleEnv+"="+role)
	return cmd
}

// requireTool finds a program, or skips the test; where everything is tested
// it has to be there. The name may be a pattern of a path.
func requireTool(tb testing.TB, name string) string {
	tb.Helper()
	testkit.RequireRoot(tb)
	if found, err := filepath.Glob(name); err == nil && len(found) > 0 {
		return found[len(found)-1]
	}
	found, err := exec.LookPath(name)
	if err == nil {
		return found
	}
	if os.Getenv("CI") != "" {
		tb.Fatalf("%s is not installed: scripts/setup apps", name)
	}
	tb.Skipf("%s is not installed: install it with scripts/setup apps", name)
	return ""
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
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, int(dir.Fd())
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
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
