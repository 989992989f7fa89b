package core_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

// trustWait is how long what has to happen may take on a busy machine.
const trustWait = 20 * time.Second

// parked is a connection with a thread of a blocking end to be put to sleep.
type parked struct {
	reader, writer *testkit.Agent
	rfd, wfd       int
}

// read starts a recv of the blocking end and returns when it sleeps.
func (p parked) read(tb testing.TB, n, flags int) (*testkit.Pending[[]byte], int) {
	tb.Helper()
	reading := testkit.Go(func() ([]byte, error) { return p.reader.Recv(p.rfd, n, flags) })
	return reading, testkit.Must(p.reader.AwaitBlocked(p.rfd, trustWait))(tb)
}

func wantData(tb testing.TB, reading *testkit.Pending[[]byte], want string) {
	tb.Helper()
	got, err := reading.Wait(trustWait)
	if err != nil || string(got) != want {
		tb.Errorf("recv: %q, %v, want %q", got, err, want)
	}
}

// What a blocking program can see of its socket.
var blockingCases = []struct {
	name string
	run  func(testing.TB, parked)
}{
	{"signal restarts recv", func(tb testing.TB, p parked) {
		reading, tid := p.read(tb, 5, 0)
		if err := p.reader.Interrupt(tid); err != nil {
			tb.Fatal(err)
		}
		if _, err := p.reader.AwaitBlocked(p.rfd, trustWait); err != nil {
			_, failed := reading.Wait(0)
			tb.Fatalf("recv was not restarted: %v, %v", err, failed)
		}
		p.writer.MustSend(tb, p.wfd, []byte("hello"))
		wantData(tb, reading, "hello")
	}},
	{"reset", func(tb testing.TB, p parked) {
		reading, _ := p.read(tb, 5, 0)
		linger := binary.NativeEndian.AppendUint32(nil, 1)
		linger = binary.NativeEndian.AppendUint32(linger, 0)
		if err := p.writer.SetsockoptBytes(p.wfd, unix.SOL_SOCKET, unix.SO_LINGER, linger); err != nil {
			tb.Fatal(err)
		}
		p.writer.MustClose(tb, p.wfd)
		if got, err := reading.Wait(trustWait); !errors.Is(err, unix.ECONNRESET) {
			tb.Errorf("recv: %q, %v, want ECONNRESET", got, err)
		}
	}},
	{"MSG_WAITALL", func(tb testing.TB, p parked) {
		reading, _ := p.read(tb, 6, unix.MSG_WAITALL)
		p.writer.MustSend(tb, p.wfd, []byte("abc"))
		if got, err := reading.Wait(50 * time.Millisecond); reading.Done() {
			tb.Errorf("half the data: %q, %v, want blocked", got, err)
		}
		p.writer.MustSend(tb, p.wfd, []byte("def"))
		wantData(tb, reading, "abcdef")
	}},
	{"another thread writes", func(tb testing.TB, p parked) {
		reading, _ := p.read(tb, 4, 0)
		// Far more than both buffers, so that the other thread has to
		// wait for space, and is woken when there is some.
		const total = 2 << 20
		if err := p.reader.SetsockoptInt(p.rfd, unix.SOL_SOCKET, unix.SO_SNDBUF, 64<<10); err != nil {
			tb.Fatal(err)
		}
		sending := testkit.Go(func() (testkit.StreamStats, error) {
			return p.reader.SendStream(p.rfd, testkit.SendOptions{Seed: 7, Total: total})
		})
		awaitOutq(tb, p.reader, p.rfd)
		testkit.Must(p.writer.VerifyStream(p.wfd, testkit.ReadOptions{Seed: 7, Total: total}))(tb)
		if _, err := sending.Wait(trustWait); err != nil {
			tb.Error(err)
		}
		if got, err := reading.Wait(0); reading.Done() {
			tb.Errorf("recv ended: %q, %v, want blocked", got, err)
			return
		}
		p.writer.MustSend(tb, p.wfd, []byte("late"))
		wantData(tb, reading, "late")
	}},
}

// awaitOutq waits until the peer accepts no more.
func awaitOutq(tb testing.TB, a *testkit.Agent, fd int) {
	tb.Helper()
	for deadline := time.Now().Add(trustWait); ; time.Sleep(time.Millisecond) {
		if testkit.Must(a.SIOCOUTQ(fd))(tb) > 32<<10 {
			return
		}
		if time.Now().After(deadline) {
			tb.Fatal("the send buffer does not fill")
		}
	}
}

