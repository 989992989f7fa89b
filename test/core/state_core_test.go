package core_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/sockaccel/sockaccel/internal/status"
	"github.com/sockaccel/sockaccel/internal/testkit"
)

// streams is verified traffic both ways on a few connections; the promises are
// kept when all of it has arrived.
func (s *scene) streams(tb testing.TB, size int64) []*testkit.Pending[testkit.StreamStats] {
	tb.Helper()
	var all []*testkit.Pending[testkit.StreamStats]
	for i, mode := range s.readModes(tb) {
		cfd, sfd := s.connect(tb)
		stream := func(from, to *testkit.Agent, out, in int, seed uint64) {
			all = append(all,
				testkit.Go(func() (testkit.StreamStats, error) {
					return from.SendStream(out, testkit.SendOptions{
						Seed: seed, Total: size, ChunkMax: 4096, Pause: 8 * time.Millisecond, Timeout: 2 * time.Minute})
				}),
				testkit.Go(func() (testkit.StreamStats, error) {
					return to.VerifyStream(in, testkit.ReadOptions{
						Seed: seed, Total: size, Mode: mode, Buffer: 4096, Timeout: 2 * time.Minute})
				}))
		}
		stream(s.client, s.server, cfd, sfd, uint64(2*i))
		stream(s.server, s.client, sfd, cfd, uint64(2*i+1))
	}
	return all
}

func over(all []*testkit.Pending[testkit.StreamStats]) bool {
	for _, p := range all {
		if !p.Done() {
			return false
		}
	}
	return true
}

func finish(tb testing.TB, all []*testkit.Pending[testkit.StreamStats]) {
	tb.Helper()
	for _, p := range all {
		if _, err := p.Wait(3 * time.Minute); err != nil {
			tb.Error(err)
		}
	}
}

// Enabling and disabling while streams run: every byte arrives.
func TestDisableUnderStreams(t *testing.T) {
	s := newScene(t)
	size := int64(24 << 20)
	if testkit.InVM() {
		size = 72 << 20 // enable takes seconds there, and some rounds are needed
	}
	all := s.streams(t, size)
	rounds := 0
	for ; rounds < 5 && !over(all); rounds++ {
		s.tool.Disable(t)
		if st := s.tool.Status(t); st.Enabled || st.Sidecar.Running {
			t.Errorf("after disable: %+v", st)
		}
		s.tool.Enable(t, s.cg)
	}
	finish(t, all)
	if rounds < 2 {
		t.Errorf("only %d rounds while the streams ran", rounds)
	}
}

// A sidecar that is killed comes back, and nothing is lost meanwhile.
func TestKillSidecarUnderStreams(t *testing.T) {
	s := newScene(t)
	all := s.streams(t, max(int64(testkit.Volume(4<<20)), 1<<20))
	for range 3 {
		st := s.tool.Await(t, 30*time.Second, "sidecar and supervisor run", func(st *status.Status) bool {
			return st.Sidecar.PID > 0 && st.Sidecar.SupervisorPID > 0
		})
		if err := syscall.Kill(st.Sidecar.PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		s.tool.Await(t, 30*time.Second, "another sidecar runs", func(now *status.Status) bool {
			return now.Sidecar.PID > 0 && now.Sidecar.PID != st.Sidecar.PID
		})
	}
	finish(t, all)
	if st := s.tool.Status(t); st.Messages.Redirected == 0 {
		t.Errorf("nothing was redirected: %+v", st.Messages)
	}
}
