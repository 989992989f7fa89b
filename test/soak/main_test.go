// Package soak_test has every kind of traffic at once while everything that can
// happen to acceleration happens, again and again. Nothing may be lost, stand
// still or be left behind.
package soak_test

import (
	"flag"
	"testing"
	"time"

	"github.com/sockaccel/sockaccel/internal/status"
	"github.com/sockaccel/sockaccel/internal/testkit"
)

var (
	minutes = flag.Float64("minutes", 0, "how long TestSoak goes on; 0 skips it")
	seed    = flag.Uint64("seed", 0, "the chaos of another run; 0 draws one")
)

func TestMain(m *testing.M) { testkit.Main(m) }

// stall is what makes a stop of a connection an error: more than the longest
// time that chaos itself stops it, and than a busy machine needs.
const stall = 30 * time.Second

func TestSoak(t *testing.T) {
	testkit.RequireRoot(t)
	if *minutes <= 0 {
		t.Skip("make soak MINUTES=n runs it")
	}
	warmUp(t)
	before := takeStock(t)
	s := newScene(t)
	load := startTraffic(t, s)
	c := newChaos(t, s, load)
	for end := time.Now().Add(time.Duration(*minutes * float64(time.Minute))); time.Now().Before(end) && !t.Failed(); {
		c.round(t)
		load.healthy(t)
	}
	c.settle(t)
	load.finish(t)
	s.tool.Disable(t)
	c.report(t)
	load.report(t)
	s.close()
	before.requireBack(t, c)
}

// warmUp does all of it once before kernel memory is measured: caches grow at
// first.
func warmUp(t *testing.T) {
	s := newScene(t)
	load := startTraffic(t, s)
	s.tool.Enable(t, s.scopes[0])
	s.tool.Await(t, stall, "messages redirected", func(st *status.Status) bool { return st.Messages.Redirected > 1000 })
	s.tool.Disable(t)
	load.finish(t)
	s.close()
}
