package core_test

import (
	"testing"

	"github.com/sockaccel/sockaccel/internal/status"
)

// A server whose new process makes the accepted socket non-blocking only when
// the first message has come, as PostgreSQL does, which forks in between. That
// message goes by TCP; the connection comes back when its reads have told.
func TestTrustNonblockingLate(t *testing.T) {
	s := newTrustScene(t)
	d := s.since(t)
	c := s.open(t, false, true)
	s.client.MustSend(t, c.cfd, []byte("between"))
	if err := s.server.SetNonblock(c.sfd, true); err != nil {
		t.Fatal(err)
	}
	s.server.MustRecv(t, c.sfd, []byte("between"))
	if n := d.redirected(s.tool.Status(t)); n != 0 {
		t.Errorf("%d messages redirected to a blocking socket", n)
	}
	c.exchange(t, 8)
	s.tool.Await(t, trustWait, "accelerated again", func(st *status.Status) bool { return st.Connections.Accelerated == 1 })
	d = s.since(t)
	c.exchange(t, 8)
	st := s.tool.Status(t)
	if n := d.redirected(st); n != 16 {
		t.Errorf("%d messages redirected, want 16", n)
	}
	if n := st.NotAccelerated.Blocking; n != 0 {
		t.Errorf("%d connections counted as blocking, want none", n)
	}
}
