package core_test

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

// A socket that connects to itself (simultaneous open, both numbers the same)
// is its own peer: it stays on TCP, and hears its own words.
func TestPairSelfConnect(t *testing.T) {
	onAndOff(t, func(t *testing.T, s *stage) {
		a := s.agent(t, "alone", nil)
		// Its process is trusted, so that it is not for lack of evidence.
		s.listen(t, a, a, testkit.Loopback, local4)
		s.expect(t, tally{remote: 1}, func() {
			fd := connectToSelf(t, a)
			self := &conn{a, a, fd, fd}
			self.talk(t, pairingRounds)
			if n := s.socks(t); n != 0 {
				t.Errorf("%d sockets in the sockhash", n)
			}
			a.MustClose(t, fd)
		})
	})
}

// A self-connected socket from before enable is not adopted, whatever the
// passes make of its numbers.
func TestPairSelfConnectedBefore(t *testing.T) {
	s := &stage{tool: testkit.NewTool(t), cg: testkit.NewCgroup(t), on: true}
	a := s.agent(t, "alone", nil)
	fd := connectToSelf(t, a)
	self := &conn{a, a, fd, fd}
	s.tool.Enable(t, s.cg)
	self.talk(t, 8) // trusted now
	s.await(t, tally{}, tally{remote: 1})
	s.expect(t, tally{}, func() { self.talk(t, 8) })
	if n := s.socks(t); n != 0 {
		t.Errorf("%d sockets in the sockhash", n)
	}
}

func connectToSelf(tb testing.TB, a *testkit.Agent) (fd int) {
	tb.Helper()
	fd = testkit.Must(a.Socket(unix.AF_INET, true))(tb)
	if err := a.Bind(fd, testkit.Loopback); err != nil {
		tb.Fatal(err)
	}
	addr := testkit.Must(a.LocalAddr(fd))(tb)
	if err := a.Connect(fd, addr); err != nil {
		tb.Fatal(err)
	}
	if peer := testkit.Must(a.PeerAddr(fd))(tb); peer != addr {
		tb.Fatalf("socket %v is connected to %v, want itself", addr, peer)
	}
	return fd
}
