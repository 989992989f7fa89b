package soak_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

// kind is a kind of traffic, and what has been done of it.
type kind struct {
	name  string
	lanes int
	once  func(*lane) error

	rounds, messages, sent, received atomic.Int64

	gap atomic.Int64 // longest time between two reads that got something, ns
}

func (k *kind) took(gap time.Duration) {
	for old := k.gap.Load(); int64(gap) > old && !k.gap.CompareAndSwap(old, int64(gap)); old = k.gap.Load() {
	}
}

// lane is one of those that make a kind of traffic, one connection after
// another, until the traffic is finished.
type lane struct {
	traffic *traffic
	kind    *kind
	number  int
	rng     *rand.Rand
}

func (l *lane) client() *testkit.Agent { return l.traffic.scene.clients[l.rng.IntN(3)] }
func (l *lane) service() *service      { return l.traffic.scene.services[l.rng.IntN(3)] }
func (l *lane) next() uint64           { return l.traffic.streams.Add(1) }

// traffic is all of it.
type traffic struct {
	scene   *scene
	kinds   []*kind
	streams atomic.Uint64 // number of the last stream
	done    context.Context
	stop    func()
	over    chan struct{} // closed when all lanes have ended

	mu   sync.Mutex
	errs []error
	seen []string // diagnoses of connections that stand still
}

func startTraffic(tb testing.TB, s *scene) *traffic {
	t := &traffic{scene: s, kinds: kinds(), over: make(chan struct{})}
	t.done, t.stop = context.WithCancel(context.Background())
	tb.Cleanup(t.stop)
	var wg sync.WaitGroup
	for n, k := range t.kinds {
		for i := range k.lanes {
			l := &lane{traffic: t, kind: k, number: i, rng: rand.New(rand.NewPCG(uint64(n), uint64(i)))}
			wg.Go(func() {
				for first := true; first || !t.finished(); first = false {
					if err := k.once(l); err != nil {
						t.fail(fmt.Errorf("%s, lane %d: %w", k.name, i, err))
						return
					}
					k.rounds.Add(1)
				}
			})
		}
	}
	go func() { wg.Wait(); close(t.over) }()
	return t
}

func (t *traffic) finished() bool { return t.done.Err() != nil }

// pause waits for so long, or until the traffic is finished.
func (t *traffic) pause(d time.Duration) {
	select {
	case <-t.done.Done():
	case <-time.After(d):
	}
}

func (t *traffic) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.errs = append(t.errs, err)
}

// healthy fails the test when a lane has failed.
func (t *traffic) healthy(tb testing.TB) {
	tb.Helper()
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, err := range t.errs {
		tb.Error(err)
	}
	for _, text := range t.seen {
		tb.Log(text)
	}
	t.errs, t.seen = nil, nil
}

// finish has every lane end what it is at, and requires that all do.
func (t *traffic) finish(tb testing.TB) {
	tb.Helper()
	t.stop()
	select {
	case <-t.over:
	case <-time.After(4 * stall):
		tb.Error("traffic does not end")
	}
	t.healthy(tb)
	for _, k := range t.kinds {
		if k.sent.Load() != k.received.Load() || k.rounds.Load() == 0 {
			tb.Errorf("%s: %d bytes sent, %d received, in %d rounds", k.name, k.sent.Load(), k.received.Load(), k.rounds.Load())
		}
	}
}

func (t *traffic) report(tb testing.TB) {
	for _, k := range t.kinds {
		tb.Logf("%-20s %7d rounds %9d messages %7d MB, longest gap %s", k.name, k.rounds.Load(), k.messages.Load(),
			k.received.Load()>>20, time.Duration(k.gap.Load()).Round(time.Millisecond))
	}
}
