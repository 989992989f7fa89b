package state_test

import (
	"strings"
	"testing"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

// Accelerated connections stay accelerated while programs, sidecar and version
// are replaced, and what is queued then is read; so it is the way back.
func TestUpgradeKeepsConnections(t *testing.T) {
	s := newScene(t)
	s.enable(t)
	cfd, sfd := s.connect(t)
	s.exchange(t, cfd, sfd)
	first := s.serves(t, s.version)
	const size = 256 << 10
	send(t, s.client, cfd, 0, size)
	before := s.tool.Status(t)
	if before.Bytes.Redirected < size {
		t.Fatalf("redirected %d bytes, want %d", before.Bytes.Redirected, size)
	}

	out := s.mustAsOther(t, next, "upgrade")
	if !strings.Contains(out, "version next is in use, instead of "+s.version) {
		t.Errorf("upgrade says %q", out)
	}
	second := s.serves(t, "next")
	second.replaced(t, first, true)
	send(t, s.client, cfd, size, size)
	if out := s.tool.MustRun(t, "upgrade"); !strings.Contains(out, "version "+s.version+" is in use, instead of next") {
		t.Errorf("upgrade says %q", out)
	}
	third := s.serves(t, s.version)
	third.replaced(t, second, true)
	third.replaced(t, first, false)
	send(t, s.client, cfd, 2*size, size)

	after := s.tool.Status(t)
	if got := after.Bytes.Redirected - before.Bytes.Redirected; got != 2*size || after.Messages.TCP != before.Messages.TCP {
		t.Errorf("redirected %d of %d bytes, %d messages by TCP", got, 2*size, after.Messages.TCP-before.Messages.TCP)
	}
	if after.Connections.Accelerated != 1 || after.Connections.HandedOverTotal != before.Connections.HandedOverTotal ||
		!after.Since.Equal(*before.Since) {
		t.Errorf("before: %+v, after: %+v", before.Connections, after.Connections)
	}
	if _, err := s.server.VerifyStream(sfd, testkit.ReadOptions{Seed: 1, Total: 3 * size, Mode: testkit.ReadEdge, Timeout: stall}); err != nil {
		t.Error(err)
	}
	s.exchange(t, cfd, sfd)
	redirects(t, s, true)
	requireGone(t, first, "sockaccel_stub")
	requireGone(t, second, "")
	s.tool.Disable(t)
	requireNothing(t, s.tool)
}

// Back and forth under load: every byte arrives, and redirection goes on.
func TestUpgradeUnderLoad(t *testing.T) {
	s := newScene(t)
	s.enable(t)
	l := upgradeLoad(t, s)
	for range testkit.Volume(6) {
		awaitRedirecting(t, s.tool)
		s.mustAsOther(t, next, "upgrade")
		l.moving(t)
		awaitRedirecting(t, s.tool)
		s.serves(t, "next")
		// enable of another version is an upgrade.
		s.tool.Enable(t, s.cg)
		l.moving(t)
		awaitRedirecting(t, s.tool)
		s.serves(t, s.version)
	}
	s.tool.Disable(t)
	requireNothing(t, s.tool)
	l.finish(t)
}

// A version with the same programs replaces the sidecar, and says so.
func TestUpgradeSamePrograms(t *testing.T) {
	s := newScene(t)
	s.enable(t)
	first := s.serves(t, s.version)
	out := s.mustAsOther(t, other{Version: "same", Variant: "same"}, "upgrade")
	if !strings.Contains(out, "the same programs as "+s.version) {
		t.Errorf("upgrade says %q", out)
	}
	s.serves(t, "same").kept(t, first)
	redirects(t, s, true)
	// Another build of one version does, too; the same one does nothing.
	s.mustAsOther(t, other{Version: s.version, Variant: "same"}, "upgrade")
	pid := s.tool.Status(t).Sidecar.PID
	s.tool.MustRun(t, "upgrade")
	again := s.tool.Status(t).Sidecar.PID
	if again == pid {
		t.Error("the sidecar of another file was not replaced")
	}
	if out := s.tool.MustRun(t, "upgrade"); !strings.Contains(out, "in use already") || s.tool.Status(t).Sidecar.PID != again {
		t.Errorf("upgrade to what is there: %q", out)
	}
	s.serves(t, s.version).kept(t, first)
}

func TestUpgradeNothing(t *testing.T) {
	tool := testkit.NewTool(t)
	if out := tool.MustRun(t, "upgrade"); out != "not enabled" {
		t.Errorf("upgrade says %q", out)
	}
	requireNothing(t, tool)
}
