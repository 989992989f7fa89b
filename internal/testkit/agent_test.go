package testkit

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// newPair returns two unprivileged agents and a connection between them.
func newPair(t *testing.T, o PairOptions) (client, server *Agent, cfd, sfd int) {
	t.Helper()
	client = StartAgent(t, AgentOptions{Name: "client"})
	server = StartAgent(t, AgentOptions{Name: "server"})
	cfd, sfd = Pair(t, client, server, o)
	return client, server, cfd, sfd
}

func TestAgentPair(t *testing.T) {
	for _, addr := range []PairOptions{{Addr: Loopback}, {Addr: Loopback6}} {
		client, server, cfd, sfd := newPair(t, addr)
		client.MustSend(t, cfd, []byte("hello"))
		server.MustRecv(t, sfd, []byte("hello"))
		server.MustSend(t, sfd, []byte("world"))
		client.MustRecv(t, cfd, []byte("world"))

		local := Must(client.LocalAddr(cfd))(t)
		if peer := Must(server.PeerAddr(sfd))(t); peer != local {
			t.Errorf("server sees %v, client is %v", peer, local)
		}
		if Must(client.Cookie(cfd))(t) == 0 {
			t.Error("no cookie")
		}
		if Must(client.Inode(cfd))(t) == 0 {
			t.Error("no inode")
		}
	}
}

func TestAgentErrno(t *testing.T) {
	client, _, cfd, _ := newPair(t, PairOptions{})
	_, err := client.Recv(cfd, 10, 0)
	if !errors.Is(err, unix.EAGAIN) {
		t.Errorf("empty non-blocking socket: got %v, want EAGAIN", err)
	}
	if _, err := client.Recv(999, 10, 0); !errors.Is(err, unix.EBADF) {
		t.Errorf("bad descriptor: got %v, want EBADF", err)
	}
	if _, err := client.RecvAll(cfd, 10, 10*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v, want a timeout", err)
	}
}

func TestAgentOperations(t *testing.T) {
	client, server, cfd, sfd := newPair(t, PairOptions{})
	if err := server.EpollAdd(sfd, unix.EPOLLIN|unix.EPOLLET); err != nil {
		t.Fatal(err)
	}
	client.MustSend(t, cfd, []byte("abcdef"))
	events := Must(server.EpollWait(time.Second))(t)
	if len(events) != 1 || events[0].FD != sfd || events[0].Events&unix.EPOLLIN == 0 {
		t.Errorf("events %+v", events)
	}
	if n := Must(server.FIONREAD(sfd))(t); n != 6 {
		t.Errorf("FIONREAD %d, want 6", n)
	}
	if got := Must(server.Recv(sfd, 3, unix.MSG_PEEK))(t); string(got) != "abc" {
		t.Errorf("peeked %q", got)
	}
	if got := Must(server.Splice(sfd, 100, true))(t); string(got) != "abcdef" {
		t.Errorf("spliced %q", got)
	}
	if _, err := server.Splice(sfd, 100, true); !errors.Is(err, unix.EAGAIN) {
		t.Errorf("splice from an empty socket: got %v, want EAGAIN", err)
	}
	client.MustSend(t, cfd, []byte("discard"))
	if n := Must(server.RecvNull(sfd, 7, unix.MSG_TRUNC))(t); n != 7 {
		t.Errorf("discarded %d, want 7", n)
	}
	if err := client.SetsockoptInt(cfd, unix.SOL_TCP, unix.TCP_NODELAY, 1); err != nil {
		t.Error(err)
	}
	if Must(client.GetsockoptInt(cfd, unix.SOL_TCP, unix.TCP_NODELAY))(t) == 0 {
		t.Error("TCP_NODELAY not set")
	}
	if err := client.Shutdown(cfd, unix.SHUT_WR); err != nil {
		t.Error(err)
	}
	if revents := Must(server.Poll(sfd, unix.POLLIN|unix.POLLRDHUP, time.Second))(t); revents&unix.POLLRDHUP == 0 {
		t.Errorf("revents %s", pollNames(revents))
	}
	if got := Must(server.Recv(sfd, 1, 0))(t); len(got) != 0 {
		t.Errorf("received %q, want EOF", got)
	}
	if err := client.ConnectUnspec(cfd); err != nil {
		t.Error(err)
	}
	if _, err := client.PeerAddr(cfd); !errors.Is(err, unix.ENOTCONN) {
		t.Errorf("after ConnectUnspec: %v, want ENOTCONN", err)
	}
}

