package state_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

// Enabling and disabling at random moments under load loses, reorders and
// stalls nothing, and disable really ends it.
func TestDisableUnderLoad(t *testing.T) {
	s := newScene(t)
	s.enable(t)
	l := startLoad(t, s, 3, 3)
	for round := range 20 {
		if round > 0 {
			s.tool.Enable(t, s.cg)
		}
		awaitRedirecting(t, s.tool)
		time.Sleep(time.Duration(rand.IntN(100)) * time.Millisecond) // a random moment
		in := hold(t, s.tool)
		start := time.Now()
		out := s.tool.MustRun(t, "disable")
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("round %d: disable took %s", round, took)
		}
		if out != "disabled" {
			t.Errorf("round %d: disable says %q", round, out)
		}
		requireNothing(t, s.tool)
		if n := in.sockets(t); n > 0 {
			t.Errorf("round %d: %d sockets in the sockhash after disable", round, n)
		}
		in.close(t)
		l.moving(t)
	}
	l.finish(t)
}

// The same traffic without acceleration: the load itself is in order.
func TestLoadPlain(t *testing.T) {
	s := newScene(t)
	l := startLoad(t, s, 2, 2)
	for range 20 {
		l.moving(t)
	}
	l.finish(t)
	if st := s.tool.Status(t); st.Enabled || st.Messages.Redirected+st.Messages.TCP != 0 {
		t.Errorf("something was counted: %+v", st)
	}
}

// A reader that does not read keeps disable waiting no longer than it is told
// to, and finds everything when it reads again.
func TestDisableBusyReader(t *testing.T) {
	s := newScene(t)
	s.enable(t)
	cfd, sfd := s.connect(t)
	const size = 1 << 20
	send(t, s.client, cfd, 0, size)
	if st := s.tool.Status(t); st.Bytes.Redirected < size {
		t.Fatalf("redirected %d bytes, want %d", st.Bytes.Redirected, size)
	}

	in := hold(t, s.tool)
	start := time.Now()
	out := s.tool.MustRun(t, "disable", "--drain-timeout", "700ms")
	if took := time.Since(start); took < 700*time.Millisecond || took > 10*time.Second {
		t.Errorf("disable took %s, want 700 ms and little more", took)
	}
	if !strings.Contains(out, "1 connections have unread data") {
		t.Errorf("disable says %q", out)
	}
	requireNothing(t, s.tool)

	// More of it goes by TCP, behind what is queued; another instance does
	// not touch what the first one left.
	send(t, s.client, cfd, size, size)
	s.tool.Enable(t, s.cg)
	send(t, s.client, cfd, 2*size, size)
	for _, mode := range []testkit.ReadMode{testkit.ReadEdge} {
		if _, err := s.server.VerifyStream(sfd, testkit.ReadOptions{Seed: 1, Total: 3 * size, Mode: mode, Timeout: stall}); err != nil {
			t.Error(err)
		}
	}
	s.client.MustSend(t, cfd, []byte("and on"))
	s.server.MustRecv(t, sfd, []byte("and on"))
	s.server.MustSend(t, sfd, []byte("and back"))
	s.client.MustRecv(t, cfd, []byte("and back"))
	s.client.MustClose(t, cfd)
	s.server.MustClose(t, sfd)
	s.tool.Disable(t)
	in.close(t) // the orphaned map goes with its last socket
}

func send(tb testing.TB, a *testkit.Agent, fd int, off, size int64) {
	tb.Helper()
	if _, err := a.SendStream(fd, testkit.SendOptions{Seed: 1, Off: uint64(off), Total: size, ChunkMin: 16 << 10, Timeout: stall}); err != nil {
		tb.Fatal(err)
	}
}

// A reader that comes back while disable waits ends the wait.
func TestDisableWaitsForReader(t *testing.T) {
	s := newScene(t)
	s.enable(t)
	cfd, sfd := s.connect(t)
	const size = 1 << 20
	send(t, s.client, cfd, 0, size)
	in := hold(t, s.tool)
	disabled := testkit.Go(func() (string, error) { return s.tool.Run("disable", "--drain-timeout", "30s") })
	for s.tool.Status(t).Sidecar.Running {
		// Disable has begun once the sidecar is gone.
		time.Sleep(time.Millisecond)
	}
	if disabled.Done() {
		t.Error("disable did not wait for the reader")
	}
	if _, err := s.server.VerifyStream(sfd, testkit.ReadOptions{Seed: 1, Total: size, Mode: testkit.ReadNginx, Timeout: stall}); err != nil {
		t.Error(err)
	}
	if out, err := disabled.Wait(15 * time.Second); err != nil || out != "disabled" {
		t.Errorf("disable: %v: %s", err, out)
	}
	if n := in.sockets(t); n > 0 {
		t.Errorf("%d sockets in the sockhash after disable", n)
	}
	requireNothing(t, s.tool)
	s.exchange(t, cfd, sfd)
	in.close(t)
}