// A plain blocking program behaves as without us, with a peer that is trusted
// or blocking too, and its sockets are never in the sockhash.
func TestTrustBlockingProgram(t *testing.T) {
	for _, on := range testkit.Ways() {
		for _, ends := range [][2]bool{{true, false}, {false, true}, {true, true}} {
			t.Run(fmt.Sprintf("accelerated %t/client %t server %t", on, ends[0], ends[1]), func(t *testing.T) {
				testBlockingProgram(t, on, ends[0], ends[1])
			})
		}
	}
}

func testBlockingProgram(t *testing.T, on, clientBlocks, serverBlocks bool) {
	s := newPlainScene(t)
	if on {
		s.enableTrust(t)
		trainBlocking(t, s, clientBlocks, serverBlocks)
	}
	d := s.since(t)
	for _, c := range blockingCases {
		t.Run(c.name, func(t *testing.T) {
			conn := s.open(t, clientBlocks, serverBlocks)
			// What can be adopted would be by now.
			trustPasses(t, s.tool)
			p := parked{s.server, s.client, conn.sfd, conn.cfd}
			if !serverBlocks {
				p = parked{s.client, s.server, conn.cfd, conn.sfd}
			}
			c.run(t, p)
			if n := trustSocks(t, s.tool); n != 0 {
				t.Errorf("%d sockets in the sockhash", n)
			}
			_ = s.client.Close(conn.cfd)
			_ = s.server.Close(conn.sfd)
		})
	}
	st := s.tool.Status(t)
	if n := d.redirected(st); n != 0 {
		t.Errorf("%d messages redirected", n)
	}
	want := 0
	if on {
		want = len(blockingCases)
	}
	if n := d.blocking(st); n != want {
		t.Errorf("%d connections counted as blocking, want %d", n, want)
	}
}

// trainBlocking makes all trusted that can be: only the blocking ends are left
// to keep the connections on TCP.
func trainBlocking(tb testing.TB, s *scene, clientBlocks, serverBlocks bool) {
	tb.Helper()
	other, _ := s.server.MustListen(tb, testkit.Loopback, true)
	s.tool.Trust(tb, s.client, s.server, other)
	s.server.MustClose(tb, other)
	if serverBlocks {
		conn := s.open(tb, clientBlocks, true)
		conn.exchange(tb, 8)
		conn.close(tb)
		return
	}
	s.tool.Trust(tb, s.client, s.server, s.listener)
	conn := s.open(tb, false, false)
	d := s.since(tb)
	conn.exchange(tb, 1)
	if n := d.redirected(s.tool.Status(tb)); n != 2 {
		tb.Fatalf("the service is not trusted: %d messages redirected, want 2", n)
	}
	conn.close(tb)
}

// Blocking clients of a blocking server, from its first connection on: nothing
// is redirected, and recv never says EAGAIN (the echo server would complain).
func TestTrustBlockingEcho(t *testing.T) {
	for _, on := range testkit.Ways() {
		t.Run(fmt.Sprintf("accelerated %t", on), func(t *testing.T) {
			s := newPlainScene(t)
			if on {
				s.enableTrust(t)
			}
			addr := s.server.MustBlockingEcho(t, testkit.Loopback)
			const conns, runs = 10, 3
			for range runs {
				got := testkit.Must(s.client.PingPong(testkit.PingPongOptions{
					Addr: addr, Conns: conns, Rounds: 30, Size: 20_000, Blocking: true,
				}))(t)
				if got.Messages != conns*30 {
					t.Errorf("%d messages, want %d", got.Messages, conns*30)
				}
				if n := trustSocks(t, s.tool); n != 0 {
					t.Errorf("%d sockets in the sockhash", n)
				}
			}
			if stats := testkit.Must(s.server.EchoStats())(t); len(stats.Errors) > 0 {
				t.Errorf("echo server: %v", stats.Errors)
			}
			st := s.tool.Status(t)
			want := uint64(0)
			if on {
				want = conns * runs
			}
			if st.Messages.Redirected != 0 || st.Messages.TCP != 0 || st.NotAccelerated.Blocking != want {
				t.Errorf("messages %+v, blocking %d, want none and %d", st.Messages, st.NotAccelerated.Blocking, want)
			}
		})
	}
}
