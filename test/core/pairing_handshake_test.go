package core_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockaccel/sockaccel/internal/status"
	"github.com/sockaccel/sockaccel/internal/testkit"
)

// netstat returns a counter of a namespace from /proc/net/netstat, so that a
// test can tell that what it is about has happened.
func netstat(tb testing.TB, ns *testkit.Netns, name string) (value int) {
	tb.Helper()
	var text []byte
	var err error
	ns.Do(tb, func() { text, err = os.ReadFile("/proc/thread-self/net/netstat") })
	if err != nil {
		tb.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	for i := 0; i+1 < len(lines); i += 2 {
		values := strings.Fields(lines[i+1])
		for j, field := range strings.Fields(lines[i]) {
			if field == name {
				value, err = strconv.Atoi(values[j])
				if err != nil {
					tb.Fatal(err)
				}
				return value
			}
		}
	}
	tb.Fatalf("no counter %s", name)
	return 0
}

// pairIn is a client and a server in a namespace of the test's own.
func (s *stage) pairIn(t *testing.T, ns *testkit.Netns) *line {
	t.Helper()
	return s.listen(t, s.agent(t, "client", ns), s.agent(t, "server", ns), testkit.Loopback, local4)
}

// With syncookies the server's socket is made from nothing but the client's
// third segment; the numbers are the same.
func TestPairSyncookies(t *testing.T) {
	onAndOff(t, func(t *testing.T, s *stage) {
		ns := testkit.NewNetns(t)
		ns.Sysctl(t, "net.ipv4.tcp_syncookies", "2")
		l := s.pairIn(t, ns)
		before := netstat(t, ns, "SyncookiesRecv")
		s.expect(t, tally{redirected: 2 * pairingRounds, paired: 1}, func() {
			l.connect(t).talk(t, pairingRounds)
		})
		if netstat(t, ns, "SyncookiesRecv") == before {
			t.Error("no syncookie was used")
		}
	})
}

// The server's socket is born by the client's first data, which is on its way
// by TCP: what comes after it may not overtake it.
func TestPairDeferAccept(t *testing.T) {
	onAndOff(t, func(t *testing.T, s *stage) {
		l := s.listen(t, s.agent(t, "client", nil), s.agent(t, "server", nil), testkit.Loopback, local4)
		mustSet(t, l.server, l.listener, unix.TCP_DEFER_ACCEPT, 10)
		for i := range 20 {
			c := &conn{client: l.client, server: l.server, cfd: l.client.MustDial(t, l.addr, true)}
			var sent []byte
			for j := range 5 {
				p := fmt.Appendf(nil, "connection %d, message %d;", i, j)
				c.client.MustSend(t, c.cfd, p)
				sent = append(sent, p...)
			}
			c.sfd = testkit.Must(c.server.Accept(l.listener, true))(t)
			c.server.MustRecv(t, c.sfd, sent)
			c.talk(t, 2)
			c.close(t)
		}
		// It need not be redirected from birth, but in the end.
		c := &conn{client: l.client, server: l.server, cfd: l.client.MustDial(t, l.addr, true)}
		c.client.MustSend(t, c.cfd, []byte("first"))
		c.sfd = testkit.Must(c.server.Accept(l.listener, true))(t)
		c.server.MustRecv(t, c.sfd, []byte("first"))
		if s.on {
			s.tool.Await(t, connectWait, "accelerated", func(st *status.Status) bool {
				return st.Connections.Accelerated == 1
			})
		}
		s.expect(t, tally{redirected: 2 * pairingRounds}, func() { c.talk(t, pairingRounds) })
	})
}

// Data in the SYN: the client's number at its callback is past the data, and
// does not match. The connection stays on TCP.
func TestPairFastOpen(t *testing.T) {
	const fastOpenConnect = 30
	onAndOff(t, func(t *testing.T, s *stage) {
		ns := testkit.NewNetns(t)
		// Client, server, and both without a cookie, for all listeners.
		ns.Sysctl(t, "net.ipv4.tcp_fastopen", strconv.Itoa(1|2|4|0x200|0x400))
		l := s.pairIn(t, ns)
		before := netstat(t, ns, "TCPFastOpenPassive")
		got := s.count(t, func() {
			cfd := testkit.Must(l.client.Socket(unix.AF_INET, true))(t)
			mustSet(t, l.client, cfd, fastOpenConnect, 1)
			if err := l.client.ConnectRaw(cfd, l.addr); err != nil {
				t.Fatal(err)
			}
			l.client.MustSend(t, cfd, []byte("in the SYN"))
			sfd := testkit.Must(l.server.Accept(l.listener, true))(t)
			l.server.MustRecv(t, sfd, []byte("in the SYN"))
			c := &conn{l.client, l.server, cfd, sfd}
			c.talk(t, pairingRounds)
		})
		if netstat(t, ns, "TCPFastOpenPassive") != before+1 {
			t.Error("no data was accepted in the SYN")
		}
		if got.redirected != 0 || got.paired != 0 {
			t.Errorf("counted %+v, want nothing redirected", got)
		}
		if s.on && got.remote == 0 {
			t.Errorf("counted %+v, want a reason", got)
		}
		s.awaitSocks(t, 0)
	})
}

// The accept queue overflows: clients believe to be connected, and send,
// before their servers exist. All is heard in the end, by the right one.
func TestPairAcceptQueueOverflow(t *testing.T) {
	const clients = 6
	onAndOff(t, func(t *testing.T, s *stage) {
		ns := testkit.NewNetns(t)
		// Without them a backlog of 0 lets nobody in.
		ns.Sysctl(t, "net.ipv4.tcp_syncookies", "1")
		l := s.pairIn(t, ns)
		testkit.Must(l.server.Listen(l.listener, 0))(t)
		before := netstat(t, ns, "ListenOverflows")
		var waiting []*testkit.Pending[bool]
		for i := range clients {
			cfd := testkit.Must(l.client.Socket(unix.AF_INET, true))(t)
			waiting = append(waiting, testkit.Go(func() (bool, error) {
				return true, callOut(l, cfd, i)
			}))
		}
		deadline := time.Now().Add(connectWait)
		for netstat(t, ns, "ListenOverflows") == before {
			if time.Now().After(deadline) {
				t.Fatal("the queue does not overflow")
			}
			time.Sleep(time.Millisecond)
		}
		var answers []*testkit.Pending[bool]
		for range clients {
			sfd := testkit.Must(l.server.Accept(l.listener, true))(t)
			answers = append(answers, testkit.Go(func() (bool, error) { return true, answer(l, sfd) }))
		}
		for _, p := range append(answers, waiting...) {
			if _, err := p.Wait(time.Minute); err != nil {
				t.Error(err)
			}
		}
		// The line still works as before.
		s.expect(t, tally{redirected: 2 * pairingRounds, paired: 1}, func() {
			l.connect(t).talk(t, pairingRounds)
		})
	})
}

// callOut says something twice, each time waiting for the echo. Not more at a
// time: with syncookies, Linux answers a second segment whose first was lost
// with a reset, acceleration or not.
func callOut(l *line, cfd, i int) error {
	if err := l.client.Connect(cfd, l.addr); err != nil {
		return err
	}
	for j := range 2 {
		want := fmt.Appendf(nil, "client %06d, call %d", i, j)
		if _, err := l.client.Send(cfd, want, 0); err != nil {
			return err
		}
		got, err := l.client.RecvAll(cfd, len(want), 30*time.Second)
		if err != nil {
			return fmt.Errorf("client %d: %w", i, err)
		}
		if string(got) != string(want) {
			return fmt.Errorf("client %d: answer %q, want %q", i, got, want)
		}
	}
	return l.client.Close(cfd)
}

// answer repeats what a client says, and closes.
func answer(l *line, sfd int) error {
	for j := range 2 {
		p, err := l.server.RecvAll(sfd, len("client 000000, call 0"), 30*time.Second)
		if err != nil {
			return fmt.Errorf("call %d: %w", j, err)
		}
		if _, err := l.server.Send(sfd, p, 0); err != nil {
			return err
		}
	}
	return l.server.Close(sfd)
}
