package load

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Every request that is due is sent and measured, and no other.
func TestRateIsKept(t *testing.T) {
	addrs := startServer(t)
	for _, addr := range []string{addrs.TCP, addrs.Unix} {
		for _, x := range []struct {
			rate  float64
			conns int
		}{{2000, 1}, {5000, 16}, {1000, 256}, {10, 256}, {20, 2}} {
			r := mustRun(t, Command{
				Kind: KindRR, Addr: addr, Connections: x.conns, Rate: x.rate, Seconds: 0.2, WarmupSeconds: 0.1,
			})
			all, measured := int64(x.rate*3/10), int64(x.rate*2/10)
			if r.AllOperations != all || r.Latency.Count() != measured || r.Unanswered != 0 || r.Errors != 0 {
				t.Errorf("rate %g: got %+v with %d latencies, want %d of %d", x.rate, r, r.Latency.Count(), measured, all)
			}
			if r.Operations > all || r.Latency.Quantile(0) <= 0 {
				t.Errorf("rate %g: got %+v, least latency %s", x.rate, r, r.Latency.Quantile(0))
			}
		}
	}
}

// Coordinated omission: when the server pauses, all requests that were due in
// the pause are late, not only the one of each connection that was sent.
func TestRateShowsPause(t *testing.T) {
	const (
		rate, conns = 1000, 4
		pause, late = 400 * time.Millisecond, 100 * time.Millisecond
	)
	var answered atomic.Int64
	var paused sync.RWMutex
	addr := fakeServer(t, func(p *peer) {
		for n := int64(0); p.next(t); n++ {
			if answered.Add(1) == 300 {
				paused.Lock()
				<-time.After(pause)
				paused.Unlock()
			}
			paused.RLock()
			p.say(p.answers.message(n))
			paused.RUnlock()
		}
	})
	r := mustRun(t, Command{Kind: KindRR, Addr: addr, Connections: conns, Rate: rate, Seconds: 1, WarmupSeconds: -1})
	if r.AllOperations+r.Unanswered != rate || r.Latency.Count() != rate || r.Errors != 0 {
		t.Fatalf("got %+v with %d latencies", r, r.Latency.Count())
	}
	// Those due in all but the last 100 ms of the pause.
	affected := (pause - late).Seconds()
	if got := r.Latency.Quantile(1 - affected + 0.01); got < late {
		t.Errorf("only %s at %.2f: the pause of %s is hidden", got, 1-affected+0.01, pause)
	}
	if got := r.Latency.Quantile(1); got < pause*99/100 {
		t.Errorf("at most %s late after a pause of %s", got, pause)
	}
}

// A pause that lasts past the end is no better.
func TestRateShowsPauseAtTheEnd(t *testing.T) {
	const rate, pause = 1000, 500 * time.Millisecond
	var answered atomic.Int64
	addr := fakeServer(t, func(p *peer) {
		for n := int64(0); p.next(t); n++ {
			if answered.Add(1) == 300 {
				<-time.After(pause)
			}
			p.say(p.answers.message(n))
		}
	})
	r := mustRun(t, Command{Kind: KindRR, Addr: addr, Rate: rate, Seconds: 0.4, WarmupSeconds: -1})
	if r.AllOperations+r.Unanswered != 400 || r.Latency.Count() != 400 || r.Operations >= 400 || r.Errors != 0 {
		t.Fatalf("got %+v with %d latencies", r, r.Latency.Count())
	}
	// The last quarter was due in the pause, and none of it less than 400 ms
	// before its end.
	if got := r.Latency.Quantile(0.76); got < pause-110*time.Millisecond {
		t.Errorf("only %s at 0.76: the pause of %s is hidden", got, pause)
	}
}

// A server that is too slow ends the round in bounded time. What it did not
// answer counts as late.
func TestRateIsTooHigh(t *testing.T) {
	const rate = 4000
	addr := fakeServer(t, func(p *peer) {
		for n := int64(0); p.next(t); n++ {
			<-time.After(5 * time.Millisecond)
			p.say(p.answers.message(n))
		}
	})
	r := mustRun(t, Command{Kind: KindRR, Addr: addr, Connections: 2, Rate: rate, Seconds: 0.5, WarmupSeconds: -1})
	if r.Errors != 0 || r.Unanswered+r.AllOperations != rate/2 || r.Latency.Count() != rate/2 {
		t.Fatalf("got %+v with %d latencies", r, r.Latency.Count())
	}
	// At most 200/s on each connection, for the time and a second more.
	if r.Operations > 202 || r.Unanswered < rate/2-602 {
		t.Errorf("got %+v", r)
	}
	if got := r.Latency.Quantile(0.31); got < catchUp {
		t.Errorf("only %s at 0.31, although less than 0.31 was answered", got)
	}
}

// Connections that hang count as errors, and what was due on them as late.
func TestRateNoticesHang(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for the stall timeout")
	}
	t.Parallel()
	addr := fakeServer(t, func(p *peer) {
		for n := int64(0); n < 5 && p.next(t); n++ {
			p.say(p.answers.message(n))
		}
		p.drain()
	})
	r := mustRun(t, Command{Kind: KindRR, Addr: addr, Connections: 2, Rate: 100, Seconds: 0.5, WarmupSeconds: -1})
	if r.AllOperations != 10 || r.Errors != 2 || r.Unanswered != 40 || r.Latency.Count() != 50 {
		t.Fatalf("got %+v with %d latencies", r, r.Latency.Count())
	}
	if got := r.Latency.Quantile(0.21); got < stall {
		t.Errorf("only %s at 0.21, although 0.8 were never answered", got)
	}
}
