// Package adopt_test proves that connections get in without having been
// trusted at their birth, get out and in again with the filters, and that their
// bytes are exact meanwhile.
package adopt_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/sockaccel/sockaccel/bpf"
	"github.com/sockaccel/sockaccel/internal/state"
	"github.com/sockaccel/sockaccel/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// patience is for what should take milliseconds, on a machine that others use.
const patience = 10 * time.Second

// scene is a client and a server process in one cgroup, nothing enabled yet.
type scene struct {
	tool           *testkit.Tool
	cg             *testkit.Cgroup
	client, server *testkit.Agent
}

func newScene(tb testing.TB) *scene {
	tb.Helper()
	return newSceneIn(tb, nil, nil)
}

func newSceneIn(tb testing.TB, client, server *testkit.Netns) *scene {
	tb.Helper()
	s := &scene{tool: testkit.NewTool(tb), cg: testkit.NewCgroup(tb)}
	s.client = testkit.StartAgent(tb, testkit.AgentOptions{Name: "client", Cgroup: s.cg, Netns: client})
	s.server = testkit.StartAgent(tb, testkit.AgentOptions{Name: "server", Cgroup: s.cg, Netns: server})
	return s
}

// gauge looks at the maps themselves: running the tool for every look would
// take the processor time from what is measured.
type gauge struct{ *state.State }

// gauge is valid until the next disable.
func (s *scene) gauge(tb testing.TB) gauge {
	tb.Helper()
	st, err := state.Open(s.tool.StateDir)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { st.Close() })
	return gauge{st}
}

// live is what status calls accelerated.
func (g gauge) live(tb testing.TB) int {
	tb.Helper()
	return int(testkit.Must(g.Gauges())(tb).Live)
}

func (g gauge) counters(tb testing.TB) bpf.AccelCounters {
	tb.Helper()
	return testkit.Must(g.Counters())(tb)
}

// sockets returns the cookies of the sockets in the sockhash.
func (g gauge) sockets(tb testing.TB) (cookies []uint64) {
	tb.Helper()
	var cookie, value uint64
	it := g.Maps.Socks.Iterate()
	for it.Next(&cookie, &value) {
		cookies = append(cookies, cookie)
	}
	if err := it.Err(); err != nil {
		tb.Fatal(err)
	}
	return cookies
}

// awaitLive returns when so many connections are accelerated.
func (s *scene) awaitLive(tb testing.TB, g gauge, want int) {
	tb.Helper()
	best := 0
	if !eventually(patience, func() bool {
		now := g.live(tb)
		best = max(best, now)
		return now == want
	}) {
		tb.Fatalf("%d connections accelerated (at most %d), want %d; %+v", g.live(tb), best, want, s.tool.Status(tb).NotAccelerated)
	}
}

// eventually polls a condition that another process brings about.
func eventually(within time.Duration, ok func() bool) bool {
	for deadline := time.Now().Add(within); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

// ends is one connection between client and server.
type ends struct{ cfd, sfd int }

// exchange sends a message each way, and verifies both.
func (s *scene) exchange(c ends, text string) error {
	for _, way := range []struct {
		from, to *testkit.Agent
		in, out  int
	}{{s.client, s.server, c.cfd, c.sfd}, {s.server, s.client, c.sfd, c.cfd}} {
		if _, err := way.from.Send(way.in, []byte(text), 0); err != nil {
			return err
		}
		got, err := way.to.RecvAll(way.out, len(text), patience)
		if err != nil {
			return err
		}
		if string(got) != text {
			return fmt.Errorf("agent %s: received %q, want %q", way.to.Name, got, text)
		}
	}
	return nil
}

func (s *scene) mustExchange(tb testing.TB, c ends, text string) {
	tb.Helper()
	if err := s.exchange(c, text); err != nil {
		tb.Fatal(err)
	}
}

// openAt opens n connections to a server address; nobody has used them yet.
func (s *scene) openAt(tb testing.TB, at netip.AddrPort, n int) []ends {
	tb.Helper()
	listener, addr := s.server.MustListen(tb, at, true)
	var conns []ends
	for len(conns) < n {
		batch := min(n-len(conns), 1000) // fewer than the backlog
		cfds := testkit.Must(s.client.ConnectMany(addr, batch))(tb)
		sfds := testkit.Must(s.server.AcceptMany(listener, batch))(tb)
		for i := range batch {
			conns = append(conns, ends{cfds[i], sfds[i]})
		}
	}
	s.server.MustClose(tb, listener)
	return conns
}

func (s *scene) closeAll(tb testing.TB, conns []ends) {
	tb.Helper()
	var cfds, sfds []int
	for _, c := range conns {
		cfds, sfds = append(cfds, c.cfd), append(sfds, c.sfd)
	}
	if err := s.client.CloseMany(cfds); err != nil {
		tb.Fatal(err)
	}
	if err := s.server.CloseMany(sfds); err != nil {
		tb.Fatal(err)
	}
}
