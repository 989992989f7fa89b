package core_test

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

// Half close: what was sent before arrives before EOF, and the other direction
// goes on, redirected.
func TestVerdictHalfClose(t *testing.T) {
	withAndWithout(t, func(t *testing.T, s *scene, on bool) {
		cfd, sfd := s.connect(t)
		before := s.counts(t)
		data := testkit.NewStream(1).Bytes(0, 30_000)
		s.client.MustSend(t, cfd, data)
		if err := s.client.Shutdown(cfd, unix.SHUT_WR); err != nil {
			t.Fatal(err)
		}
		s.server.MustRecv(t, sfd, data)
		mustEOF(t, s.server, sfd)
		for range 10 {
			s.server.MustSend(t, sfd, data)
			s.client.MustRecv(t, cfd, data)
		}
		s.requireRedirected(t, on, before, 11)
		// TCP's own answer, which a redirected message would not get.
		if n, err := s.client.Send(cfd, data, unix.MSG_NOSIGNAL); !errors.Is(err, unix.EPIPE) {
			t.Errorf("send after shutdown: %d, %v, want EPIPE", n, err)
		}
		s.requireRedirected(t, on, before, 11)
		s.server.MustClose(t, sfd)
		mustEOF(t, s.client, cfd)
	})
}

// Closing right after sending loses nothing: the end of the stream, which goes
// by TCP, does not overtake redirected data.
func TestVerdictCloseAfterSend(t *testing.T) {
	withAndWithout(t, func(t *testing.T, s *scene, on bool) {
		before := s.counts(t)
		rounds := max(testkit.Volume(200), 50)
		for i := range rounds {
			cfd, sfd := s.connect(t)
			data := testkit.NewStream(uint64(i)).Bytes(0, 3000)
			s.client.MustSend(t, cfd, data)
			s.client.MustClose(t, cfd)
			s.server.MustRecv(t, sfd, data)
			mustEOF(t, s.server, sfd)
			s.server.MustClose(t, sfd)
		}
		s.requireRedirected(t, on, before, uint64(rounds))
	})
}

// An abortive close: what was queued can be read, then ECONNRESET.
func TestVerdictAbortiveClose(t *testing.T) {
	withAndWithout(t, func(t *testing.T, s *scene, on bool) {
		cfd, sfd := s.connect(t)
		before := s.counts(t)
		s.client.MustSend(t, cfd, []byte("queued"))
		mustPoll(t, s.server, sfd, unix.POLLIN)
		if err := s.client.SetsockoptBytes(cfd, unix.SOL_SOCKET, unix.SO_LINGER, []byte{1, 0, 0, 0, 0, 0, 0, 0}); err != nil {
			t.Fatal(err)
		}
		s.client.MustClose(t, cfd)
		mustPoll(t, s.server, sfd, unix.POLLERR)
		s.server.MustRecv(t, sfd, []byte("queued"))
		if p, err := s.server.Recv(sfd, 100, unix.MSG_DONTWAIT); !errors.Is(err, unix.ECONNRESET) {
			t.Errorf("recv: %q, %v, want ECONNRESET", p, err)
		}
		s.requireRedirected(t, on, before, 1)
		mustFailSend(t, s.server, sfd)
	})
}

// Deviation "FIN instead of RST": a receiver that closes with unread data
// resets the connection at once; with unread redirected data the sender sees
// the end of the stream first, and the reset when it sends again.
func TestVerdictCloseWithUnreadData(t *testing.T) {
	withAndWithout(t, func(t *testing.T, s *scene, on bool) {
		cfd, sfd := s.connect(t)
		before := s.counts(t)
		s.client.MustSend(t, cfd, []byte("never read"))
		mustPoll(t, s.server, sfd, unix.POLLIN)
		s.server.MustClose(t, sfd)
		mustPoll(t, s.client, cfd, unix.POLLRDHUP)
		p, err := s.client.Recv(cfd, 100, unix.MSG_DONTWAIT)
		if on && (len(p) != 0 || err != nil) {
			t.Errorf("recv: %q, %v, want EOF", p, err)
		}
		if !on && !errors.Is(err, unix.ECONNRESET) {
			t.Errorf("recv: %q, %v, want ECONNRESET", p, err)
		}
		s.requireRedirected(t, on, before, 1)
		if on {
			// By TCP, which finds nobody: the reset.
			s.client.MustSend(t, cfd, []byte("again"))
			mustPoll(t, s.client, cfd, unix.POLLERR|unix.POLLHUP)
		}
		mustFailSend(t, s.client, cfd)
		s.requireRedirected(t, on, before, 1)
	})
}

