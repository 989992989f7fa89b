package core_test

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockaccel/sockaccel/internal/state"
	"github.com/sockaccel/sockaccel/internal/testkit"
)

// The guard stays while disable waits for a reader, and goes with it.
func TestGuardWhileDisabling(t *testing.T) {
	s := newGuardScene(t)
	c := s.open(t, false, false)
	c.exchange(t, 5)
	d := s.since(t)
	s.client.MustSend(t, c.cfd, []byte("queued"))
	if n := d.redirected(s.tool.Status(t)); n != 1 {
		t.Fatalf("%d messages redirected, want 1", n)
	}
	disabling := testkit.Go(func() (string, error) { return s.tool.Run("disable", "--drain-timeout", "40s") })
	evidence := filepath.Join(s.tool.StateDir, "links", "evidence")
	for deadline := time.Now().Add(trustWait); state.Exists(evidence); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("disable does not detach")
		}
	}
	for range 20 {
		if got, err := s.server.Splice(c.sfd, 100, true); !errors.Is(err, unix.EINVAL) {
			t.Fatalf("splice while disable waits: %q, %v, want EINVAL", got, err)
		}
	}
	s.server.MustRecv(t, c.sfd, []byte("queued"))
	if out, err := disabling.Wait(2 * trustWait); err != nil {
		t.Fatalf("disable: %v: %s", err, out)
	}
	s.client.MustSend(t, c.cfd, []byte("plain"))
	testkit.Must(s.server.Poll(c.sfd, unix.POLLIN, trustWait))(t)
	if got, err := s.server.Splice(c.sfd, 100, true); err != nil || string(got) != "plain" {
		t.Fatalf("splice after disable: %q, %v", got, err)
	}
}
