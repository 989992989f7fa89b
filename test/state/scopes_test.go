package state_test

import (
	"os"
	"testing"
	"time"

	"github.com/sockaccel/sockaccel/internal/status"
	"github.com/sockaccel/sockaccel/internal/testkit"
)

// Enabling what is enabled changes nothing.
func TestEnableIdempotent(t *testing.T) {
	s := newScene(t)
	s.enable(t)
	before := s.tool.Status(t)
	s.tool.Enable(t, s.cg)
	after := s.tool.Status(t)
	if after.Sidecar != before.Sidecar || len(after.Scopes) != 1 || !after.Since.Equal(*before.Since) {
		t.Errorf("before: %+v %v, after: %+v %v", before.Sidecar, before.Scopes, after.Sidecar, after.Scopes)
	}
}

// Without anything enabled disable has nothing to do, which is no failure.
func TestDisableNothing(t *testing.T) {
	tool := testkit.NewTool(t)
	if out := tool.MustRun(t, "disable"); out != "not enabled" {
		t.Errorf("disable says %q", out)
	}
	requireNothing(t, tool)
}

// Scopes are added and ended one by one; the last one ends everything.
func TestScopes(t *testing.T) {
	a := newScene(t)
	b := newSceneIn(t, a.tool, testkit.NewCgroup(t))
	a.enable(t)
	pid := a.tool.Status(t).Sidecar.PID
	b.enable(t)
	st := a.tool.Status(t)
	if len(st.Scopes) != 2 || st.Sidecar.PID != pid {
		t.Fatalf("scopes %v, sidecar %d and then %d", st.Scopes, pid, st.Sidecar.PID)
	}
	redirects(t, a, true)
	redirects(t, b, true)

	live, peer := a.connect(t)
	a.exchange(t, live, peer)
	a.tool.MustRun(t, "disable", "--cgroup", a.cg.Path)
	st = a.tool.Status(t)
	if len(st.Scopes) != 1 || st.Scopes[0].CgroupID != b.cg.ID || !st.Enabled {
		t.Fatalf("scopes after disabling one of two: %v", st.Scopes)
	}
	// What lived in the scope that was ended returns to TCP.
	a.tool.Await(t, soon, "nothing accelerated", func(st *status.Status) bool { return st.Connections.Accelerated == 0 })
	a.exchange(t, live, peer)
	redirects(t, a, false)
	redirects(t, b, true)

	a.tool.MustRun(t, "disable", "--cgroup", b.cg.Path)
	requireNothing(t, a.tool)
	a.exchange(t, live, peer)
}

// redirects tells whether a new connection of the scene is accelerated.
func redirects(tb testing.TB, s *scene, want bool) {
	tb.Helper()
	before := s.tool.Status(tb).Messages.Redirected
	cfd, sfd := s.connect(tb)
	s.exchange(tb, cfd, sfd)
	expected := uint64(0)
	if want {
		expected = 2
	}
	if got := s.tool.Status(tb).Messages.Redirected - before; got != expected {
		tb.Errorf("redirected %d messages, want %d", got, expected)
	}
	s.client.MustClose(tb, cfd)
	s.server.MustClose(tb, sfd)
}

// A cgroup that is removed is no scope any more, and disturbs nothing.
func TestScopeRemoved(t *testing.T) {
	s := newScene(t)
	s.enable(t)
	gone := testkit.NewCgroup(t)
	s.tool.Enable(t, gone)
	if err := os.Remove(gone.Path); err != nil {
		t.Fatal(err)
	}
	// Right after, it is told as not attached or forgotten already.
	if st := s.tool.Status(t); !st.Enabled || (len(st.Scopes) > 1 && st.Scopes[1].Attached) {
		t.Errorf("status right after: %v", st.Scopes)
	}
	s.tool.Await(t, 20*time.Second, "the scope is forgotten", func(st *status.Status) bool { return len(st.Scopes) == 1 })
	redirects(t, s, true)
	s.tool.Disable(t)
	requireNothing(t, s.tool)
}

// The only scope may go, too; what remains is an instance without one.
func TestOnlyScopeRemoved(t *testing.T) {
	tool := testkit.NewTool(t)
	gone := testkit.NewCgroup(t)
	tool.Enable(t, gone)
	if err := os.Remove(gone.Path); err != nil {
		t.Fatal(err)
	}
	tool.Await(t, 20*time.Second, "the scope is forgotten", func(st *status.Status) bool {
		return len(st.Scopes) == 0 && !st.Enabled
	})
	cg := testkit.NewCgroup(t)
	tool.Enable(t, cg)
	if st := tool.Status(t); !st.Enabled || len(st.Scopes) != 1 {
		t.Errorf("enabled again: %v", st.Scopes)
	}
	tool.Disable(t)
	requireNothing(t, tool)
}

// Two instances know nothing of each other.
func TestTwoInstances(t *testing.T) {
	a, b := newScene(t), newScene(t)
	a.enable(t)
	b.enable(t)
	la, lb := startLoad(t, a, 1, 1), startLoad(t, b, 1, 1)
	for range 3 {
		awaitRedirecting(t, a.tool)
		awaitRedirecting(t, b.tool)
		before := b.tool.Status(t)
		a.tool.Disable(t)
		requireNothing(t, a.tool)
		la.moving(t)
		awaitRedirecting(t, b.tool)
		after := b.tool.Status(t)
		if after.Sidecar != before.Sidecar || len(after.Scopes) != 1 || !after.Scopes[0].Attached {
			t.Errorf("the other instance: %+v and then %+v", before, after)
		}
		a.tool.Enable(t, a.cg)
	}
	la.finish(t)
	lb.finish(t)
}
