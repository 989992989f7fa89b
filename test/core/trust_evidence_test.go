package core_test

import (
	"testing"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

// The first connections of a service never seen before stay on TCP, all their
// life if adoption is off; when it has shown how it reads, its connections are
// accelerated from their first message on.
func TestTrustNewService(t *testing.T) {
	s := newPlainScene(t)
	s.enableTrust(t, "--no-adopt")
	var first []trustConn
	for range 3 {
		first = append(first, s.open(t, false, false))
	}
	for _, c := range first {
		c.exchange(t, 20)
	}
	st := s.tool.Status(t)
	if st.NotAccelerated.NoEvidence != 3 || st.Messages.Redirected != 0 || st.Messages.TCP != 0 {
		t.Errorf("no evidence %d, messages %+v, want 3 and none", st.NotAccelerated.NoEvidence, st.Messages)
	}
	d := s.since(t)
	c := s.open(t, false, false)
	if n := trustSocks(t, s.tool); n != 2 {
		t.Errorf("%d sockets in the sockhash at birth, want 2", n)
	}
	c.exchange(t, 10)
	for _, c := range first {
		c.exchange(t, 1)
	}
	st = s.tool.Status(t)
	if n := d.redirected(st); n != 20 || st.Messages.TCP != 0 {
		t.Errorf("%d messages redirected, %d by TCP, want 20 and none", n, st.Messages.TCP)
	}
	if st.NotAccelerated.NoEvidence != 3 || st.Connections.PairedTotal != 1 {
		t.Errorf("no evidence %d, paired %d, want 3 and 1", st.NotAccelerated.NoEvidence, st.Connections.PairedTotal)
	}
}

// Evidence dies with the listener: another program at the same port is another
// service, and here a blocking one.
func TestTrustEndsWithListener(t *testing.T) {
	s := newPlainScene(t)
	s.enableTrust(t)
	// Seen from its birth on; what is known of older ones just ages out.
	s.listener, _ = s.server.MustListen(t, testkit.Loopback, true)
	s.tool.Trust(t, s.client, s.server, s.listener)
	addr := testkit.Must(s.server.LocalAddr(s.listener))(t)
	cookie := testkit.Must(s.server.Cookie(s.listener))(t)
	if !trustKnows(t, s, cookie) {
		t.Fatal("nothing is known of a trusted listener")
	}
	s.server.MustClose(t, s.listener)
	if trustKnows(t, s, cookie) {
		t.Error("the evidence of a closed listener is still there")
	}

	blocking := testkit.StartAgent(t, testkit.AgentOptions{Name: "blocking", Cgroup: s.cg})
	s.server = blocking
	s.listener, _ = blocking.MustListen(t, addr, false)
	d := s.since(t)
	for range 3 {
		c := s.open(t, false, true)
		trustPasses(t, s.tool)
		p := parked{c.server, c.client, c.sfd, c.cfd}
		reading, _ := p.read(t, 8, 0)
		if n := trustSocks(t, s.tool); n != 0 {
			t.Errorf("%d sockets in the sockhash", n)
		}
		s.client.MustSend(t, c.cfd, []byte("whatever"))
		wantData(t, reading, "whatever")
		c.exchange(t, 3)
		c.close(t)
	}
	st := s.tool.Status(t)
	if d.redirected(st) != 0 || d.blocking(st) != 3 {
		t.Errorf("redirected %d, blocking %d, want 0 and 3", d.redirected(st), d.blocking(st))
	}
}

// trustKnows tells whether there is evidence for a reader.
func trustKnows(tb testing.TB, s *scene, id uint64) (known bool) {
	tb.Helper()
	trustKeys(tb, s.tool, "readers", func(key uint64) { known = known || key == id })
	return known
}

// What one process has shown says nothing of another.
func TestTrustOfOtherProcess(t *testing.T) {
	s := newPlainScene(t)
	s.enableTrust(t, "--no-adopt")
	s.tool.Trust(t, s.client, s.server, s.listener)
	s.client = testkit.StartAgent(t, testkit.AgentOptions{Name: "other", Cgroup: s.cg})
	d := s.since(t)
	c := s.open(t, false, false)
	if n := trustSocks(t, s.tool); n != 0 {
		t.Errorf("%d sockets in the sockhash", n)
	}
	c.exchange(t, 8)
	st := s.tool.Status(t)
	if n := st.NotAccelerated.NoEvidence - d.before.NotAccelerated.NoEvidence; n != 1 || d.redirected(st) != 0 {
		t.Errorf("no evidence %d, redirected %d, want 1 and 0", n, d.redirected(st))
	}
	d = s.since(t)
	c = s.open(t, false, false)
	c.exchange(t, 1)
	if n := d.redirected(s.tool.Status(t)); n != 2 {
		t.Errorf("%d messages redirected once it is trusted, want 2", n)
	}
}

// A second listener of a process is another service too.
func TestTrustOfOtherListener(t *testing.T) {
	s := newPlainScene(t)
	s.enableTrust(t, "--no-adopt")
	s.tool.Trust(t, s.client, s.server, s.listener)
	s.listener, _ = s.server.MustListen(t, testkit.Loopback, true)
	d := s.since(t)
	c := s.open(t, false, false)
	c.exchange(t, 3)
	st := s.tool.Status(t)
	if n := st.NotAccelerated.NoEvidence - d.before.NotAccelerated.NoEvidence; n != 1 || d.redirected(st) != 0 {
		t.Errorf("no evidence %d, redirected %d, want 1 and 0", n, d.redirected(st))
	}
}