// A peer that is killed in the middle of its traffic: EOF or a reset, at once.
func TestVerdictPeerKilled(t *testing.T) {
	withAndWithout(t, func(t *testing.T, s *scene, on bool) {
		cfd, sfd := s.connect(t)
		before := s.counts(t)
		const endless = 1 << 40
		sending := testkit.Go(func() (testkit.StreamStats, error) {
			return s.server.SendStream(sfd, testkit.SendOptions{Seed: 1, Total: endless, ChunkMax: 4096, Timeout: patience})
		})
		receiving := testkit.Go(func() (testkit.StreamStats, error) {
			return s.server.VerifyStream(sfd, testkit.ReadOptions{Seed: 2, Total: endless, Mode: testkit.ReadEdge, Timeout: patience})
		})
		go func() {
			_, _ = s.client.SendStream(cfd, testkit.SendOptions{Seed: 2, Total: endless, ChunkMax: 4096, Timeout: patience})
		}()
		piece := int64(testkit.Volume(1 << 20))
		if _, err := s.client.VerifyStream(cfd, testkit.ReadOptions{Seed: 1, Total: piece, Timeout: patience}); err != nil {
			t.Fatal(err)
		}
		if got := s.counts(t).since(before); on && got.Redirected == 0 {
			t.Error("nothing redirected")
		}
		s.client.Kill()
		if stats, err := sending.Wait(2 * patience); !errors.Is(err, unix.EPIPE) && !errors.Is(err, unix.ECONNRESET) {
			t.Errorf("sender: %+v, %v, want EPIPE or ECONNRESET", stats, err)
		}
		stats, err := receiving.Wait(2 * patience)
		if !stats.EOF && !errors.Is(err, unix.ECONNRESET) && !errors.Is(err, unix.EPIPE) {
			t.Errorf("receiver: %+v, %v, want EOF or ECONNRESET", stats, err)
		}
	})
}

func mustEOF(tb testing.TB, a *testkit.Agent, fd int) {
	tb.Helper()
	mustPoll(tb, a, fd, unix.POLLRDHUP)
	if p, err := a.Recv(fd, 100, unix.MSG_DONTWAIT); len(p) != 0 || err != nil {
		tb.Fatalf("agent %s: recv: %q, %v, want EOF", a.Name, p, err)
	}
}

// mustPoll waits for one of the events.
func mustPoll(tb testing.TB, a *testkit.Agent, fd int, events int16) {
	tb.Helper()
	if got := testkit.Must(a.Poll(fd, events, patience))(tb); got&events == 0 {
		tb.Fatalf("agent %s: poll for %#x: %#x", a.Name, events, got)
	}
}

// mustFailSend sends on a connection that is gone. EACCES, which a verdict of
// SK_DROP would give, is what programs do not expect.
func mustFailSend(tb testing.TB, a *testkit.Agent, fd int) {
	tb.Helper()
	for range 2 {
		n, err := a.Send(fd, []byte("gone"), unix.MSG_NOSIGNAL)
		if !errors.Is(err, unix.EPIPE) && !errors.Is(err, unix.ECONNRESET) {
			tb.Errorf("agent %s: send: %d, %v, want EPIPE or ECONNRESET", a.Name, n, err)
		}
	}
}
