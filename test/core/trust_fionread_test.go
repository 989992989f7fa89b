package core_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockaccel/sockaccel/internal/probe"
	"github.com/sockaccel/sockaccel/internal/testkit"
)

// requireFIONREAD skips where FIONREAD is blind to redirected bytes, and not
// corrected: what its users do there is the risk that was accepted by name.
func requireFIONREAD(tb testing.TB) {
	tb.Helper()
	testkit.RequireRoot(tb)
	found, err := probe.Run()
	if err != nil {
		tb.Fatal(err)
	}
	if found.FIONREAD == probe.FIONREADBlindQueue && !found.Correction {
		tb.Skipf("FIONREAD of this kernel is %s bytes, and not corrected (%v): the accepted risk", found.FIONREAD, found.Refused)
	}
}

// Readers like nginx, whose buffers are smaller than what is sent, stop when
// FIONREAD says so: everything arrives, both ways at once, with a reader that
// keeps up, that pauses, and that lets the queue run into its limit.
func TestTrustFIONREAD(t *testing.T) {
	requireFIONREAD(t)
	for _, x := range []struct {
		name         string
		start, pause time.Duration
		buffer       int
		total        int64
		overLimit    bool
	}{
		{name: "steady", buffer: 4096, total: 3 << 20},
		{name: "pauses", buffer: 16 << 10, pause: 5 * time.Millisecond, total: 3 << 20},
		{name: "odd buffer", buffer: 1234, total: 1 << 20},
		{name: "over the limit", buffer: 32 << 10, start: time.Second, total: 24 << 20, overLimit: true},
	} {
		for _, on := range testkit.Ways() {
			t.Run(fmt.Sprintf("%s/accelerated %t", x.name, on), func(t *testing.T) {
				s := newPlainScene(t)
				if on {
					s.enableTrust(t)
					s.tool.Trust(t, s.client, s.server, s.listener)
				}
				d := s.since(t)
				c := s.open(t, false, false)
				var all []*testkit.Pending[testkit.StreamStats]
				// The sizes of the writes of a server with 32 KB buffers, and
				// of one with small ones.
				for i, end := range []parked{
					{s.server, s.client, c.sfd, c.cfd}, {s.client, s.server, c.cfd, c.sfd},
				} {
					seed := uint64(i + 1)
					all = append(all, testkit.Go(func() (testkit.StreamStats, error) {
						return end.reader.VerifyStream(end.rfd, testkit.ReadOptions{
							Seed: seed, Total: x.total, Mode: testkit.ReadNginx,
							Buffer: x.buffer, Start: x.start, Pause: x.pause, Timeout: trustWait,
						})
					}), testkit.Go(func() (testkit.StreamStats, error) {
						return end.writer.SendStream(end.wfd, testkit.SendOptions{
							Seed: seed, Total: x.total, ChunkMax: 8 << (10 + 2*i),
						})
					}))
				}
				for _, p := range all {
					if _, err := p.Wait(3 * trustWait); err != nil {
						t.Error(err)
					}
				}
				st := s.tool.Status(t)
				if n := d.redirected(st); (n > 0) != on {
					t.Errorf("%d messages redirected", n)
				}
				handed := st.Connections.HandedOverTotal - d.before.Connections.HandedOverTotal
				if handed == 0 && on && x.overLimit {
					t.Error("not handed over: the limit was not tried")
				}
			})
		}
	}
}

