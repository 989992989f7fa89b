package core_test

import (
	"testing"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

// The default scope is the root of the hierarchy, which covers every process
// of the machine: only a virtual machine is the test's own.
func TestRootCgroup(t *testing.T) {
	if !testkit.InVM() {
		t.Skip("attaches to the root cgroup: runs in a virtual machine only (make test-kernels)")
	}
	s := newPlainScene(t)
	s.tool.MustRun(t, "enable", "--accept-risk", testkit.AcceptAll)
	s.tool.Trust(t, s.client, s.server, s.listener)
	before := s.tool.Status(t)
	if len(before.Scopes) != 1 || before.Scopes[0].Name != "/" {
		t.Errorf("scopes %+v, want the root", before.Scopes)
	}
	const rounds = 20
	s.exchange(t, rounds)
	if got := s.tool.Status(t).Messages.Redirected - before.Messages.Redirected; got != 2*rounds {
		t.Errorf("redirected %d messages, want %d", got, 2*rounds)
	}
}
