package soak_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// stock is kernel memory, in bytes: what is unreclaimable in all slabs, where
// each queued message takes a kilobyte, and what TCP has reserved, to which
// queued data is charged.
type stock struct{ slab, tcp int64 }

// Other programs and the kernel's own caches change both by a few megabytes.
// What the soak redirects is a multiple (see requireBack): had one message in
// ten left its kilobyte behind it would show.
const tolerance = 16 << 20

func takeStock(tb testing.TB) stock {
	tb.Helper()
	var s stock
	pages := scan(tb, "/proc/net/sockstat", "TCP:", "mem ")
	s.tcp = pages * int64(os.Getpagesize())
	s.slab = scan(tb, "/proc/meminfo", "SUnreclaim:", "SUnreclaim:") << 10
	return s
}

// scan returns the number behind a word of the line that begins so.
func scan(tb testing.TB, path, begin, word string) (n int64) {
	tb.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if _, value, ok := strings.Cut(line, word); ok && strings.HasPrefix(line, begin) {
			if _, err := fmt.Sscan(value, &n); err != nil {
				tb.Fatalf("%s: %q: %v", path, line, err)
			}
			return n
		}
	}
	tb.Fatalf("%s: no %q", path, begin)
	return 0
}

// requireBack fails the test when anything is left, or memory is not back:
// all sockets are closed and acceleration is disabled. Freeing is deferred.
func (s stock) requireBack(tb testing.TB, c *chaos) {
	tb.Helper()
	c.stock.requireNone(tb)
	if used := c.totals.redirected << 10; used < 10*tolerance {
		tb.Errorf("%d messages redirected: too few for a leak to show", c.totals.redirected)
	}
	deadline := time.Now().Add(2 * stall)
	for {
		now := takeStock(tb)
		slab, tcp := now.slab-s.slab, now.tcp-s.tcp
		late := time.Now().After(deadline)
		if max(slab, tcp) < tolerance || late {
			tb.Logf("kernel memory: slabs %+d KB, TCP %+d KB", slab>>10, tcp>>10)
			if late {
				tb.Errorf("kernel memory is not back within %d KB", tolerance>>10)
			}
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}
