package core_test

import (
	"fmt"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

// collisionRounds is fewer where an emulated processor runs them.
func collisionRounds() int {
	if testkit.InVM() {
		return 30
	}
	return 200
}

// twins are two namespaces in which the same server port is listened to at
// the same address.
func twins(t *testing.T, s *stage) (a, b *line) {
	bind := netip.MustParseAddrPort("127.0.0.1:7000")
	var lines [2]*line
	for i, name := range []string{"A", "B"} {
		ns := testkit.NewNetns(t)
		lines[i] = s.listen(t, s.agent(t, name+"client", ns), s.agent(t, name+"server", ns), bind, local4)
	}
	return lines[0], lines[1]
}

// dialFrom connects from a port of choice.
func (l *line) dialFrom(tb testing.TB, port int) *conn {
	tb.Helper()
	cfd, err := l.tryDialFrom(port)
	if err != nil {
		tb.Fatal(err)
	}
	return &conn{l.client, l.server, cfd, testkit.Must(l.server.Accept(l.listener, true))(tb)}
}

func (l *line) tryDialFrom(port int) (cfd int, err error) {
	cfd, err = l.client.Socket(unix.AF_INET, true)
	if err != nil {
		return -1, err
	}
	if err := l.client.Bind(cfd, netip.AddrPortFrom(local4, uint16(port))); err != nil {
		return -1, err
	}
	return cfd, l.client.Connect(cfd, l.addr)
}

// mustSameTuple makes sure that the test tests something.
func mustSameTuple(tb testing.TB, a, b *conn) {
	tb.Helper()
	tuple := func(c *conn) string {
		return fmt.Sprint(testkit.Must(c.client.LocalAddr(c.cfd))(tb), testkit.Must(c.client.PeerAddr(c.cfd))(tb))
	}
	if tuple(a) != tuple(b) {
		tb.Fatalf("connections %s and %s are not the same", tuple(a), tuple(b))
	}
}

// Two namespaces have the same connection at the same time.
func TestPairCollision(t *testing.T) {
	onAndOff(t, func(t *testing.T, s *stage) {
		la, lb := twins(t, s)
		rounds := collisionRounds()
		s.expect(t, tally{redirected: int64(rounds) * 8, paired: int64(rounds) * 2}, func() {
			for i := range rounds {
				port := 20000 + i
				// Opened at once, so that the handshakes interleave.
				dial := testkit.Go(func() (int, error) { return la.tryDialFrom(port) })
				b := lb.dialFrom(t, port)
				cfd := testkit.Must(dial.Wait(connectWait))(t)
				a := &conn{la.client, la.server, cfd, testkit.Must(la.server.Accept(la.listener, true))(t)}
				if i == 0 {
					mustSameTuple(t, a, b)
				}
				a.talk(t, 1)
				b.talk(t, 1)
				a.talk(t, 1)
				b.talk(t, 1)
				a.close(t)
				b.close(t)
			}
		})
	})
}

// A's client closes while its server still holds its end, with bytes that it
// has not read; B opens the same tuple. Keyed by tuples, B's bytes would go to
// A's server.
func TestPairCollisionWithHeldEnd(t *testing.T) {
	onAndOff(t, func(t *testing.T, s *stage) {
		la, lb := twins(t, s)
		rounds := collisionRounds()
		s.expect(t, tally{redirected: int64(rounds) * 7, paired: int64(rounds) * 2}, func() {
			for i := range rounds {
				a := la.dialFrom(t, 20000+i)
				a.talk(t, 1)
				secret := fmt.Appendf(nil, "A's unread message %d", i)
				a.client.MustSend(t, a.cfd, secret)
				a.client.MustClose(t, a.cfd)

				b := lb.dialFrom(t, 20000+i)
				b.talk(t, 2)
				a.server.MustRecv(t, a.sfd, secret)
				mustBeEOF(t, a.server, a.sfd)

				b.close(t)
				a.server.MustClose(t, a.sfd)
			}
		})
	})
}

// The other way round: A's server closes, its client holds its end.
func TestPairCollisionWithHeldClient(t *testing.T) {
	onAndOff(t, func(t *testing.T, s *stage) {
		la, lb := twins(t, s)
		rounds := collisionRounds() / 4
		s.expect(t, tally{redirected: int64(rounds) * 7, paired: int64(rounds) * 2}, func() {
			for i := range rounds {
				a := la.dialFrom(t, 20000+i)
				a.talk(t, 1)
				secret := fmt.Appendf(nil, "A's unread answer %d", i)
				a.server.MustSend(t, a.sfd, secret)
				a.server.MustClose(t, a.sfd)

				b := lb.dialFrom(t, 20000+i)
				b.talk(t, 2)
				a.client.MustRecv(t, a.cfd, secret)
				mustBeEOF(t, a.client, a.cfd)

				b.close(t)
				a.client.MustClose(t, a.cfd)
			}
		})
	})
}
