package core_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockaccel/sockaccel/internal/state"
	"github.com/sockaccel/sockaccel/internal/testkit"
)

// leastQueue is what new sockets on loopback may have queued: twice the receive
// buffer and half of the send buffer, which differs between kernels.
const leastQueue = 1 << 20

// Invariant I4: a reader that does not read stops its sender, with EAGAIN as
// TCP does, and at the few megabytes that TCP would also take. What was queued
// by then arrives in order when it reads again, at every kind of reader: the
// seam between the two queues needs the sidecar's wake-up.
func TestVerdictLimit(t *testing.T) {
	modes := newTrustedScene(t).readModes(t)
	for i, size := range []int{1, 1000, 256 << 10} {
		if testkit.InVM() {
			// Each size and each mode once: the modes meet at the seam, which
			// has a test of its own.
			modes = modes[i%len(modes):][:1]
		}
		for _, mode := range modes {
			t.Run(fmt.Sprintf("%d bytes/%s", size, mode), func(t *testing.T) {
				withAndWithout(t, func(t *testing.T, s *scene, on bool) { limit(t, s, on, size, mode) })
			})
		}
	}
}

func limit(t *testing.T, s *scene, on bool, size int, mode testkit.ReadMode) {
	cfd, sfd := s.connect(t)
	ends := []uint64{cookie(t, s.client, cfd), cookie(t, s.server, sfd)}
	if in := s.inSockhash(t, on, ends...); on && len(in) != 2 {
		t.Fatalf("not accelerated: %d", in)
	}
	// TCP's share is small, so that a stream of single bytes ends soon.
	smallBuffers(t, s, cfd)
	before := s.counts(t)
	sent := fill(t, s.client, cfd, 7, size)
	if sent > 16<<20 {
		t.Errorf("%d bytes queued", sent)
	}
	got := s.counts(t).since(before)
	switch {
	case !on:
	case got.Redirected == 0 || got.Redirected > state.LimitMessages:
		t.Errorf("redirected %d messages, want at most %d", got.Redirected, state.LimitMessages)
	case size == 1 && got.Redirected < state.LimitMessages/2:
		t.Errorf("redirected %d messages, want about %d", got.Redirected, state.LimitMessages)
	case got.RedirectedBytes > state.LimitBytes:
		t.Errorf("redirected %d bytes, want at most %d", got.RedirectedBytes, state.LimitBytes)
	case size >= 256<<10 && got.RedirectedBytes < leastQueue:
		t.Errorf("redirected %d bytes, want at least %d", got.RedirectedBytes, leastQueue)
	case got.HandedOver != 1 || got.Limit != 1:
		t.Errorf("want one hand-over for the limit, got %+v", got)
	}
	stats, err := s.server.VerifyStream(sfd, testkit.ReadOptions{
		Seed: 7, Total: int64(sent), Mode: mode, Buffer: 16381, Timeout: patience,
	})
	if err != nil {
		t.Fatalf("%d bytes sent: %+v, %v", sent, stats, err)
	}
	s.awaitOut(t, on, ends...)

	// From here on it is plain TCP, both ways.
	before = s.counts(t)
	s.client.MustSend(t, cfd, []byte("more"))
	s.server.MustRecv(t, sfd, []byte("more"))
	s.server.MustSend(t, sfd, []byte("back"))
	s.client.MustRecv(t, cfd, []byte("back"))
	if got := s.counts(t).since(before); got.Redirected != 0 {
		t.Errorf("redirected %d messages after the hand-over", got.Redirected)
	}
}

// The seam alone: everything was sent, and has arrived, before the reader
// begins. What is behind the seam then comes with no event of its own, and
// only the sidecar tells a reader that trusts short reads of it.
func TestVerdictSeam(t *testing.T) {
	for _, mode := range newTrustedScene(t).readModes(t) {
		t.Run(mode.String(), func(t *testing.T) {
			withAndWithout(t, func(t *testing.T, s *scene, on bool) {
				cfd, sfd := s.connect(t)
				const size, messages = 100, state.LimitMessages + 50
				before := s.counts(t)
				data := testkit.NewStream(5).Bytes(0, size*messages)
				sock, release := steal(t, s.client, cfd)
				defer release()
				for i := range messages {
					if err := sendWhole(sock, data[size*i:size*(i+1)]); err != nil {
						t.Fatal(err)
					}
				}
				got := s.counts(t).since(before)
				if on && (got.Redirected == 0 || got.Redirected > state.LimitMessages || got.Limit != 1) {
					t.Errorf("no seam: %+v", got)
				}
				awaitAcknowledged(t, s.client, cfd)
				read, err := s.server.VerifyStream(sfd, testkit.ReadOptions{
					Seed: 5, Total: size * messages, Mode: mode, Buffer: 4093, Timeout: patience,
				})
				if err != nil {
					t.Errorf("%+v, %v", read, err)
				}
			})
		})
	}
}

