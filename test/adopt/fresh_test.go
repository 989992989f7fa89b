package adopt_test

import (
	"testing"
	"time"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

// A client opens many connections at once to a service never seen before: the
// first cannot be trusted at birth, and are adopted after a few exchanges.
func TestFreshService(t *testing.T) {
	const conns = 100
	rounds := int64(max(testkit.Volume(4000), 1000))
	s := newScene(t)
	s.tool.Enable(t, s.cg)
	addr := s.server.MustEcho(t, testkit.Loopback)
	g := s.gauge(t)
	load := testkit.Go(func() (testkit.PingPongResult, error) {
		return s.client.PingPong(testkit.PingPongOptions{Addr: addr, Conns: conns, Rounds: int(rounds), Seed: 1})
	})

	if !eventually(patience, func() bool { return testkit.Must(s.server.EchoStats())(t).Messages > 0 }) {
		t.Fatal("no first exchange")
	}
	first := time.Now()
	s.awaitLive(t, g, conns)
	took := time.Since(first)
	t.Logf("%d connections accelerated %v after their first exchange (goal 200ms)", conns, took.Round(time.Millisecond))
	if took > 5*time.Second {
		t.Errorf("took %v", took)
	}
	if load.Done() {
		t.Error("the load was over before it was accelerated")
	}
	mid := g.counters(t)

	result, err := load.Wait(2 * time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if result.Messages != conns*rounds {
		t.Errorf("%d messages, want %d", result.Messages, conns*rounds)
	}
	if errs := testkit.Must(s.server.EchoStats())(t).Errors; len(errs) > 0 {
		t.Error(errs)
	}
	end := g.counters(t)
	// A verdict that was under way may be counted after the look.
	if more := end.TcpMessages - mid.TcpMessages; more > 4 {
		t.Errorf("%d messages by TCP after all had been accelerated", more)
	}
	if end.RedirectedMessages == mid.RedirectedMessages {
		t.Error("nothing redirected afterwards")
	}
	if end.RedirectedMessages+end.TcpMessages > uint64(2*conns*rounds) {
		t.Errorf("counted %d messages redirected and %d by TCP of %d", end.RedirectedMessages, end.TcpMessages, 2*conns*rounds)
	}
	// Those that came when trust was there already are accelerated at birth.
	if end.Paired != conns || end.Adopted == 0 {
		t.Errorf("%d connections accelerated, %d of them adopted, want %d and some", end.Paired, end.Adopted, conns)
	}
	s.awaitLive(t, g, 0)
}
