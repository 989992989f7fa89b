package core_test

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/sockaccel/sockaccel/internal/status"
	"github.com/sockaccel/sockaccel/internal/testkit"
)

// The tests of pairing ask one question: do the bytes arrive at the right
// socket, whatever the addresses? So every message names its sender, its
// receiver and its place, and every count is exact.

// stage is where the agents of a pairing test are: a cgroup, accelerated or
// not, and any network namespaces.
type stage struct {
	tool *testkit.Tool
	cg   *testkit.Cgroup
	on   bool
}

// onAndOff runs a test in an accelerated cgroup, and in a plain one: with the
// same bytes, and nothing counted.
func onAndOff(t *testing.T, test func(t *testing.T, s *stage)) {
	t.Helper()
	testkit.RequireRoot(t)
	for _, on := range testkit.Ways() {
		if on {
			t.Run("on", func(t *testing.T) { test(t, newStage(t)) })
			continue
		}
		t.Run("off", func(t *testing.T) {
			test(t, &stage{tool: testkit.NewTool(t), cg: testkit.NewCgroup(t)})
		})
	}
}

func newStage(tb testing.TB) *stage {
	tb.Helper()
	s := &stage{tool: testkit.NewTool(tb), cg: testkit.NewCgroup(tb), on: true}
	s.tool.Enable(tb, s.cg)
	return s
}

func (s *stage) agent(tb testing.TB, name string, ns *testkit.Netns) *testkit.Agent {
	tb.Helper()
	return testkit.StartAgent(tb, testkit.AgentOptions{Name: name, Cgroup: s.cg, Netns: ns})
}

// line is how two agents meet: the listener of one, and where the other dials.
type line struct {
	client, server *testkit.Agent
	listener       int
	addr           netip.AddrPort
}

// listen opens a listener and makes the readers at both ends of it trusted, by
// a connection that is closed again. The address to dial is the listener's
// with dial in its place, if that is valid.
func (s *stage) listen(tb testing.TB, client, server *testkit.Agent, bind netip.AddrPort, dial netip.Addr) *line {
	tb.Helper()
	l := &line{client: client, server: server}
	l.listener, l.addr = server.MustListen(tb, bind, true)
	if dial.IsValid() {
		l.addr = netip.AddrPortFrom(dial, l.addr.Port())
	}
	s.learn(tb, l)
	return l
}

// learn makes the readers of a line trusted, where acceleration is on.
func (s *stage) learn(tb testing.TB, l *line) {
	tb.Helper()
	if s.on {
		c := l.connect(tb)
		c.talk(tb, 8)
		c.close(tb)
	}
}

func (l *line) connect(tb testing.TB) *conn {
	tb.Helper()
	cfd := l.client.MustDial(tb, l.addr, true)
	return &conn{l.client, l.server, cfd, testkit.Must(l.server.Accept(l.listener, true))(tb)}
}

// conn is both ends of a connection.
type conn struct {
	client, server *testkit.Agent
	cfd, sfd       int
}

func (c *conn) close(tb testing.TB) {
	tb.Helper()
	c.client.MustClose(tb, c.cfd)
	c.server.MustClose(tb, c.sfd)
}

// talk sends messages, 2*rounds, from end to end and back; nothing else may
// arrive.
func (c *conn) talk(tb testing.TB, rounds int) {
	tb.Helper()
	for i := range rounds {
		request := fmt.Appendf(nil, "%s asks %s: %d", c.client.Name, c.server.Name, i)
		answer := fmt.Appendf(nil, "%s answers %s: %d, and more", c.server.Name, c.client.Name, i)
		c.client.MustSend(tb, c.cfd, request)
		c.server.MustRecv(tb, c.sfd, request)
		c.server.MustSend(tb, c.sfd, answer)
		c.client.MustRecv(tb, c.cfd, answer)
	}
	mustBeQuiet(tb, c.client, c.cfd)
	mustBeQuiet(tb, c.server, c.sfd)
}

// mustBeQuiet fails if there is anything to read, even EOF.
func mustBeQuiet(tb testing.TB, a *testkit.Agent, fd int) {
	tb.Helper()
	if p, err := a.Recv(fd, 100, 0); !errors.Is(err, unix.EAGAIN) {
		tb.Fatalf("agent %s: received %q, %v, want nothing", a.Name, p, err)
	}
}

func mustBeEOF(tb testing.TB, a *testkit.Agent, fd int) {
	tb.Helper()
	got, err := a.RecvAll(fd, 100, connectWait)
	if err != nil || len(got) != 0 {
		tb.Fatalf("agent %s: received %q, %v, want EOF", a.Name, got, err)
	}
}

// connectWait bounds what takes a moment, on a busy machine.
const connectWait = 20 * time.Second

// tally is what a status counts, as far as pairing goes.
type tally struct {
	redirected, tcp, paired  int64 // messages, connections
	remote, inUse, ambiguous int64
}

func tallyOf(st *status.Status) tally {
	n := st.NotAccelerated
	return tally{
		redirected: int64(st.Messages.Redirected), tcp: int64(st.Messages.TCP),
		paired: int64(st.Connections.PairedTotal),
		remote: int64(n.Remote), inUse: int64(n.InUse), ambiguous: int64(n.Ambiguous),
	}
}

func (t tally) since(b tally) tally {
	return tally{
		t.redirected - b.redirected, t.tcp - b.tcp, t.paired - b.paired,
		t.remote - b.remote, t.inUse - b.inUse, t.ambiguous - b.ambiguous,
	}
}

// count returns what was counted while fn ran.
func (s *stage) count(tb testing.TB, fn func()) tally {
	tb.Helper()
	before := tallyOf(s.tool.Status(tb))
	fn()
	return tallyOf(s.tool.Status(tb)).since(before)
}

// expect fails unless fn is counted as want; and not at all where acceleration
// is off.
func (s *stage) expect(tb testing.TB, want tally, fn func()) {
	tb.Helper()
	if !s.on {
		want = tally{}
	}
	if got := s.count(tb, fn); got != want {
		tb.Errorf("counted %+v, want %+v", got, want)
	}
}

// await polls until what was counted since before is want.
func (s *stage) await(tb testing.TB, before, want tally) {
	tb.Helper()
	if !s.on {
		return
	}
	s.tool.Await(tb, 20*time.Second, fmt.Sprintf("%+v", want), func(st *status.Status) bool {
		return tallyOf(st).since(before) == want
	})
}

// socks returns the number of live sockets in the sockhash.
func (s *stage) socks(tb testing.TB) (n int) {
	tb.Helper()
	if !s.on {
		return 0
	}
	m, err := ebpf.LoadPinnedMap(filepath.Join(s.tool.StateDir, "maps", "socks"), nil)
	if err != nil {
		tb.Fatal(err)
	}
	defer m.Close()
	var key uint64
	for err = m.NextKey(nil, &key); err == nil; err = m.NextKey(key, &key) {
		n++
	}
	if !errors.Is(err, ebpf.ErrKeyNotExist) {
		tb.Fatalf("iterate over sockets: %v", err)
	}
	return n
}
