package apps_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/sockaccel/sockaccel/internal/status"
	"github.com/sockaccel/sockaccel/internal/testkit"
)

// scope is a cgroup for other people's programs, accelerated or not.
type scope struct {
	tool *testkit.Tool
	cg   *testkit.Cgroup
	on   bool
}

func newScope(tb testing.TB, on bool) *scope {
	tb.Helper()
	s := &scope{tool: testkit.NewTool(tb), cg: testkit.NewCgroup(tb), on: on}
	if on {
		s.tool.Enable(tb, s.cg)
	}
	return s
}

// offAndOn has the same exchange by plain TCP and accelerated: what holds
// without must hold with.
func offAndOn(t *testing.T, exchange func(*testing.T, *scope)) {
	for _, on := range testkit.Ways() {
		t.Run(fmt.Sprintf("accelerated %t", on), func(t *testing.T) { exchange(t, newScope(t, on)) })
	}
}

// reason picks a counter of what was not accelerated.
type reason func(*status.Status) uint64

func blocking(st *status.Status) uint64   { return st.NotAccelerated.Blocking }
func noEvidence(st *status.Status) uint64 { return st.NotAccelerated.NoEvidence }
func spliced(st *status.Status) uint64    { return st.NotAccelerated.Splice }
func keptOut(st *status.Status) uint64    { return st.NotAccelerated.Excluded + spliced(st) }
func undrained(st *status.Status) uint64  { return st.StayedOnTCP.Undrained }
func handedOver(st *status.Status) uint64 { return st.Connections.HandedOverTotal }

// claim is what docs/compatibility.md says of an exchange.
type claim struct {
	// What the programs sent, of which at least share is redirected.
	bytes, messages int
	share           float64
	// why nothing, or next to nothing, is redirected: the reason is counted,
	// and no more than share is redirected.
	why reason
	// or: less is redirected when this is counted meanwhile.
	or reason
}

// warm repeats an exchange of so many bytes until it is redirected: everybody
// in it is trusted then, and every connection adopted.
func (s *scope) warm(tb testing.TB, bytes int, exchange func()) {
	tb.Helper()
	exchange()
	begin := time.Now()
	for rounds := 1; s.on; rounds++ {
		before := s.tool.Status(tb).Bytes.Redirected
		exchange()
		redirected := s.tool.Status(tb).Bytes.Redirected - before
		if float64(redirected) > 0.95*float64(bytes) {
			tb.Logf("redirected after %d repetitions, %s", rounds, time.Since(begin).Round(time.Millisecond))
			return
		}
		if time.Since(begin) > patience {
			s.diagnose(tb)
			tb.Fatalf("%d of %d bytes redirected, after many repetitions", redirected, bytes)
		}
	}
}

// counted has the exchange, and requires of status what is claimed.
func (s *scope) counted(tb testing.TB, c claim, exchange func()) {
	tb.Helper()
	s.countedAfter(tb, c, func() int { return c.bytes }, exchange)
}

// countedAfter is for an exchange after which is known how many bytes it had.
func (s *scope) countedAfter(tb testing.TB, c claim, sent func() int, exchange func()) {
	tb.Helper()
	before := s.tool.Status(tb)
	exchange()
	c.bytes = sent()
	after := s.tool.Status(tb)
	messages := after.Messages.Redirected - before.Messages.Redirected
	bytes := after.Bytes.Redirected - before.Bytes.Redirected
	if !s.on {
		if n := after.Messages.Redirected + after.Messages.TCP; n != 0 {
			tb.Errorf("%d messages counted while off", n)
		}
		return
	}
	got := float64(bytes) / float64(c.bytes)
	if c.messages > 0 {
		got = float64(messages) / float64(c.messages)
	}
	tb.Logf("share %.3f: %d bytes in %d messages, by TCP in the map %d in %d, "+
		"adopted %d, handed over %d, not accelerated %v, stayed %v", got, bytes, messages,
		after.Bytes.TCP-before.Bytes.TCP, after.Messages.TCP-before.Messages.TCP,
		after.Connections.AdoptedTotal-before.Connections.AdoptedTotal,
		after.Connections.HandedOverTotal-before.Connections.HandedOverTotal,
		after.NotAccelerated, after.StayedOnTCP)
	switch {
	case c.why != nil && (got > c.share || c.why(after) == 0):
		tb.Errorf("a share of %.3f is redirected, want %.2f at most and the reason counted", got, c.share)
	case c.why != nil || c.or != nil && c.or(after) > c.or(before):
	case got < c.share:
		tb.Errorf("a share of %.3f is redirected, want %.2f at least", got, c.share)
	}
}
