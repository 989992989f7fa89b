package core_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sockaccel/sockaccel/internal/cgroup"
	"github.com/sockaccel/sockaccel/internal/probe"
	"github.com/sockaccel/sockaccel/internal/state"
	"github.com/sockaccel/sockaccel/internal/status"
	"github.com/sockaccel/sockaccel/internal/testkit"
)

// Servers in Go listen with Multipath TCP by themselves. This is one.

const mptcpEnv = "SOCKACCEL_TEST_MPTCP"

func init() {
	if os.Getenv(mptcpEnv) == "1" {
		if err := mptcpEcho(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
}

// mptcpEcho prints its address, and echoes until its standard input ends.
func mptcpEcho() error {
	var config net.ListenConfig
	config.SetMultipathTCP(true)
	lis, err := config.Listen(context.Background(), "tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(lis.Addr())
	go func() {
		for {
			conn, err := lis.Accept()
			if err != nil {
				return
			}
			go echo(conn)
		}
	}()
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func echo(conn net.Conn) {
	defer conn.Close()
	buf := make([]byte, 4096)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return
		}
		if _, err := conn.Write(buf[:n]); err != nil {
			return
		}
	}
}

// requireMPTCP skips where the kernel has none.
func requireMPTCP(tb testing.TB) {
	tb.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_MPTCP)
	if err != nil {
		tb.Skipf("this kernel has no Multipath TCP: %v", err)
	}
	unix.Close(fd)
}

// startMPTCPEcho starts the server in the cgroup.
func startMPTCPEcho(tb testing.TB, cg *testkit.Cgroup) netip.AddrPort {
	tb.Helper()
	dir, err := os.Open(cg.Path)
	if err != nil {
		tb.Fatal(err)
	}
	defer dir.Close()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), mptcpEnv+"=1")
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(dir.Fd())}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		stdin.Close()
		if err := cmd.Wait(); err != nil {
			tb.Errorf("MPTCP server: %v", err)
		}
	})
	text, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		tb.Fatal(err)
	}
	return netip.MustParseAddrPort(strings.TrimSpace(text))
}

// A plain client of a Multipath TCP listener gets a plain TCP connection,
// which is accelerated like any other.
func TestPairMPTCPListener(t *testing.T) {
	requireMPTCP(t)
	onAndOff(t, func(t *testing.T, s *stage) {
		server := startMPTCPEcho(t, s.cg)
		client := s.agent(t, "client", nil)
		// The first is adopted, once its readers are trusted.
		fd := client.MustDial(t, server, true)
		echoed(t, client, fd, 8)
		if s.on {
			s.tool.Await(t, connectWait, "adopted", func(st *status.Status) bool {
				return st.Connections.Accelerated == 1
			})
		}
		s.expect(t, tally{redirected: 2 * pairingRounds}, func() { echoed(t, client, fd, pairingRounds) })
		// And the next from birth.
		s.expect(t, tally{redirected: 2 * pairingRounds, paired: 1}, func() {
			echoed(t, client, client.MustDial(t, server, true), pairingRounds)
		})
	})
}

// On a kernel without the fixes (forced here, where the probe finds them) no
// child of a Multipath TCP listener enters, and its clients are served by TCP.
func TestPairMPTCPChildrenRefused(t *testing.T) {
	requireMPTCP(t)
	testkit.RequireRoot(t)
	found := testkit.Must(probe.Run())(t)
	if !found.MPTCPChildren {
		t.Error("this kernel is found to lack the fixes: are they that old?")
	}
	s := &stage{tool: testkit.NewTool(t), cg: testkit.NewCgroup(t), on: true}
	server := startMPTCPEcho(t, s.cg)
	client := s.agent(t, "client", nil)
	// enable takes the state that it finds.
	st := testkit.Must(state.Create(s.tool.StateDir, state.Config{
		Meta: state.Meta{
			FIONREAD: found.FIONREAD, SpliceGuard: "evidence", MaxConnections: 1024, Scopes: []cgroup.Cgroup{},
		},
		BlindTCP: found.FIONREAD == probe.FIONREADBlindTCP, RmemCharged: found.RmemCharged,
		LimitTotal: 64 << 20,
	}))(t)
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	s.tool.Enable(t, s.cg)
	trustPasses(t, s.tool) // the listener was there before
	first := client.MustDial(t, server, true)
	for range 3 {
		echoed(t, client, first, 8)
		trustPasses(t, s.tool)
	}
	// Its readers are trusted by now.
	echoed(t, client, client.MustDial(t, server, true), 8)
	trustPasses(t, s.tool)
	if n := s.socks(t); n != 0 {
		t.Errorf("%d sockets in the sockhash", n)
	}
	got := s.tool.Status(t)
	if got.Messages.Redirected != 0 || got.NotAccelerated.MPTCP != 2 {
		t.Errorf("redirected %d messages, not accelerated %+v; want none, and both as mptcp",
			got.Messages.Redirected, got.NotAccelerated)
	}
}

func echoed(tb testing.TB, client *testkit.Agent, fd, rounds int) {
	tb.Helper()
	for i := range rounds {
		p := fmt.Appendf(nil, "message %d", i)
		client.MustSend(tb, fd, p)
		client.MustRecv(tb, fd, p)
	}
	mustBeQuiet(tb, client, fd)
}
