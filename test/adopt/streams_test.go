package adopt_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

// streams writes and verifies a pipelined stream in each direction of every
// connection, with readers of every kind. The channel gives the outcome.
func (s *scene) streams(conns []ends, total int64) <-chan error {
	modes := []testkit.ReadMode{testkit.ReadPoll, testkit.ReadEdge, testkit.ReadNginx}
	errs := make(chan error, 4*len(conns))
	var wg sync.WaitGroup
	for i, c := range conns {
		mode := modes[i%len(modes)]
		for way, x := range []struct {
			from, to *testkit.Agent
			in, out  int
		}{{s.client, s.server, c.cfd, c.sfd}, {s.server, s.client, c.sfd, c.cfd}} {
			seed := uint64(2*i + way)
			wg.Go(func() {
				// The pauses let the reader catch up now and then: without, a
				// stream is never drained and rightly stays on TCP.
				_, err := x.from.SendStream(x.in, testkit.SendOptions{
					Seed: seed, Total: total, ChunkMax: 2 << 10, Pause: 10 * time.Millisecond, Timeout: time.Minute,
				})
				errs <- err
			})
			wg.Go(func() {
				_, err := x.to.VerifyStream(x.out, testkit.ReadOptions{
					Seed: seed, Total: total, Mode: mode, Buffer: 16 << 10, Timeout: time.Minute,
				})
				errs <- err
			})
		}
	}
	done := make(chan error, 1)
	go func() {
		wg.Wait()
		close(errs)
		var all []error
		for err := range errs {
			all = append(all, err)
		}
		done <- errors.Join(all...)
	}()
	return done
}

// Streams under way while their connections are adopted.
func TestStreamsDuringAdoption(t *testing.T) {
	s := newScene(t)
	conns := s.openAt(t, testkit.Loopback, 9)
	done := s.streams(conns, max(int64(testkit.Volume(12<<20)), 2<<20))
	s.tool.Enable(t, s.cg)
	g := s.gauge(t)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	end := g.counters(t)
	t.Logf("%d of %d connections adopted, %d handed over, %d MB redirected", end.Adopted, len(conns), end.HandedOver, end.RedirectedBytes>>20)
	if end.Adopted == 0 || end.RedirectedBytes == 0 {
		t.Error("nothing was adopted while the streams were under way")
	}
	// And they still work.
	for _, c := range conns {
		s.mustExchange(t, c, "afterwards")
	}
	s.closeAll(t, conns)
	s.awaitLive(t, g, 0)
}

// The same streams without acceleration.
func TestStreamsPlain(t *testing.T) {
	s := newScene(t)
	if err := <-s.streams(s.openAt(t, testkit.Loopback, 3), 1<<20); err != nil {
		t.Fatal(err)
	}
	if st := s.tool.Status(t); st.Enabled || st.Bytes.Redirected+st.Bytes.TCP != 0 {
		t.Errorf("something was counted: %+v", st)
	}
}

// Acceleration comes and goes under living connections: every time they are
// adopted anew, and no byte is lost at any of the changes.
func TestToggle(t *testing.T) {
	const toggles, conns = 5, 20
	s := newScene(t)
	done := s.streams(s.openAt(t, testkit.Loopback, 3), int64(testkit.Volume(16<<20)))
	calm := s.openAt(t, testkit.Loopback, conns)
	stop, talk := make(chan struct{}), make(chan error, 1)
	rounds := 0
	go func() {
		defer close(talk)
		for {
			for _, c := range calm {
				if err := s.exchange(c, "still there"); err != nil {
					talk <- err
					return
				}
			}
			rounds++
			select {
			case <-stop:
				return
			default:
			}
		}
	}()
	for range toggles {
		s.tool.Enable(t, s.cg)
		g := s.gauge(t)
		if !eventually(patience, func() bool { return g.live(t) >= conns }) {
			t.Fatalf("%d connections accelerated, want at least %d", g.live(t), conns)
		}
		if g.counters(t).Adopted < conns {
			t.Errorf("%d connections adopted", g.counters(t).Adopted)
		}
		s.tool.Disable(t)
	}
	close(stop)
	if err := <-talk; err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	t.Logf("%d rounds of exchanges on %d connections", rounds, conns)
	if st := s.tool.Status(t); st.Enabled {
		t.Error("still enabled")
	}
}
