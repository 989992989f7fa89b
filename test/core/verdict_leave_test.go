package core_test

import (
	"errors"
	"testing"
	"time"

	"github.com/sockaccel/sockaccel/internal/drain"
	"github.com/sockaccel/sockaccel/internal/probe"
	"github.com/sockaccel/sockaccel/internal/sidecar"
	"github.com/sockaccel/sockaccel/internal/state"
	"github.com/sockaccel/sockaccel/internal/testkit"
)

// A message that is queued after the queue was seen empty: from that look on the
// direction is closed, whatever the queue shows, for otherwise no look would
// hold until the receiver is out. The reader is woken at the seam.
func TestVerdictClosedBeforeOut(t *testing.T) {
	s := newTrustedScene(t)
	cfd, sfd := s.exchange(t, 1)
	st := s.takeOver(t)
	receiver, _ := steal(t, s.server, sfd)
	locked := lockSocket(t, receiver)
	data := testkit.NewStream(1)
	send := testkit.Go(func() (int, error) { return s.client.Send(cfd, data.Bytes(0, 100), 0) })
	testkit.Must(s.client.AwaitBlocked(cfd, 10*time.Second))(t)
	sweep(t, st)
	locked.release()
	if _, err := send.Wait(10 * time.Second); err != nil {
		t.Fatalf("send: %v", err)
	}

	before := s.counts(t)
	s.client.MustSend(t, cfd, data.Bytes(100, 100))
	if got := s.counts(t).since(before); got.Redirected != 0 || got.TCP != 1 {
		t.Errorf("behind a message in the queue: %+v, want one by TCP", got)
	}
	sweep(t, st)
	s.disableReading(t, cfd, sfd, 1, 200)
}

// What one end sends while its peer has not read is not overtaken by that end's
// own leaving: its reader at the other end would stop at the seam, of which
// nobody would know.
func TestVerdictEndsLeaveTogether(t *testing.T) {
	s := newTrustedScene(t)
	cfd, sfd := s.exchange(t, 1)
	st := s.takeOver(t)
	before := s.counts(t)
	data := testkit.NewStream(2)
	s.client.MustSend(t, cfd, data.Bytes(0, 100))
	sweep(t, st)
	s.client.MustSend(t, cfd, data.Bytes(100, 100))
	// Where it is blind to TCP, the client's own reader has to be woken.
	if s.tool.Status(t).FIONREAD != probe.FIONREADBlindTCP {
		s.requireRedirected(t, true, before, 2)
	}
	sweep(t, st)
	s.disableReading(t, cfd, sfd, 2, 200)
}

// A reader that has to be woken at its seam does not wait for the other end:
// there they may wait for what it is to read. The other reader is woken as well,
// for what its peer sends now is by TCP.
func TestVerdictSeamOfOneEnd(t *testing.T) {
	s := newTrustedScene(t)
	cfd, sfd := s.exchange(t, 1)
	smallBuffers(t, s, cfd)
	before := s.counts(t)
	back := testkit.NewStream(4)
	s.server.MustSend(t, sfd, back.Bytes(0, 100))
	sent := fillOnce(t, s.client, cfd, 3, 64<<10)
	s.awaitHandOver(t, before)
	read, err := s.server.VerifyStream(sfd, testkit.ReadOptions{Seed: 3, Total: int64(sent), Mode: testkit.ReadEdge, Timeout: patience})
	if err != nil {
		t.Fatalf("%d bytes sent: %+v, %v", sent, read, err)
	}
	s.awaitOut(t, true, cookie(t, s.server, sfd))
	s.server.MustSend(t, sfd, back.Bytes(100, 100))
	awaitAcknowledged(t, s.server, sfd)
	read, err = s.client.VerifyStream(cfd, testkit.ReadOptions{Seed: 4, Total: 200, Mode: testkit.ReadEdge, Timeout: patience})
	if err != nil {
		t.Errorf("%+v, %v", read, err)
	}
}

// takeOver stops the sidecar: sweeps and passes are the test's from here on.
func (s *scene) takeOver(t *testing.T) *state.State {
	t.Helper()
	lock, err := state.Acquire(t.Context(), s.tool.StateDir)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	st, err := state.Open(s.tool.StateDir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	if err := errors.Join(sidecar.Stop(t.Context(), st), st.Beat(10*patience)); err != nil {
		t.Fatal(err)
	}
	return st
}

// sweep makes everything leave and takes out what may go: not the whole of the
// connection.
func sweep(t *testing.T, st *state.State) {
	t.Helper()
	if swept, err := drain.Step(st, true); err != nil || swept.InMap != 1 {
		t.Fatalf("%d connections in the sockhash, want 1: %v", swept.InMap, err)
	}
}

// disableReading disables while a server that trusts short reads reads n bytes of
// the stream: all are there, so that no more of them bring an event.
func (s *scene) disableReading(t *testing.T, cfd, sfd int, seed uint64, n int64) {
	t.Helper()
	awaitAcknowledged(t, s.client, cfd)
	reading := testkit.Go(func() (testkit.StreamStats, error) {
		return s.server.VerifyStream(sfd, testkit.ReadOptions{Seed: seed, Total: n, Mode: testkit.ReadEdge, Timeout: patience})
	})
	s.tool.Disable(t)
	if read, err := reading.Wait(2 * patience); err != nil {
		t.Errorf("%+v, %v", read, err)
	}
}
