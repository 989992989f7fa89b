// Package capacity_test proves what happens at --max-connections, and that
// tens of thousands of connections at once are accelerated, correct and gone
// without a trace when they close.
package capacity_test

import (
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/sockaccel/sockaccel/internal/state"
	"github.com/sockaccel/sockaccel/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

const patience = 30 * time.Second

// couple is a client and a server process with a listener, and the connections
// between them.
type couple struct {
	client, server *testkit.Agent
	listener       int
	addr           netip.AddrPort
	cfds, sfds     []int
}

func newCouple(tb testing.TB, i int, cg *testkit.Cgroup, ns *testkit.Netns) *couple {
	tb.Helper()
	c := &couple{
		client: testkit.StartAgent(tb, testkit.AgentOptions{Name: fmt.Sprintf("client%d", i), Cgroup: cg, Netns: ns}),
		server: testkit.StartAgent(tb, testkit.AgentOptions{Name: fmt.Sprintf("server%d", i), Cgroup: cg, Netns: ns}),
	}
	// An address each, so that each has all ephemeral ports.
	at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, byte(1 + i)}), 0)
	c.listener, c.addr = c.server.MustListen(tb, at, true)
	return c
}

// open adds n connections.
func (c *couple) open(n int) error {
	for range (n + 999) / 1000 {
		batch := min(n, 1000) // fewer than the backlog
		n -= batch
		cfds, err := c.client.ConnectMany(c.addr, batch)
		if err != nil {
			return err
		}
		sfds, err := c.server.AcceptMany(c.listener, batch)
		if err != nil {
			return err
		}
		c.cfds, c.sfds = append(c.cfds, cfds...), append(c.sfds, sfds...)
	}
	return nil
}

// close closes the first n connections.
func (c *couple) close(n int) error {
	if err := c.client.CloseMany(c.cfds[:n]); err != nil {
		return err
	}
	if err := c.server.CloseMany(c.sfds[:n]); err != nil {
		return err
	}
	c.cfds, c.sfds = c.cfds[n:], c.sfds[n:]
	return nil
}

// exchange sends a message each way on every connection, all of them under way
// at the same time, and verifies what arrives where. It returns their number.
func (c *couple) exchange(text string) (messages int, err error) {
	message := func(from *testkit.Agent, i int) string { return fmt.Sprintf("%s %s %d", from.Name, text, i) }
	for _, way := range []struct {
		from, to *testkit.Agent
		in, out  []int
	}{{c.client, c.server, c.cfds, c.sfds}, {c.server, c.client, c.sfds, c.cfds}} {
		for i, fd := range way.in {
			if _, err := way.from.Send(fd, []byte(message(way.from, i)), 0); err != nil {
				return messages, err
			}
		}
		for i, fd := range way.out {
			want := message(way.from, i)
			got, err := way.to.RecvAll(fd, len(want), patience)
			if err != nil {
				return messages, err
			}
			if string(got) != want {
				return messages, fmt.Errorf("agent %s: received %q, want %q", way.to.Name, got, want)
			}
			messages++
		}
	}
	return messages, nil
}

// each runs fn for all couples at once.
func each(tb testing.TB, couples []*couple, fn func(*couple) error) {
	tb.Helper()
	var wg sync.WaitGroup
	for _, c := range couples {
		wg.Go(func() {
			if err := fn(c); err != nil {
				tb.Error(err)
			}
		})
	}
	wg.Wait()
	if tb.Failed() {
		tb.FailNow()
	}
}

// look opens the state itself: it is looked at often.
func look(tb testing.TB, tool *testkit.Tool) *state.State {
	tb.Helper()
	s, err := state.Open(tool.StateDir)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Close() })
	return s
}

func live(tb testing.TB, s *state.State) int {
	tb.Helper()
	return int(testkit.Must(s.Gauges())(tb).Live)
}

func awaitLive(tb testing.TB, tool *testkit.Tool, s *state.State, want int) {
	tb.Helper()
	for deadline := time.Now().Add(patience); live(tb, s) != want; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("%d connections accelerated, want %d: %+v", live(tb, s), want, tool.Status(tb).NotAccelerated)
		}
	}
}

// entries counts the keys of the sockhash and the records of pairs.
func entries(tb testing.TB, s *state.State) (sockets, pairs int) {
	tb.Helper()
	var cookie, value uint64
	it := s.Maps.Socks.Iterate()
	for it.Next(&cookie, &value) {
		sockets++
	}
	if err := it.Err(); err != nil {
		tb.Fatal(err)
	}
	key, record := make([]byte, s.Maps.Pairs.KeySize()), make([]byte, s.Maps.Pairs.ValueSize())
	it = s.Maps.Pairs.Iterate()
	for it.Next(&key, &record) {
		pairs++
	}
	if err := it.Err(); err != nil {
		tb.Fatal(err)
	}
	return sockets, pairs
}

// awaitEmpty returns when nothing is left in the maps.
func awaitEmpty(tb testing.TB, s *state.State) {
	tb.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		sockets, pairs := entries(tb, s)
		if sockets == 0 && pairs == 0 && live(tb, s) == 0 {
			return
		}
		if time.Now().After(deadline) {
			tb.Fatalf("%d accelerated, %d sockets and %d pairs left of closed connections", live(tb, s), sockets, pairs)
		}
	}
}