// The reader comes back while the sender goes on: nothing is overtaken where
// the sender's messages begin to flow again.
func TestVerdictLimitWhileSending(t *testing.T) {
	for _, mode := range newTrustedScene(t).readModes(t) {
		t.Run(mode.String(), func(t *testing.T) {
			withAndWithout(t, func(t *testing.T, s *scene, on bool) {
				cfd, sfd := s.connect(t)
				before := s.counts(t)
				total := int64(testkit.Volume(64<<20) + 4<<20)
				sending := testkit.Go(func() (testkit.StreamStats, error) {
					return s.client.SendStream(cfd, testkit.SendOptions{Seed: 3, Total: total, Timeout: patience})
				})
				if on {
					s.awaitHandOver(t, before)
				}
				read, err := s.server.VerifyStream(sfd, testkit.ReadOptions{
					Seed: 3, Total: total, Mode: mode, Buffer: 16381, Timeout: patience,
				})
				if err != nil {
					t.Errorf("%+v, %v", read, err)
				}
				if sent, err := sending.Wait(2 * patience); err != nil {
					t.Errorf("%+v, %v", sent, err)
				}
			})
		})
	}
}

// Each direction has its own limit: a reader that does not read can send, and
// its peer receives it at once, before and after the hand-over. A receive
// buffer that its owner has set to less than what is queued changes nothing.
func TestVerdictDirectionsIndependent(t *testing.T) {
	for name, rcvbuf := range map[string]int{"default": 0, "64K buffer": 64 << 10} {
		t.Run(name, func(t *testing.T) {
			withAndWithout(t, func(t *testing.T, s *scene, on bool) { independent(t, s, on, rcvbuf) })
		})
	}
}

func independent(t *testing.T, s *scene, on bool, rcvbuf int) {
	cfd, sfd := s.connect(t)
	smallBuffers(t, s, cfd)
	if rcvbuf != 0 {
		if err := s.server.SetsockoptInt(sfd, unix.SOL_SOCKET, unix.SO_RCVBUF, rcvbuf); err != nil {
			t.Fatal(err)
		}
	}
	before := s.counts(t)
	s.client.MustSend(t, cfd, testkit.NewStream(7).Bytes(0, 1000))
	answer := func() {
		t.Helper()
		s.server.MustSend(t, sfd, []byte("response"))
		s.client.MustRecv(t, cfd, []byte("response"))
	}
	for range testkit.Volume(100) { // while the other direction is busy
		answer()
	}
	s.requireRedirected(t, on, before, uint64(1+testkit.Volume(100)))
	sent := 1000 + fillFrom(t, s.client, cfd, 7, 1000, 64<<10)
	for range testkit.Volume(100) { // while it is full
		answer()
	}
	if _, err := s.server.VerifyStream(sfd, testkit.ReadOptions{Seed: 7, Total: int64(sent), Timeout: patience}); err != nil {
		t.Error(err)
	}
	answer()
}

// smallBuffers keeps TCP's share small, and with it the time that a stream of
// single bytes takes. The receiver's is left to TCP.
func smallBuffers(tb testing.TB, s *scene, cfd int) {
	tb.Helper()
	if err := s.client.SetsockoptInt(cfd, unix.SOL_SOCKET, unix.SO_SNDBUF, 64<<10); err != nil {
		tb.Fatal(err)
	}
}

// fill sends the stream of a seed by messages of a size until the socket takes
// no more for a while, and returns the number of bytes that it took.
func fill(tb testing.TB, a *testkit.Agent, fd int, seed uint64, size int) (sent int) {
	tb.Helper()
	return fillFrom(tb, a, fd, seed, 0, size)
}

func fillFrom(tb testing.TB, a *testkit.Agent, fd int, seed uint64, off int64, size int) (sent int) {
	tb.Helper()
	sock, release := steal(tb, a, fd)
	defer release()
	const runaway = 256 << 20
	buf := make([]byte, size)
	for sent < runaway {
		testkit.NewStream(seed).Fill(buf, off+int64(sent))
		n, err := unix.SendmsgN(sock, buf, nil, nil, unix.MSG_NOSIGNAL)
		if err == nil {
			sent += n
			continue
		}
		if !errors.Is(err, unix.EAGAIN) {
			tb.Fatalf("after %d bytes: send: %v", sent, err)
		}
		// TCP may still move what is queued to the receiver.
		ready, err := unix.Poll([]unix.PollFd{{Fd: int32(sock), Events: unix.POLLOUT}}, int(300*time.Millisecond/time.Millisecond))
		if err != nil && !errors.Is(err, unix.EINTR) {
			tb.Fatal(err)
		}
		if ready == 0 && err == nil {
			return sent
		}
	}
	tb.Fatalf("%d bytes were taken, and no end", sent)
	return sent
}
