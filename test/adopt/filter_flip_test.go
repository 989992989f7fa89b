package adopt_test

import (
	"fmt"
	"testing"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

// Filters that change again and again under load: what becomes excluded returns
// to TCP, what becomes included is adopted, and no byte is lost at a change.
func TestFilterFlip(t *testing.T) {
	const conns = 10
	flips := max(testkit.Volume(20), 5)
	s := newScene(t)
	s.tool.Enable(t, s.cg)
	g := s.gauge(t)
	streams := s.openAt(t, testkit.Loopback, 3)
	calm := s.openAt(t, testkit.Loopback, conns)
	done := s.streams(streams, int64(testkit.Volume(24<<20)))
	stop, talk := make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(talk)
		for i := 0; ; i++ {
			for _, c := range calm {
				if err := s.exchange(c, fmt.Sprintf("message %d", i)); err != nil {
					talk <- err
					return
				}
			}
			select {
			case <-stop:
				return
			default:
			}
		}
	}()
	// What the loop talks over is told by its port: streams may be handed
	// over for good, when their reader does not keep up.
	port := fmt.Sprint(testkit.Must(s.server.LocalAddr(calm[0].sfd))(t).Port())
	for range flips {
		s.tool.Enable(t, s.cg, "--port", port)
		if !eventually(patience, func() bool { return g.live(t) == conns }) {
			t.Fatalf("%d connections accelerated, want %d", g.live(t), conns)
		}
		s.tool.Enable(t, s.cg, "--exclude-port", port)
		if !eventually(patience, func() bool { return g.live(t) <= len(streams) }) {
			t.Fatalf("%d connections accelerated, want at most %d", g.live(t), len(streams))
		}
	}
	close(stop)
	if err := <-talk; err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	end := g.counters(t)
	t.Logf("%d adoptions, %d returns, %d messages redirected, %d by TCP", end.Adopted, end.HandedOver, end.RedirectedMessages, end.TcpMessages)
	if want := uint64(flips * conns); end.HandedOver < want || end.Adopted < want {
		t.Errorf("%d adoptions and %d returns, want at least %d", end.Adopted, end.HandedOver, flips*conns)
	}
	if got := s.tool.Status(t).NotAccelerated.Excluded; got < conns {
		t.Errorf("%d counted as excluded, want at least %d", got, conns)
	}
}
