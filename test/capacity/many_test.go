package capacity_test

import (
	"testing"
	"time"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

// 20,000 connections open at once, each of which exchanges verified messages;
// without acceleration first, to know what the kernel needs for them anyway.
func TestMany(t *testing.T) {
	if testing.Short() {
		t.Skip("opens 20,000 connections")
	}
	const couples = 5
	connections := testkit.Volume(4000)
	begin := time.Now()
	plain := many(t, couples, connections, false)
	accelerated := many(t, couples, connections, true)
	t.Logf("kernel memory per connection: %d bytes plain, %d accelerated: %d more (in %v)",
		plain, accelerated, accelerated-plain, time.Since(begin).Round(time.Second))
	if more := accelerated - plain; more > 16<<10 {
		t.Errorf("%d bytes per accelerated connection", more)
	}
}

// many returns the kernel memory per connection while all are open and idle.
func many(t *testing.T, n, connections int, accelerated bool) (perConnection int64) {
	t.Helper()
	tool, cg := testkit.NewTool(t), testkit.NewCgroup(t)
	// Its TIME_WAIT sockets go with the namespace.
	ns := testkit.NewNetns(t)
	if accelerated {
		tool.Enable(t, cg)
	}
	var couples []*couple
	for i := range n {
		c := newCouple(t, i, cg, ns)
		tool.Trust(t, c.client, c.server, c.listener)
		couples = append(couples, c)
	}
	before := kernelMemory(t)
	start := time.Now()
	each(t, couples, func(c *couple) error { return c.open(connections) })
	t.Logf("%d connections opened in %v, accelerated: %v", n*connections, time.Since(start).Round(time.Millisecond), accelerated)
	if accelerated {
		useAll(t, tool, couples, n*connections)
	} else {
		each(t, couples, func(c *couple) error { _, err := c.exchange("hello"); return err })
	}
	perConnection = (kernelMemory(t) - before) / int64(n*connections)
	start = time.Now()
	each(t, couples, func(c *couple) error { return c.close(connections) })
	if accelerated {
		awaitEmpty(t, look(t, tool))
		t.Logf("%d connections closed and forgotten in %v", n*connections, time.Since(start).Round(time.Millisecond))
		tool.Disable(t)
	}
	for _, c := range couples {
		c.client.Kill()
		c.server.Kill()
	}
	return perConnection
}

func useAll(t *testing.T, tool *testkit.Tool, couples []*couple, connections int) {
	t.Helper()
	s := look(t, tool)
	start := time.Now()
	awaitLive(t, tool, s, connections)
	t.Logf("all accelerated after another %v", time.Since(start).Round(time.Millisecond))
	if sockets, pairs := entries(t, s); sockets != 2*connections || pairs != connections {
		t.Errorf("%d sockets and %d pairs in the maps, want %d and %d", sockets, pairs, 2*connections, connections)
	}
	before := testkit.Must(s.Counters())(t)
	start = time.Now()
	each(t, couples, func(c *couple) error { _, err := c.exchange("hello"); return err })
	after := testkit.Must(s.Counters())(t)
	t.Logf("%d messages exchanged in %v", 2*connections, time.Since(start).Round(time.Millisecond))
	if got := after.RedirectedMessages - before.RedirectedMessages; got != uint64(2*connections) {
		t.Errorf("redirected %d messages, want %d", got, 2*connections)
	}
	if got := after.TcpMessages - before.TcpMessages; got != 0 {
		t.Errorf("%d messages by TCP", got)
	}
	if got := testkit.Must(s.Gauges())(t).Live; got != int64(connections) {
		t.Errorf("%d connections accelerated afterwards, want %d", got, connections)
	}
}