// When one direction is handed over, the other returns to TCP as well, and its
// reader is not told by FIONREAD what came before it left the sockhash.
func TestTrustFIONREADOtherDirection(t *testing.T) {
	requireFIONREAD(t)
	s := newTrustScene(t)
	c := s.open(t, false, false)
	c.exchange(t, 1)
	pid := s.tool.Status(t).Sidecar.PID
	d := s.since(t)
	// Nobody takes anything out of the sockhash while the sidecar is stopped.
	if err := unix.Kill(pid, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Kill(pid, unix.SIGCONT) }()
	upload := testkit.SendOptions{Seed: 1, Total: 1500 * 100, ChunkMin: 100, ChunkMax: 100}
	testkit.Must(s.client.SendStream(c.cfd, upload))(t)
	const total = 20 << 10
	testkit.Must(s.server.SendStream(c.sfd, testkit.SendOptions{Seed: 2, Total: total, ChunkMin: total, ChunkMax: total}))(t)
	if st := s.tool.Status(t); st.StayedOnTCP.Limit == d.before.StayedOnTCP.Limit {
		t.Fatal("the limit was not reached")
	}
	reading := testkit.Go(func() (testkit.StreamStats, error) {
		return s.client.VerifyStream(c.cfd, testkit.ReadOptions{
			Seed: 2, Total: total, Mode: testkit.ReadNginx, Buffer: 4096, Timeout: trustWait,
		})
	})
	awaitRead(t, reading, s.client, c.cfd, testkit.NewStream(2).Bytes(4096, 16))
	if err := unix.Kill(pid, unix.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if _, err := reading.Wait(2 * trustWait); err != nil {
		t.Error(err)
	}
	testkit.Must(s.server.VerifyStream(c.sfd, testkit.ReadOptions{
		Seed: 1, Total: upload.Total, Mode: testkit.ReadNginx, Buffer: 4096, Timeout: trustWait,
	}))(t)
}

// Between its entry into the sockhash and the first redirected message, an
// adopted connection receives by TCP what FIONREAD may not count.
func TestTrustFIONREADWhileAdopted(t *testing.T) {
	requireFIONREAD(t)
	s := newPlainScene(t)
	s.enableTrust(t)
	pid := s.tool.Status(t).Sidecar.PID
	if err := unix.Kill(pid, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Kill(pid, unix.SIGCONT) }()
	c := s.open(t, false, false)
	c.exchange(t, 8)
	trustPassesUntil(t, s.tool, func() bool { return trustSocks(t, s.tool) == 2 })
	if st := s.tool.Status(t); st.Connections.Accelerated != 0 || trustSocks(t, s.tool) != 2 {
		t.Fatalf("%d sockets in the sockhash, %d connections accelerated: want 2 and 0 yet",
			trustSocks(t, s.tool), st.Connections.Accelerated)
	}
	const total = 20 << 10
	testkit.Must(s.server.SendStream(c.sfd, testkit.SendOptions{Seed: 2, Total: total, ChunkMin: total, ChunkMax: total}))(t)
	reading := testkit.Go(func() (testkit.StreamStats, error) {
		return s.client.VerifyStream(c.cfd, testkit.ReadOptions{
			Seed: 2, Total: total, Mode: testkit.ReadNginx, Buffer: 4096, Timeout: trustWait,
		})
	})
	awaitRead(t, reading, s.client, c.cfd, testkit.NewStream(2).Bytes(4096, 16))
	if err := unix.Kill(pid, unix.SIGCONT); err != nil {
		t.Fatal(err)
	}
	// It may have been stopped after the last event of this connection.
	trustKick(t, s.tool)
	if _, err := reading.Wait(2 * trustWait); err != nil {
		t.Error(err)
	}
	c.exchange(t, 5)
}

// awaitRead waits until a reader has read its first buffer: something else
// comes next at its socket, or it has read everything.
func awaitRead(tb testing.TB, reading *testkit.Pending[testkit.StreamStats], a *testkit.Agent, fd int, next []byte) {
	tb.Helper()
	for deadline := time.Now().Add(trustWait); !reading.Done(); time.Sleep(time.Millisecond) {
		got, err := a.Recv(fd, len(next), unix.MSG_PEEK)
		if bytes.Equal(got, next) {
			return
		}
		if time.Now().After(deadline) {
			tb.Fatalf("nothing was read: %v", err)
		}
	}
}
