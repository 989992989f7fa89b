package core_test

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockaccel/sockaccel/internal/status"
	"github.com/sockaccel/sockaccel/internal/testkit"
)

// gone waits until the connection has left the sockhash.
func gone(tb testing.TB, s *scene) {
	tb.Helper()
	s.tool.Await(tb, trustWait, "out of the sockhash", func(st *status.Status) bool {
		return st.Connections.Accelerated == 0 && trustSocks(tb, s.tool) == 0
	})
}

// leftAsBlocking checks that the connection returned to TCP, counted once as
// blocking, and that MSG_WAITALL waits again as on any TCP socket.
func (c trustConn) leftAsBlocking(tb testing.TB, s *scene, d trustDelta, p parked) {
	tb.Helper()
	gone(tb, s)
	before := s.tool.Status(tb)
	c.exchange(tb, 5)
	reading, _ := p.read(tb, 6, unix.MSG_WAITALL)
	p.writer.MustSend(tb, p.wfd, []byte("abc"))
	p.writer.MustSend(tb, p.wfd, []byte("def"))
	wantData(tb, reading, "abcdef")
	trustPasses(tb, s.tool)
	st := s.tool.Status(tb)
	if n := d.blocking(st); n != 1 {
		tb.Errorf("%d connections counted as blocking, want 1", n)
	}
	if st.Messages != before.Messages {
		tb.Errorf("messages %+v after it left, were %+v", st.Messages, before.Messages)
	}
	if n := trustSocks(tb, s.tool); n != 0 {
		tb.Errorf("%d sockets in the sockhash again", n)
	}
}

func (c trustConn) setBlocking(tb testing.TB, client bool) {
	tb.Helper()
	a, fd := c.server, c.sfd
	if client {
		a, fd = c.client, c.cfd
	}
	if err := a.SetNonblock(fd, false); err != nil {
		tb.Fatal(err)
	}
}

// A client connects non-blocking and is blocking before the first exchange, as
// with a connect timeout: nothing is redirected to or from it.
func TestTrustClientTurnsBlockingAtOnce(t *testing.T) {
	t.Run("server speaks first", func(t *testing.T) {
		s := newTrustScene(t)
		d := s.since(t)
		c := s.open(t, false, false)
		c.setBlocking(t, true)
		p := parked{c.client, c.server, c.cfd, c.sfd}
		reading, _ := p.read(t, 8, 0)
		s.server.MustSend(t, c.sfd, []byte("greeting"))
		wantData(t, reading, "greeting")
		if n := d.redirected(s.tool.Status(t)); n != 0 {
			t.Errorf("%d messages redirected to a blocking socket", n)
		}
		c.leftAsBlocking(t, s, d, p)
	})
	t.Run("client speaks first", func(t *testing.T) {
		s := newTrustScene(t)
		d := s.since(t)
		c := s.open(t, false, false)
		c.setBlocking(t, true)
		c.exchange(t, 1)
		if n := d.redirected(s.tool.Status(t)); n != 0 {
			t.Errorf("%d messages redirected from or to a blocking socket", n)
		}
		c.leftAsBlocking(t, s, d, parked{c.client, c.server, c.cfd, c.sfd})
	})
}

// Either end turns blocking after some exchanges: its own next message tells.
func TestTrustTurnsBlockingLater(t *testing.T) {
	for _, client := range []bool{true, false} {
		t.Run(map[bool]string{true: "client", false: "server"}[client], func(t *testing.T) {
			s := newTrustScene(t)
			d := s.since(t)
			c := s.open(t, false, false)
			c.exchange(t, 10)
			if n := d.redirected(s.tool.Status(t)); n != 20 {
				t.Fatalf("%d messages redirected, want 20", n)
			}
			p := parked{c.client, c.server, c.cfd, c.sfd}
			if !client {
				p = parked{c.server, c.client, c.sfd, c.cfd}
			}
			c.setBlocking(t, client)
			// It may still be redirected to, and a blocking recv must see it.
			reading, _ := p.read(t, 5, 0)
			p.writer.MustSend(t, p.wfd, []byte("still"))
			wantData(t, reading, "still")
			p.reader.MustSend(t, p.rfd, []byte("tells"))
			p.writer.MustRecv(t, p.wfd, []byte("tells"))
			c.leftAsBlocking(t, s, d, p)
		})
	}
}

