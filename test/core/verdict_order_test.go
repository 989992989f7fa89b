package core_test

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sockaccel/sockaccel/internal/state"
	"github.com/sockaccel/sockaccel/internal/testkit"
)

// Invariant I1 while both directions of many connections change their path
// all the time: no byte is lost, doubled or overtaken, and no reader stalls.
func TestVerdictOrderUnderToggling(t *testing.T) {
	modes := newTrustedScene(t)
	for _, mode := range modes.readModes(t) {
		t.Run(mode.String(), func(t *testing.T) {
			s := newTrustedScene(t)
			before := s.counts(t)
			toggles := toggle(t, s)
			// Half of the connections stay, so that they toggle often; half
			// are new in every round, so that much is redirected also where
			// a connection that went back to TCP has to be adopted again.
			links := make([]duplex, 8)
			enough := max(int64(testkit.Volume(40)), 10)
			piece, rounds := int64(testkit.Volume(2<<20)), 0
			for ; rounds < 3 || toggles.Load() < enough; rounds++ {
				var wg sync.WaitGroup
				for i := range links {
					l := &links[i]
					if rounds == 0 || i%2 == 0 {
						l.close(t, s)
						l.seed, l.off = uint64(16*rounds+2*i), 0
						l.cfd, l.sfd = s.connect(t)
					}
					wg.Go(func() { l.stream(t, s, piece, mode) })
				}
				wg.Wait()
				if t.Failed() {
					return
				}
			}
			all := uint64(rounds) * uint64(piece) * 2 * uint64(len(links))
			got := s.counts(t).since(before)
			t.Logf("%d bytes, %d toggles, %+v", all, toggles.Load(), got)
			if got.RedirectedBytes < all/10 {
				t.Errorf("only %d of %d bytes redirected", got.RedirectedBytes, all)
			}
			if got.TCP == 0 {
				t.Error("no message by TCP: nothing was toggled")
			}
		})
	}
}

// Without anybody toggling, a pair of streams that leave each other time to
// read is redirected nearly completely.
func TestVerdictOrderOfStreams(t *testing.T) {
	modes := newTrustedScene(t)
	for _, mode := range modes.readModes(t) {
		t.Run(mode.String(), func(t *testing.T) {
			withAndWithout(t, func(t *testing.T, s *scene, on bool) {
				before := s.counts(t)
				total := int64(testkit.Volume(2 << 20))
				var wg sync.WaitGroup
				for i := range 4 {
					l := &duplex{seed: uint64(2 * i)}
					l.cfd, l.sfd = s.connect(t)
					wg.Go(func() { l.stream(t, s, total, mode) })
				}
				wg.Wait()
				got := s.counts(t).since(before)
				if all := uint64(8 * total); on && got.RedirectedBytes < all/2 {
					t.Errorf("only %d of %d bytes redirected: %+v", got.RedirectedBytes, all, got)
				}
			})
		})
	}
}

// duplex is a connection that carries a stream each way.
type duplex struct {
	cfd, sfd int
	seed     uint64
	off      int64
}

func (l *duplex) close(t *testing.T, s *scene) {
	t.Helper()
	if l.cfd != 0 {
		s.client.MustClose(t, l.cfd)
		s.server.MustClose(t, l.sfd)
	}
}

// stream sends and verifies the next piece of both directions at once.
func (l *duplex) stream(t *testing.T, s *scene, size int64, mode testkit.ReadMode) {
	var wg sync.WaitGroup
	wg.Go(func() { streamOneWay(t, s.client, s.server, l.cfd, l.sfd, l.seed, l.off, size, mode) })
	wg.Go(func() { streamOneWay(t, s.server, s.client, l.sfd, l.cfd, l.seed+1, l.off, size, mode) })
	wg.Wait()
	l.off += size
}

// streamOneWay leaves pauses, in which queues run empty: only then may a
// direction change its path.
func streamOneWay(t *testing.T, from, to *testkit.Agent, out, in int, seed uint64, off, size int64, mode testkit.ReadMode) {
	reading := testkit.Go(func() (testkit.StreamStats, error) {
		return to.VerifyStream(in, testkit.ReadOptions{
			Seed: seed, Off: uint64(off), Total: size, Mode: mode, Buffer: 16381, Timeout: patience,
		})
	})
	sent, err := from.SendStream(out, testkit.SendOptions{
		Seed: seed, Off: uint64(off), Total: size, ChunkMax: 32 << 10, Pause: 10 * time.Millisecond, Timeout: patience,
	})
	if err != nil {
		t.Errorf("seed %d: %+v, %v", seed, sent, err)
	}
	if read, err := reading.Wait(2 * patience); err != nil {
		t.Errorf("seed %d: %+v, %v", seed, read, err)
	}
}

// toggle stops and starts the heart until the test ends: directions return to
// TCP when their queues are empty, and to redirection when TCP is drained.
func toggle(t *testing.T, s *scene) *atomic.Int64 {
	t.Helper()
	st, err := state.Open(s.tool.StateDir)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var toggles atomic.Int64
	done := make(chan struct{})
	rng := rand.New(rand.NewPCG(1, 2))
	wg.Go(func() {
		defer st.Close()
		for {
			alive := toggles.Load()%2 == 1
			beat, pause := -time.Second, time.Duration(2+rng.IntN(10))*time.Millisecond
			if alive {
				beat, pause = 2*time.Second, time.Duration(50+rng.IntN(150))*time.Millisecond
			}
			if err := st.Beat(beat); err != nil {
				t.Errorf("beat: %v", err)
				return
			}
			toggles.Add(1)
			select {
			case <-done:
				return
			case <-time.After(pause):
			}
		}
	})
	t.Cleanup(func() {
		close(done)
		wg.Wait()
	})
	return &toggles
}

// stopHeart stops the heart now and keeps it stopped, against the sidecar,
// which beats on, until resume is called.
func stopHeart(t *testing.T, s *scene) (resume func()) {
	t.Helper()
	st, err := state.Open(s.tool.StateDir)
	if err != nil {
		t.Fatal(err)
	}
	beat := func(d time.Duration) {
		if err := st.Beat(d); err != nil {
			t.Errorf("beat: %v", err)
		}
	}
	stopped, done := make(chan struct{}), make(chan struct{})
	beat(-time.Hour)
	go func() {
		defer close(done)
		for {
			select {
			case <-stopped:
				return
			case <-time.After(time.Millisecond):
				beat(-time.Hour)
			}
		}
	}()
	return func() {
		close(stopped)
		<-done
		beat(2 * time.Second)
		st.Close()
	}
}
