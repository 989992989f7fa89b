package adopt_test

import (
	"bytes"
	"os"
	"testing"
	"time"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

// Blocking sockets are not adopted, whichever end it is, whether the
// connection is older than enable or not. A connection beside them, opened
// last, shows that the passes that adopt have been.
func TestBlockingStays(t *testing.T) {
	s := newScene(t)
	pair := func(o testkit.PairOptions) ends {
		cfd, sfd := testkit.Pair(t, s.client, s.server, o)
		return ends{cfd, sfd}
	}
	clientBlocks := testkit.PairOptions{ClientBlocking: true}
	serverBlocks := testkit.PairOptions{ServerBlocking: true}
	blocking := []ends{pair(clientBlocks), pair(serverBlocks)}
	s.tool.Enable(t, s.cg)
	blocking = append(blocking, pair(clientBlocks), pair(serverBlocks))
	for _, c := range blocking {
		for range 10 {
			s.mustExchange(t, c, "blocking")
		}
	}
	g := s.gauge(t)
	control := &scene{tool: s.tool, cg: s.cg}
	control.client = testkit.StartAgent(t, testkit.AgentOptions{Name: "client2", Cgroup: s.cg})
	control.server = testkit.StartAgent(t, testkit.AgentOptions{Name: "server2", Cgroup: s.cg})
	// One that nobody reads tells only by its flag, its processes are trusted.
	cfd, sfd := testkit.Pair(t, control.client, control.server, serverBlocks)
	c := control.openAt(t, testkit.Loopback, 1)[0]
	for range 10 {
		control.mustExchange(t, c, "control")
	}
	s.awaitLive(t, g, 1)
	for range 8 { // more than an adoption needs
		s.awaitPass(t, g)
	}
	if sockets := g.sockets(t); len(sockets) != 2 {
		t.Errorf("%d sockets in the sockhash, want those of the control connection", len(sockets))
	}
	before := g.counters(t)
	control.mustExchange(t, ends{cfd, sfd}, "blocking")
	for _, c := range blocking {
		s.mustExchange(t, c, "blocking")
	}
	if got := g.counters(t).RedirectedMessages - before.RedirectedMessages; got != 0 {
		t.Errorf("redirected %d messages of blocking sockets", got)
	}
	if got := s.tool.Status(t).NotAccelerated.Blocking; got != uint64(len(blocking)+1) {
		t.Errorf("counted %d blocking connections, want %d", got, len(blocking)+1)
	}
}

// With --no-adopt a connection is accelerated at its birth or never.
func TestNoAdopt(t *testing.T) {
	s := newScene(t)
	old := s.openAt(t, testkit.Loopback, 1)[0]
	s.tool.Enable(t, s.cg, "--no-adopt")
	g := s.gauge(t)
	listener, addr := s.server.MustListen(t, testkit.Loopback, true)
	untrusted := ends{s.client.MustDial(t, addr, true), testkit.Must(s.server.Accept(listener, true))(t)}
	for range 10 {
		s.mustExchange(t, old, "old")
		s.mustExchange(t, untrusted, "untrusted")
	}
	s.tool.Trust(t, s.client, s.server, listener)
	trusted := ends{s.client.MustDial(t, addr, true), testkit.Must(s.server.Accept(listener, true))(t)}
	s.awaitLive(t, g, 1)
	for range 8 { // more than an adoption needs
		s.awaitPass(t, g)
	}
	before := g.counters(t)
	s.mustExchange(t, old, "old")
	s.mustExchange(t, untrusted, "untrusted")
	s.mustExchange(t, trusted, "trusted")
	end := g.counters(t)
	if end.Adopted != 0 || g.live(t) != 1 {
		t.Errorf("%d adopted, %d accelerated, want 0 and 1", end.Adopted, g.live(t))
	}
	if got := end.RedirectedMessages - before.RedirectedMessages; got != 2 {
		t.Errorf("redirected %d messages, want the 2 of the trusted connection", got)
	}
}

// passes is how often the sidecar has looked through all sockets.
func (s *scene) passes(tb testing.TB) int {
	tb.Helper()
	return bytes.Count(testkit.Must(os.ReadFile(s.tool.Log))(tb), []byte("msg=pass"))
}

// awaitPass makes the sidecar look, and returns when it has.
func (s *scene) awaitPass(tb testing.TB, g gauge) {
	tb.Helper()
	before := s.passes(tb)
	if err := g.Kick(); err != nil {
		tb.Fatal(err)
	}
	if !eventually(patience, func() bool { return s.passes(tb) > before }) {
		tb.Fatalf("no pass within %v", time.Duration(patience))
	}
}
