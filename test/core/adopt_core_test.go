package core_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sockaccel/sockaccel/internal/status"
	"github.com/sockaccel/sockaccel/internal/testkit"
)

// adoptWithin is long: an emulated kernel is a hundred times slower.
const adoptWithin = 60 * time.Second

func accelerated(n uint64) func(*status.Status) bool {
	return func(st *status.Status) bool { return st.Connections.Accelerated == n }
}

// talk exchanges messages on every connection and verifies them.
func (s *scene) talk(tb testing.TB, conns [][2]int, rounds int, text string) {
	tb.Helper()
	for _, c := range conns {
		for range rounds {
			s.client.MustSend(tb, c[0], []byte(text))
			s.server.MustRecv(tb, c[1], []byte(text))
			s.server.MustSend(tb, c[1], []byte(strings.ToUpper(text)))
			s.client.MustRecv(tb, c[0], []byte(strings.ToUpper(text)))
		}
	}
}

// redirects requires that every message of a round is redirected, or none.
func (s *scene) redirects(tb testing.TB, conns [][2]int, want bool) {
	tb.Helper()
	before := s.tool.Status(tb)
	s.talk(tb, conns, 2, "counted")
	after := s.tool.Status(tb)
	n := uint64(4 * len(conns))
	if !want {
		n = 0
	}
	if got := after.Messages.Redirected - before.Messages.Redirected; got != n {
		tb.Errorf("redirected %d messages, want %d", got, n)
	}
	if got := after.Messages.TCP - before.Messages.TCP; want && got != 0 {
		tb.Errorf("%d messages by TCP, want none", got)
	}
}

// adopt uses some connections until n are accelerated: reads count as evidence
// from the sidecar's first look at a connection on.
func (s *scene) adopt(tb testing.TB, busy [][2]int, n uint64) *status.Status {
	tb.Helper()
	return s.tool.Await(tb, adoptWithin, "all are adopted", func(st *status.Status) bool {
		s.talk(tb, busy, 1, "busy")
		return st.Connections.Accelerated == n
	})
}

// connections opens n connections.
func (s *scene) connections(tb testing.TB, n int) (conns [][2]int) {
	tb.Helper()
	for range n {
		cfd, sfd := s.connect(tb)
		conns = append(conns, [2]int{cfd, sfd})
	}
	return conns
}

// Connections from before enable are adopted, used since or not, and are
// forgotten when they close.
func TestAdoptLiving(t *testing.T) {
	s := newPlainScene(t)
	conns := s.connections(t, 4)
	s.tool.Enable(t, s.cg)
	st := s.adopt(t, conns[:2], 4)
	if st.Connections.AdoptedTotal != 4 {
		t.Errorf("%d adopted, want 4", st.Connections.AdoptedTotal)
	}
	s.redirects(t, conns, true)
	s.client.MustClose(t, conns[0][0])
	s.server.MustClose(t, conns[0][1])
	s.tool.Await(t, adoptWithin, "the closed one is forgotten", accelerated(3))
	s.redirects(t, conns[1:], true)
}

// Connections that a client opens at once to a service never seen before.
func TestAdoptFresh(t *testing.T) {
	s := newPlainScene(t)
	s.tool.Enable(t, s.cg)
	conns := s.connections(t, 6)
	s.talk(t, conns, 8, "fresh")
	s.tool.Await(t, adoptWithin, "all are adopted without another message", accelerated(6))
	s.redirects(t, conns, true)
}

// A stream in each direction while its connection is adopted.
func TestAdoptStream(t *testing.T) {
	s := newPlainScene(t)
	conns := s.connections(t, 3)
	total := int64(testkit.Volume(2 << 20))
	write := testkit.SendOptions{Total: total, ChunkMax: 4 << 10, Pause: 20 * time.Millisecond, Timeout: 3 * time.Minute}
	read := testkit.ReadOptions{Total: total, Timeout: 3 * time.Minute}
	var pending []*testkit.Pending[testkit.StreamStats]
	start := func(fn func() (testkit.StreamStats, error)) { pending = append(pending, testkit.Go(fn)) }
	for _, c := range conns[:2] {
		start(func() (testkit.StreamStats, error) { return s.client.SendStream(c[0], write) })
		start(func() (testkit.StreamStats, error) { return s.server.VerifyStream(c[1], read) })
		start(func() (testkit.StreamStats, error) { return s.server.SendStream(c[1], write) })
		start(func() (testkit.StreamStats, error) { return s.client.VerifyStream(c[0], read) })
	}
	s.tool.Enable(t, s.cg)
	for _, p := range pending {
		if _, err := p.Wait(4 * time.Minute); err != nil {
			t.Error(err)
		}
	}
	// The streams may have ended before the first pass: make sure of evidence.
	s.talk(t, conns[:2], 8, "evidence")
	// The processes are trusted by now, and this one has never been used.
	s.tool.Await(t, adoptWithin, "the idle one is adopted", func(st *status.Status) bool {
		return st.Connections.Accelerated >= 1
	})
	s.talk(t, conns, 2, "afterwards")
}

// With --no-adopt what was there stays on TCP; what is trusted at its birth
// does not.
func TestAdoptNot(t *testing.T) {
	s := newPlainScene(t)
	old := s.connections(t, 1)
	s.tool.Enable(t, s.cg, "--no-adopt")
	s.talk(t, old, 8, "old")
	// A listener from after enable: it is known at once.
	s.listener, _ = s.server.MustListen(t, testkit.Loopback, true)
	s.tool.Trust(t, s.client, s.server, s.listener)
	born := s.connections(t, 1)
	s.redirects(t, born, true)
	s.redirects(t, old, false)
	if st := s.tool.Status(t); st.Connections.AdoptedTotal != 0 || st.Connections.Accelerated != 1 {
		t.Errorf("%d adopted, %d accelerated, want 0 and 1", st.Connections.AdoptedTotal, st.Connections.Accelerated)
	}
}
