package core_test

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

// TCP_REPAIR lets its owner choose sequence numbers, and so forge a pair: a
// socket that used it stays on TCP.

// TCP_RECV_QUEUE and TCP_SEND_QUEUE of linux/tcp.h.
const recvQueue, sendQueue = 1, 2

// repair puts a socket in repair mode with its next sequence numbers.
func repair(tb testing.TB, a *testkit.Agent, fd int, send, receive uint32) {
	tb.Helper()
	mustSet(tb, a, fd, unix.TCP_REPAIR, 1)
	setSequence(tb, a, fd, sendQueue, send)
	setSequence(tb, a, fd, recvQueue, receive)
}

func setSequence(tb testing.TB, a *testkit.Agent, fd, queue int, number uint32) {
	tb.Helper()
	mustSet(tb, a, fd, unix.TCP_REPAIR_QUEUE, queue)
	value := binary.NativeEndian.AppendUint32(nil, number)
	if err := a.SetsockoptBytes(fd, unix.SOL_TCP, unix.TCP_QUEUE_SEQ, value); err != nil {
		tb.Fatal(err)
	}
}

func mustSet(tb testing.TB, a *testkit.Agent, fd, option, value int) {
	tb.Helper()
	if err := a.SetsockoptInt(fd, unix.SOL_TCP, option, value); err != nil {
		tb.Fatal(err)
	}
}

// Both ends are restored from a checkpoint, as CRIU does: without a segment,
// and with mirrored numbers of choice.
func TestPairRepairedConnection(t *testing.T) {
	onAndOff(t, func(t *testing.T, s *stage) {
		a, b := s.agent(t, "a", nil), s.agent(t, "b", nil)
		s.listen(t, a, b, testkit.Loopback, local4) // trusts both
		s.listen(t, b, a, testkit.Loopback, local4)
		s.expect(t, tally{inUse: 2}, func() {
			afd, aAddr := boundSocket(t, a)
			bfd, bAddr := boundSocket(t, b)
			repair(t, a, afd, 1000, 2000)
			repair(t, b, bfd, 2000, 1000)
			for _, x := range []struct {
				a    *testkit.Agent
				fd   int
				peer netip.AddrPort
			}{{a, afd, bAddr}, {b, bfd, aAddr}} {
				if err := x.a.Connect(x.fd, x.peer); err != nil {
					t.Fatal(err)
				}
			}
			mustSet(t, a, afd, unix.TCP_REPAIR, 0)
			mustSet(t, b, bfd, unix.TCP_REPAIR, 0)
			c := &conn{a, b, afd, bfd}
			c.talk(t, pairingRounds)
			if n := s.socks(t); n != 0 {
				t.Errorf("%d sockets in the sockhash", n)
			}
		})
	})
}

func boundSocket(tb testing.TB, a *testkit.Agent) (fd int, bound netip.AddrPort) {
	tb.Helper()
	fd = testkit.Must(a.Socket(unix.AF_INET, true))(tb)
	if err := a.Bind(fd, testkit.Loopback); err != nil {
		tb.Fatal(err)
	}
	return fd, testkit.Must(a.LocalAddr(fd))(tb)
}

// The number is set in repair mode, and then the socket connects for real: a
// handshake like any other, of which one number was chosen. Only the
// setsockopt hook can know.
func TestPairChosenSequence(t *testing.T) {
	onAndOff(t, func(t *testing.T, s *stage) {
		l := s.listen(t, s.agent(t, "client", nil), s.agent(t, "server", nil), testkit.Loopback, local4)
		// The server finds no client, as if that were remote.
		s.expect(t, tally{inUse: 1, remote: 1}, func() {
			cfd := chosenSocket(t, l.client, 123456)
			if err := l.client.Connect(cfd, l.addr); err != nil {
				t.Fatal(err)
			}
			sfd := testkit.Must(l.server.Accept(l.listener, true))(t)
			c := &conn{l.client, l.server, cfd, sfd}
			c.talk(t, pairingRounds)
			if n := s.socks(t); n != 0 {
				t.Errorf("%d sockets in the sockhash", n)
			}
		})
	})
}

// Repair mode on a live accelerated connection, as for a checkpoint: it goes
// back to TCP for good, and loses nothing.
func TestPairRepairLive(t *testing.T) {
	onAndOff(t, func(t *testing.T, s *stage) {
		l := s.listen(t, s.agent(t, "client", nil), s.agent(t, "server", nil), testkit.Loopback, local4)
		c := l.connect(t)
		c.talk(t, pairingRounds)
		before := tallyOf(s.tool.Status(t))
		c.server.MustSend(t, c.sfd, []byte("unread"))
		mustSet(t, c.client, c.cfd, unix.TCP_REPAIR, 1)
		mustSet(t, c.client, c.cfd, unix.TCP_REPAIR, 0)
		c.client.MustRecv(t, c.cfd, []byte("unread"))
		s.await(t, before, tally{redirected: 1, inUse: 1})
		s.awaitSocks(t, 0)
		s.expect(t, tally{}, func() { c.talk(t, pairingRounds) })
	})
}
