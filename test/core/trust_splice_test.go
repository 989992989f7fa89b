package core_test

import (
	"errors"
	"fmt"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

// A proxy that splices is never accelerated, neither side of it: nothing
// hangs, and the bytes are right. What does not splice is, at the same time.
func TestTrustRelay(t *testing.T) {
	for _, on := range testkit.Ways() {
		t.Run(fmt.Sprintf("accelerated %t", on), func(t *testing.T) {
			s := newPlainScene(t)
			if on {
				s.enableTrust(t)
				s.tool.Trust(t, s.client, s.server, s.listener)
			}
			relay := testkit.StartAgent(t, testkit.AgentOptions{Name: "relay", Cgroup: s.cg})
			echo := s.server.MustEcho(t, testkit.Loopback)
			proxy := relay.MustRelay(t, testkit.Loopback, echo)
			d := s.since(t)
			const conns, runs = 8, 3
			for range runs {
				testkit.Must(s.client.PingPong(testkit.PingPongOptions{
					Addr: proxy, Conns: conns, Rounds: 20, Size: 50_000,
				}))(t)
			}
			trustPasses(t, s.tool)
			st := s.tool.Status(t)
			want := 0
			if on {
				want = 2 * conns * runs // both sides of the proxy
			}
			if n := int(st.NotAccelerated.Splice); n != want {
				t.Errorf("%d connections counted as splice, want %d", n, want)
			}
			if n := d.redirected(st); n != 0 {
				t.Errorf("%d messages redirected", n)
			}
			relayStreams(t, s, relay)

			direct := testkit.PingPongOptions{Addr: echo, Conns: conns, Rounds: 20, Size: 1000}
			testkit.Must(s.client.PingPong(direct))(t)
			testkit.Must(s.client.PingPong(direct))(t)
			if n := d.redirected(s.tool.Status(t)); (n > 0) != on {
				t.Errorf("%d messages redirected without the proxy", n)
			}
		})
	}
}

// relayStreams sends both ways at once through the proxy, without waiting for
// answers, until the end of the streams.
func relayStreams(t *testing.T, s *scene, relay *testkit.Agent) {
	t.Helper()
	addr := testkit.Must(s.server.LocalAddr(s.listener))(t)
	cfd := s.client.MustDial(t, relay.MustRelay(t, testkit.Loopback, addr), true)
	c := trustConn{s.client, s.server, cfd, testkit.Must(s.server.Accept(s.listener, true))(t)}
	const total = 8 << 20
	var all []*testkit.Pending[testkit.StreamStats]
	for seed, end := range [][2]parked{
		{{writer: c.client, wfd: c.cfd}, {reader: c.server, rfd: c.sfd}},
		{{writer: c.server, wfd: c.sfd}, {reader: c.client, rfd: c.cfd}},
	} {
		all = append(all, testkit.Go(func() (testkit.StreamStats, error) {
			stats, err := end[0].writer.SendStream(end[0].wfd, testkit.SendOptions{Seed: uint64(seed), Total: total})
			return stats, errors.Join(err, end[0].writer.Shutdown(end[0].wfd, unix.SHUT_WR))
		}), testkit.Go(func() (testkit.StreamStats, error) {
			return end[1].reader.VerifyStream(end[1].rfd, testkit.ReadOptions{Seed: uint64(seed), Total: total, EOF: true})
		}))
	}
	for _, p := range all {
		if _, err := p.Wait(2 * trustWait); err != nil {
			t.Error(err)
		}
	}
	if n := trustSocks(t, s.tool); n != 0 {
		t.Errorf("%d sockets in the sockhash", n)
	}
	c.close(t)
}

// A service that reads with recv, earns trust, and splices then: its
// connection is handed over, and later ones stay on TCP.
func TestTrustSpliceAfterRecv(t *testing.T) {
	testSpliceLater(t, func(tb testing.TB, s *scene, fd int) ([]byte, error) {
		return s.server.Splice(fd, 100, true)
	})
}

// sendfile(2) to a pipe splices from a socket; the guard refuses it, as kernels
// before 5.12 do.
func TestTrustSendfileAfterRecv(t *testing.T) {
	guarded(t, false)
	testSpliceLater(t, func(tb testing.TB, s *scene, fd int) ([]byte, error) {
		return sendfileFrom(tb, s.server, fd)
	})
}

func testSpliceLater(t *testing.T, splice func(testing.TB, *scene, int) ([]byte, error)) {
	s := newTrustScene(t)
	d := s.since(t)
	c, bystander := s.open(t, false, false), s.open(t, false, false)
	c.exchange(t, 5)
	bystander.exchange(t, 5)
	if n := d.redirected(s.tool.Status(t)); n != 20 {
		t.Fatalf("%d messages redirected, want 20", n)
	}
	if got, err := splice(t, s, c.sfd); !errors.Is(err, unix.EAGAIN) {
		t.Fatalf("splice from an empty socket: %q, %v, want EAGAIN", got, err)
	}
	for i := range 5 {
		msg := fmt.Sprintf("spliced %d", i)
		s.client.MustSend(t, c.cfd, []byte(msg))
		testkit.Must(s.server.Poll(c.sfd, unix.POLLIN, trustWait))(t)
		if got, err := splice(t, s, c.sfd); err != nil || string(got) != msg {
			t.Fatalf("splice: %q, %v, want %q", got, err, msg)
		}
	}
	c.exchange(t, 5)
	// The service is barred, so its other connections leave too.
	gone(t, s)
	bystander.exchange(t, 5)

	later := s.open(t, false, false)
	if n := trustSocks(t, s.tool); n != 0 {
		t.Errorf("%d sockets in the sockhash", n)
	}
	s.client.MustSend(t, later.cfd, []byte("later"))
	testkit.Must(s.server.Poll(later.sfd, unix.POLLIN, trustWait))(t)
	if got, err := splice(t, s, later.sfd); err != nil || string(got) != "later" {
		t.Errorf("splice: %q, %v, want %q", got, err, "later")
	}
	trustPasses(t, s.tool)
	st := s.tool.Status(t)
	if n := d.redirected(st); n != 20 {
		t.Errorf("%d messages redirected in all, want 20", n)
	}
	if n := st.NotAccelerated.Splice; n != 3 {
		t.Errorf("%d connections counted as splice, want 3", n)
	}
	if n := st.Connections.HandedOverTotal - d.before.Connections.HandedOverTotal; n != 2 {
		t.Errorf("%d connections handed over, want 2", n)
	}
}

// sendfileFrom makes one call of sendfile(2) from an agent's socket to a pipe,
// in this process: evidence is about the listener, whoever reads.
func sendfileFrom(tb testing.TB, a *testkit.Agent, fd int) ([]byte, error) {
	tb.Helper()
	pidfd, err := unix.PidfdOpen(a.Pid, 0)
	if err != nil {
		tb.Fatal(err)
	}
	defer unix.Close(pidfd)
	sock, err := unix.PidfdGetfd(pidfd, fd, 0)
	if err != nil {
		tb.Fatal(err)
	}
	defer unix.Close(sock)
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		tb.Fatal(err)
	}
	defer unix.Close(pipe[0])
	defer unix.Close(pipe[1])
	if _, err := unix.Sendfile(pipe[1], sock, nil, 100); err != nil {
		return nil, err
	}
	p := make([]byte, 100)
	n, err := unix.Read(pipe[0], p)
	return p[:max(n, 0)], err
}
