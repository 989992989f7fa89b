package state_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"github.com/sockaccel/sockaccel/internal/status"
	"github.com/sockaccel/sockaccel/internal/testkit"
)

// Versions that do not agree on their maps: everything returns to TCP, nothing
// is lost, settings stay, and living connections are adopted by the new maps.
func TestUpgradeStartsOver(t *testing.T) {
	for variant, why := range map[string]string{"types": "scopes", "sizes": "events"} {
		t.Run(variant, func(t *testing.T) {
			s := newScene(t)
			b := newSceneIn(t, s.tool, testkit.NewCgroup(t))
			s.enable(t, "--cgroup", b.cg.Path, "--max-connections", "3000", "--exclude-port", "9", "--cidr", "127.0.0.0/8")
			cfd, sfd := s.connect(t)
			s.exchange(t, cfd, sfd)
			const size = 64 << 10
			send(t, s.client, cfd, 0, size)
			before := s.tool.Status(t)
			in := hold(t, s.tool)
			read := testkit.Go(func() (testkit.StreamStats, error) {
				return s.server.VerifyStream(sfd, testkit.ReadOptions{Seed: 1, Total: size, Mode: testkit.ReadEdge, Timeout: stall})
			})
			out := s.mustAsOther(t, other{Version: "next", Variant: variant}, "upgrade")
			if !strings.Contains(out, "start over") || !strings.Contains(out, why) {
				t.Fatalf("upgrade says %q", out)
			}
			if _, err := read.Wait(stall); err != nil {
				t.Error(err)
			}
			s.serves(t, "next")
			after := s.tool.Status(t)
			if settings(t, after) != settings(t, before) {
				t.Errorf("before: %s\nafter: %s", settings(t, before), settings(t, after))
			}
			if len(after.Scopes) != 2 || after.Connections.MaxConnections != 3000 {
				t.Errorf("not what was enabled: %s", settings(t, after))
			}
			// New readers have to be learnt, then the connection is adopted.
			awaitAccelerated(t, s, cfd, sfd)
			if st := s.tool.Status(t); st.Connections.AdoptedTotal != 1 {
				t.Errorf("not adopted: %+v", st.Connections)
			}
			in.close(t) // nothing of the old version is left in the kernel
			s.tool.Disable(t)
			requireNothing(t, s.tool)
		})
	}
}

// settings are what the user chose, as text.
func settings(tb testing.TB, st *status.Status) string {
	tb.Helper()
	text, err := json.Marshal([]any{
		st.AcceptedRisks, st.Filters, st.Scopes, st.SpliceGuard, st.FIONREAD, st.Connections.MaxConnections,
	})
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

// awaitAccelerated exchanges until both messages of an exchange are redirected.
func awaitAccelerated(tb testing.TB, s *scene, cfd, sfd int) {
	tb.Helper()
	deadline := time.Now().Add(stall)
	for {
		before := s.tool.Status(tb).Messages.Redirected
		s.exchange(tb, cfd, sfd)
		if s.tool.Status(tb).Messages.Redirected == before+2 {
			return
		}
		if time.Now().After(deadline) {
			tb.Fatal("not accelerated again")
		}
	}
}

// What the kernel refuses to load is found out before anything is touched.
func TestUpgradeRefused(t *testing.T) {
	s := newScene(t)
	s.enable(t)
	cfd, sfd := s.connect(t)
	s.exchange(t, cfd, sfd)
	before, first := s.serves(t, s.version), s.tool.Status(t)
	out, err := s.asOther(other{Version: "next", Variant: "refused"}, "upgrade")
	if testkit.ExitCode(err) != 1 || !strings.Contains(out, "step build") || !strings.Contains(out, "sockaccel_sweep") ||
		!strings.Contains(out, "version "+s.version+" goes on serving") {
		t.Errorf("%v: upgrade says %q", err, out)
	}
	s.serves(t, s.version).kept(t, before)
	last := s.tool.Status(t)
	if last.Sidecar != first.Sidecar || last.Connections != first.Connections {
		t.Errorf("before: %+v %+v, after: %+v %+v", first.Sidecar, first.Connections, last.Sidecar, last.Connections)
	}
	s.exchange(t, cfd, sfd)
	if now := s.tool.Status(t); now.Messages.Redirected != last.Messages.Redirected+2 {
		t.Errorf("redirected %d messages, want 2", now.Messages.Redirected-last.Messages.Redirected)
	}
	if left := ours(t, s.tool); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}

// A replaced program is gone from the kernel, but for the stub that live
// sockets keep.
func requireGone(tb testing.TB, p programs, except string) {
	tb.Helper()
	deadline := time.Now().Add(stall)
	for name, id := range p.ids {
		for {
			next, err := ebpf.ProgramGetNextID(id - 1)
			if (err != nil || next != id) || name == except {
				break
			}
			if time.Now().After(deadline) {
				tb.Errorf("still in the kernel: %s", name)
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}
