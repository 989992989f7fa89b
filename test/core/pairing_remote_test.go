package core_test

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

// awaitSocks polls until as many live sockets are in the sockhash.
func (s *stage) awaitSocks(tb testing.TB, want int) {
	tb.Helper()
	if !s.on {
		return
	}
	deadline := time.Now().Add(connectWait)
	for got := s.socks(tb); got != want; got = s.socks(tb) {
		if time.Now().After(deadline) {
			tb.Fatalf("%d sockets in the sockhash, want %d", got, want)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// outsider is an agent that is in no scope.
func outsider(tb testing.TB, name string) *testkit.Agent {
	tb.Helper()
	return testkit.StartAgent(tb, testkit.AgentOptions{Name: name, Cgroup: testkit.NewCgroup(tb)})
}

// A trusted client of a server out of scope enters the sockhash, because it
// cannot know, and leaves it at the first data that is acknowledged.
func TestPairRemoteServer(t *testing.T) {
	onAndOff(t, func(t *testing.T, s *stage) {
		client := s.agent(t, "client", nil)
		s.listen(t, client, s.agent(t, "friend", nil), testkit.Loopback, local4)
		l := &line{client: client, server: outsider(t, "stranger")}
		l.listener, l.addr = l.server.MustListen(t, testkit.Loopback, true)
		s.awaitSocks(t, 0)

		before := tallyOf(s.tool.Status(t))
		c := l.connect(t)
		if n := s.socks(t); s.on && n != 1 {
			t.Errorf("%d sockets in the sockhash, want the client", n)
		}
		c.client.MustSend(t, c.cfd, []byte("first"))
		c.server.MustRecv(t, c.sfd, []byte("first"))
		awaitAcked(t, c.client, c.cfd)
		// Not by the sidecar's clean-up of seconds later: at once.
		if n := s.socks(t); n != 0 {
			t.Errorf("%d sockets in the sockhash after data was acknowledged", n)
		}
		// One message was looked at, and from here on none.
		s.await(t, before, tally{tcp: 1, remote: 1})
		s.expect(t, tally{}, func() { c.talk(t, pairingRounds) })
	})
}

func awaitAcked(tb testing.TB, a *testkit.Agent, fd int) {
	tb.Helper()
	deadline := time.Now().Add(connectWait)
	for testkit.Must(a.SIOCOUTQ(fd))(tb) != 0 {
		if time.Now().After(deadline) {
			tb.Fatalf("agent %s: data is not acknowledged", a.Name)
		}
		time.Sleep(time.Millisecond)
	}
}

// A client that only listens to a remote server is forgotten by the sidecar.
func TestPairRemoteServerTalksFirst(t *testing.T) {
	onAndOff(t, func(t *testing.T, s *stage) {
		client := s.agent(t, "client", nil)
		s.listen(t, client, s.agent(t, "friend", nil), testkit.Loopback, local4)
		l := &line{client: client, server: outsider(t, "stranger")}
		l.listener, l.addr = l.server.MustListen(t, testkit.Loopback, true)
		c := l.connect(t)
		c.server.MustSend(t, c.sfd, []byte("welcome"))
		c.client.MustRecv(t, c.cfd, []byte("welcome"))
		s.awaitSocks(t, 0)
		s.expect(t, tally{}, func() { c.talk(t, pairingRounds) })
	})
}

// A remote client: the server knows at its birth.
func TestPairRemoteClient(t *testing.T) {
	onAndOff(t, func(t *testing.T, s *stage) {
		server := s.agent(t, "server", nil)
		l := s.listen(t, s.agent(t, "friend", nil), server, testkit.Loopback, local4)
		stranger := &line{outsider(t, "stranger"), server, l.listener, l.addr}
		s.expect(t, tally{remote: 1}, func() {
			c := stranger.connect(t)
			if n := s.socks(t); n != 0 {
				t.Errorf("%d sockets in the sockhash", n)
			}
			c.talk(t, pairingRounds)
		})
	})
}

// A connect that is refused is no use of the socket: the next one counts.
func TestPairAfterRefusedConnect(t *testing.T) {
	onAndOff(t, func(t *testing.T, s *stage) {
		l := s.listen(t, s.agent(t, "client", nil), s.agent(t, "server", nil), testkit.Loopback, local4)
		_, nobody := boundSocket(t, l.server)
		s.expect(t, tally{redirected: 2 * pairingRounds, paired: 1}, func() {
			cfd := testkit.Must(l.client.Socket(unix.AF_INET, true))(t)
			if err := l.client.Connect(cfd, nobody); err == nil {
				t.Fatal("connected to nobody")
			}
			if err := l.client.ConnectUnspec(cfd); err != nil {
				t.Fatal(err)
			}
			if err := l.client.Connect(cfd, l.addr); err != nil {
				t.Fatal(err)
			}
			sfd := testkit.Must(l.server.Accept(l.listener, true))(t)
			c := &conn{l.client, l.server, cfd, sfd}
			c.talk(t, pairingRounds)
		})
	})
}
