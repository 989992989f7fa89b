package soak_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sockaccel/sockaccel/internal/status"
	"github.com/sockaccel/sockaccel/internal/testkit"
)

// chaos does to acceleration what can happen to it. It knows what it has asked
// for, so that every call of the tool is one that has to succeed.
type chaos struct {
	scene *scene
	load  *traffic
	rng   *rand.Rand
	done  map[string]int // how often each action was done
	stock *remains
	other *testkit.Tool // of another version; nil without upgrades

	max    string // --max-connections, which lasts until disable
	totals totals
}

// totals are counters over all instances: each begins at zero.
type totals struct {
	since                                    time.Time
	last                                     status.Status
	redirected, bytes, handedOver, limit     uint64
	paired, adopted, mapFull, splice, blocks uint64
}

type action struct {
	name string
	do   func(*chaos, testing.TB)
}

func newChaos(tb testing.TB, s *scene, load *traffic) *chaos {
	n := *seed
	if n == 0 {
		n = rand.Uint64()
	}
	tb.Logf("chaos of -seed %d", n)
	return &chaos{
		scene: s, load: load, rng: rand.New(rand.NewPCG(n, 0)), done: map[string]int{},
		stock: newRemains(s.tool), other: otherVersion(tb, s.tool),
	}
}

// round does every action once, in random order and some time apart.
func (c *chaos) round(tb testing.TB) {
	tb.Helper()
	list := c.actions()
	c.rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	for _, a := range list {
		start := time.Now()
		a.do(c, tb)
		c.done[a.name]++
		c.look(tb)
		if tb.Failed() {
			tb.Fatalf("chaos: %s, begun %s ago", a.name, time.Since(start))
		}
		c.load.pause(time.Duration(c.rng.Int64N(int64(time.Second))))
	}
}

// enable brings acceleration back for all scopes, without filters.
func (c *chaos) enable(tb testing.TB, more ...string) {
	tb.Helper()
	c.filtered(tb, append(more, "--port", "1-65535")...)
}

// filtered enables it for all scopes, with other filters.
func (c *chaos) filtered(tb testing.TB, more ...string) {
	tb.Helper()
	args := []string{"enable", "--accept-risk", testkit.AcceptAll}
	for _, cg := range c.scene.scopes {
		args = append(args, "--cgroup", cg.Path)
	}
	if c.max != "" {
		args = append(args, "--max-connections", c.max)
	}
	c.scene.tool.MustRun(tb, append(args, more...)...)
	c.stock.note(tb)
}

// disable waits for no slow reader for long.
func (c *chaos) disable(tb testing.TB) {
	tb.Helper()
	c.look(tb)
	c.scene.tool.MustRun(tb, "disable", "--drain-timeout", "2s")
	c.max = ""
}

// settle ends the chaos with everything accelerated again.
func (c *chaos) settle(tb testing.TB) {
	tb.Helper()
	c.disable(tb)
	c.enable(tb)
	before := c.scene.tool.Status(tb).Messages.Redirected
	c.scene.tool.Await(tb, stall, "messages redirected after all chaos", func(st *status.Status) bool {
		return st.Messages.Redirected > before+1000
	})
}

// look adds up the counters of all instances, and remembers what was pinned.
func (c *chaos) look(tb testing.TB) {
	tb.Helper()
	st := c.scene.tool.Status(tb)
	if !st.Enabled {
		return
	}
	c.stock.note(tb)
	t := &c.totals
	if st.Since != nil && !st.Since.Equal(t.since) {
		t.since, t.last = *st.Since, status.Status{}
	}
	grow := func(total *uint64, now, before uint64) {
		if now > before { // what is accelerated after all is no longer counted
			*total += now - before
		}
	}
	grow(&t.redirected, st.Messages.Redirected, t.last.Messages.Redirected)
	grow(&t.bytes, st.Bytes.Redirected, t.last.Bytes.Redirected)
	grow(&t.handedOver, st.Connections.HandedOverTotal, t.last.Connections.HandedOverTotal)
	grow(&t.limit, st.StayedOnTCP.Limit, t.last.StayedOnTCP.Limit)
	grow(&t.paired, st.Connections.PairedTotal, t.last.Connections.PairedTotal)
	grow(&t.adopted, st.Connections.AdoptedTotal, t.last.Connections.AdoptedTotal)
	grow(&t.mapFull, st.NotAccelerated.MapFull, t.last.NotAccelerated.MapFull)
	grow(&t.splice, st.NotAccelerated.Splice, t.last.NotAccelerated.Splice)
	grow(&t.blocks, st.NotAccelerated.Blocking, t.last.NotAccelerated.Blocking)
	t.last = *st
}

// report says what was done, and fails the test for what should have happened
// and has not: a soak that stressed nothing proves nothing.
func (c *chaos) report(tb testing.TB) {
	tb.Helper()
	var list []string
	for _, name := range slices.Sorted(maps.Keys(c.done)) {
		list = append(list, name+" "+strconv.Itoa(c.done[name]))
	}
	t := c.totals
	tb.Logf("chaos: %s", strings.Join(list, ", "))
	tb.Logf("%d messages and %d MB redirected; connections: %d accelerated, %d of them adopted, %d handed over; %d messages met a limit; not accelerated: map full %d, splice %d, blocking %d",
		t.redirected, t.bytes>>20, t.paired, t.adopted, t.handedOver, t.limit, t.mapFull, t.splice, t.blocks)
	for _, a := range c.actions() {
		if c.done[a.name] == 0 {
			tb.Errorf("never happened: %s", a.name)
		}
	}
	for name, n := range map[string]uint64{
		"redirected": t.redirected, "adopted": t.adopted, "handed over": t.handedOver, "met a limit": t.limit,
		"map full": t.mapFull, "splice": t.splice, "blocking": t.blocks,
	} {
		if n == 0 {
			tb.Errorf("never happened: %s", name)
		}
	}
}

func (c *chaos) between(lo, hi time.Duration) time.Duration {
	return lo + time.Duration(c.rng.Int64N(int64(hi-lo)))
}

func (c *chaos) port() string { return fmt.Sprint(c.scene.services[c.rng.IntN(3)].addr.Port()) }