func TestAgentBlocks(t *testing.T) {
	client, server, cfd, sfd := newPair(t, PairOptions{ServerBlocking: true})
	p := Go(func() ([]byte, error) { return server.Recv(sfd, 6, unix.MSG_WAITALL) })
	tid := Must(server.AwaitBlocked(sfd, 5*time.Second))(t)
	if err := server.Interrupt(tid); err != nil {
		t.Fatal(err)
	}
	Must(server.AwaitBlocked(sfd, 5*time.Second))(t)
	client.MustSend(t, cfd, []byte("abc"))
	if _, err := p.Wait(50 * time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("half the data: %v, want blocked", err)
	}
	client.MustSend(t, cfd, []byte("def"))
	if got, err := p.Wait(5 * time.Second); err != nil || string(got) != "abcdef" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestAgentKill(t *testing.T) {
	client, server, cfd, _ := newPair(t, PairOptions{})
	server.Kill()
	if got := Must(client.RecvAll(cfd, 1, 5*time.Second))(t); len(got) != 0 {
		t.Errorf("received %q, want EOF", got)
	}
	if _, err := server.Socket(unix.AF_INET, true); err == nil {
		t.Error("a dead agent answers")
	}
}

func TestCgroup(t *testing.T) {
	RequireRoot(t)
	var path string
	t.Run("use", func(t *testing.T) {
		cg := NewCgroup(t)
		path = cg.Path
		a := StartAgent(t, AgentOptions{Cgroup: cg.Child(t, "child")})
		if cg.ID == 0 {
			t.Error("no cgroup id")
		}
		line, err := os.ReadFile("/proc/" + strconv.Itoa(a.Pid) + "/cgroup")
		if err != nil {
			t.Fatal(err)
		}
		if want := "/" + filepath.Base(cg.Path) + "/child"; !strings.Contains(string(line), want+"\n") {
			t.Errorf("agent is in %q, want %q", line, want)
		}
	})
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("cgroup is still there: %v", err)
	}
}

func TestSweepCgroups(t *testing.T) {
	RequireRoot(t)
	cg := NewCgroup(t)
	// A pid that has just died, and one that lives.
	gone := StartAgent(t, AgentOptions{})
	gone.Kill()
	for _, x := range []struct {
		pid  int
		kept bool
	}{{gone.Pid, false}, {os.Getpid(), true}} {
		dir := cg.Child(t, cgroupPrefix+strconv.Itoa(x.pid)+"-1")
		dir.Child(t, "child")
		sweepCgroups(cg.Path)
		if _, err := os.Stat(dir.Path); (err == nil) != x.kept {
			t.Errorf("cgroup of pid %d: %v, want it kept: %v", x.pid, err, x.kept)
		}
	}
}

func TestNetns(t *testing.T) {
	RequireRoot(t)
	left, router, right := NewNetns(t), NewNetns(t), NewNetns(t)
	router.Forward(t)
	Link(t, left, router, "10.1.0.1/24", "10.1.0.2/24")
	Link(t, router, right, "fd00:2::1/64", "fd00:2::2/64")
	nameA, nameB := Link(t, router, right, "10.2.0.1/24", "10.2.0.2/24")
	router.AddAddr(t, nameA, "10.3.0.1/24")
	right.AddAddr(t, nameB, "10.3.0.2/24")
	left.AddRoute(t, "10.2.0.0/16", "10.1.0.2")
	right.AddRoute(t, "10.1.0.0/24", "10.2.0.1")
	if left.Cookie(t) == right.Cookie(t) {
		t.Error("namespaces share a cookie")
	}

	client := StartAgent(t, AgentOptions{Name: "client", Netns: left})
	middle := StartAgent(t, AgentOptions{Name: "middle", Netns: router})
	server := StartAgent(t, AgentOptions{Name: "server", Netns: right, Cgroup: NewCgroup(t)})
	for _, x := range []struct {
		client *Agent
		addr   string
	}{{client, "10.2.0.2:0"}, {middle, "[fd00:2::2]:0"}, {server, "127.0.0.1:0"}, {server, "[::1]:0"}} {
		cfd, sfd := Pair(t, x.client, server, PairOptions{Addr: netip.MustParseAddrPort(x.addr)})
		x.client.MustSend(t, cfd, []byte(x.addr))
		server.MustRecv(t, sfd, []byte(x.addr))
	}
}
