package load

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"
)

func TestRun(t *testing.T) {
	addrs := startServer(t)
	measured := map[string]int64{} // by kind: a busy machine may not get round to a single one
	for _, x := range []struct {
		kind  string
		sizes []int
		conns int
	}{
		{KindRR, []int{64, 4097, 64 << 10}, 1},
		{KindRR, []int{64, 64 << 10}, 256},
		{KindStream, []int{64, 5001, 256 << 10}, 1},
		{KindStream, []int{64, 256 << 10}, 16},
		{KindConnect, []int{64, 64 << 10}, 1},
		{KindConnect, []int{64, 64 << 10}, 256},
		{KindHTTP, []int{1, 300_001}, 4},
	} {
		for _, size := range x.sizes {
			for _, addr := range []string{addrs.TCP, addrs.Unix, addrs.HTTP} {
				if (addr == addrs.HTTP) != (x.kind == KindHTTP) {
					continue
				}
				c := Command{Kind: x.kind, Addr: addr, Connections: x.conns, Size: size, Seconds: 0.1, WarmupSeconds: 0.02}
				t.Run(fmt.Sprintf("%s/%d/x%d/%.4s", c.Kind, size, c.Connections, addr), func(t *testing.T) {
					r := mustRun(t, c)
					checkResult(t, c, r)
					measured[c.Kind] += r.Operations
				})
			}
		}
	}
	for _, l := range kinds {
		if measured[l.kind] == 0 {
			t.Errorf("%s: nothing was measured", l.kind)
		}
	}
}

func checkResult(t *testing.T, c Command, r Result) {
	t.Helper()
	if r.AllOperations == 0 || r.AllOperations < r.Operations || r.Errors != 0 || r.FirstError != "" || r.Unanswered != 0 {
		t.Errorf("got %+v", r)
	}
	if r.Seconds != c.Seconds {
		t.Errorf("%g s", r.Seconds)
	}
	if c.Kind == KindStream {
		if r.Operations != r.Bytes/int64(c.Size) || r.SentMessages != r.AllOperations+int64(c.Connections) || r.Latency != nil {
			t.Errorf("got %+v", r)
		}
		return
	}
	if r.Bytes != r.Operations*int64(c.Size) || r.SentMessages != 2*r.AllOperations {
		t.Errorf("got %+v", r)
	}
	// One per connection may begin before the measured time and end in it,
	// and one the other way round.
	n := r.Latency.Count()
	if max(n-r.Operations, r.Operations-n) > int64(c.Connections) {
		t.Errorf("%d latencies of %d operations", n, r.Operations)
	}
	if p50 := r.Latency.Quantile(0.5); n > 0 && (p50 <= 0 || p50 > r.Latency.Quantile(0.99)) {
		t.Errorf("p50 is %s, p99 %s", p50, r.Latency.Quantile(0.99))
	}
}

// What is measured must not be the garbage collector.
func TestLoopsDoNotAllocate(t *testing.T) {
	addrs := startServer(t)
	for _, kind := range []string{KindRR, KindStream} {
		for _, addr := range []string{addrs.TCP, addrs.Unix} {
			c := Command{Kind: kind, Addr: addr, Connections: 4, Seconds: 0.2}
			mustRun(t, c)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			r := mustRun(t, c)
			runtime.ReadMemStats(&after)
			// That of both ends, set-up included.
			if n := after.Mallocs - before.Mallocs; n*5 > uint64(r.AllOperations) {
				t.Errorf("%s at %s: %d allocations for %d operations", kind, addr, n, r.AllOperations)
			}
		}
	}
}

func TestRunStopsWithContext(t *testing.T) {
	addrs := startServer(t)
	for _, c := range []Command{
		{Kind: KindRR, Addr: addrs.TCP},
		{Kind: KindRR, Addr: addrs.Unix, Rate: 10}, // idle most of the time
		{Kind: KindStream, Addr: addrs.TCP},
		{Kind: KindConnect, Addr: addrs.TCP},
		{Kind: KindHTTP, Addr: addrs.HTTP},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		c.Seconds = 600 // go test gives up before that
		if _, err := Run(ctx, c); err != context.DeadlineExceeded {
			t.Errorf("%s: %v", c.Kind, err)
		}
	}
}