// One end only reads: messages to it tell after a while.
func TestTrustReaderTurnsBlocking(t *testing.T) {
	s := newTrustScene(t)
	d := s.since(t)
	c := s.open(t, false, false)
	c.exchange(t, 10)
	c.setBlocking(t, true)
	const total = 1 << 20
	reading := testkit.Go(func() (testkit.StreamStats, error) {
		return s.client.VerifyStream(c.cfd, testkit.ReadOptions{Seed: 3, Total: total})
	})
	testkit.Must(s.server.SendStream(c.sfd, testkit.SendOptions{Seed: 3, Total: total, ChunkMax: 2000}))(t)
	if _, err := reading.Wait(trustWait); err != nil {
		t.Fatal(err)
	}
	c.leftAsBlocking(t, s, d, parked{c.client, c.server, c.cfd, c.sfd})
}

// A server accepts first and makes the socket non-blocking then, as asyncio
// does, and as all do without accept4.
func TestTrustAcceptThenNonblock(t *testing.T) {
	s := newTrustScene(t)
	for _, early := range []bool{false, true} {
		d := s.since(t)
		addr := testkit.Must(s.server.LocalAddr(s.listener))(t)
		c := trustConn{client: s.client, server: s.server, cfd: s.client.MustDial(t, addr, true)}
		want := 20
		if early {
			// Without a file, nobody can be blocked in recv.
			s.client.MustSend(t, c.cfd, []byte("early"))
			want++
		}
		c.sfd = testkit.Must(s.server.Accept(s.listener, false))(t)
		if err := s.server.SetNonblock(c.sfd, true); err != nil {
			t.Fatal(err)
		}
		if early {
			s.server.MustRecv(t, c.sfd, []byte("early"))
		}
		c.exchange(t, 10)
		st := s.tool.Status(t)
		if n := d.redirected(st); n != want {
			t.Errorf("early %t: %d messages redirected, want %d", early, n, want)
		}
		if n := d.blocking(st); n != 0 {
			t.Errorf("early %t: %d counted as blocking", early, n)
		}
		c.close(t)
	}
}

// Accepted non-blocking, blocking before its first read, with
// redirected data waiting already.
func TestTrustAcceptThenBlocking(t *testing.T) {
	s := newTrustScene(t)
	d := s.since(t)
	addr := testkit.Must(s.server.LocalAddr(s.listener))(t)
	c := trustConn{client: s.client, server: s.server, cfd: s.client.MustDial(t, addr, true)}
	s.client.MustSend(t, c.cfd, []byte("early"))
	c.sfd = testkit.Must(s.server.Accept(s.listener, true))(t)
	c.setBlocking(t, false)
	if got, err := s.server.Recv(c.sfd, 100, 0); err != nil || string(got) != "early" {
		t.Fatalf("recv: %q, %v", got, err)
	}
	p := parked{c.server, c.client, c.sfd, c.cfd}
	reading, _ := p.read(t, 4, 0)
	s.client.MustSend(t, c.cfd, []byte("next"))
	wantData(t, reading, "next")
	if n := d.redirected(s.tool.Status(t)); n != 1 {
		t.Errorf("%d messages redirected, want 1, before accept", n)
	}
	c.leftAsBlocking(t, s, d, p)

	// What was learnt from its reads keeps the next one out at birth.
	d = s.since(t)
	c2 := s.open(t, false, false)
	if n := trustSocks(t, s.tool); n != 0 {
		t.Errorf("%d sockets in the sockhash, want none", n)
	}
	c2.exchange(t, 1)
	if n := d.blocking(s.tool.Status(t)); n != 1 {
		t.Errorf("%d connections counted as blocking, want 1", n)
	}
}

// A client that connects blocking and then turns non-blocking is adopted, the
// next one as well, when nothing new is learnt from it any more.
func TestTrustConnectThenNonblock(t *testing.T) {
	s := newTrustScene(t)
	for range 3 {
		d := s.since(t)
		c := s.open(t, true, false)
		if n := d.blocking(s.tool.Status(t)); n != 1 || trustSocks(t, s.tool) != 0 {
			t.Errorf("%d connections counted as blocking, want 1", n)
		}
		if err := s.client.SetNonblock(c.cfd, true); err != nil {
			t.Fatal(err)
		}
		c.exchange(t, 8)
		st := s.tool.Await(t, 5*time.Second, "adopted", func(st *status.Status) bool {
			return st.Connections.Accelerated == 1
		})
		if st.Connections.AdoptedTotal != d.before.Connections.AdoptedTotal+1 || d.blocking(st) != 0 {
			t.Errorf("adopted %d, blocking %d, want one more and 0", st.Connections.AdoptedTotal, d.blocking(st))
		}
		d = s.since(t)
		c.exchange(t, 10)
		if n := d.redirected(s.tool.Status(t)); n != 20 {
			t.Errorf("%d messages redirected, want 20", n)
		}
		c.close(t)
		gone(t, s)
	}
}
