package core_test

import (
	"testing"
)

// Every message of a trusted connection is redirected, both ways, from the
// first on, and counted.
func TestRedirectBothWays(t *testing.T) {
	s := newScene(t)
	before := s.tool.Status(t)
	const rounds = 100
	cfd, sfd := s.exchange(t, rounds)
	st := s.tool.Status(t)
	if got := st.Messages.Redirected - before.Messages.Redirected; got != 2*rounds {
		t.Errorf("redirected %d messages, want %d", got, 2*rounds)
	}
	if got := st.Bytes.Redirected - before.Bytes.Redirected; got != rounds*uint64(len("request")+len("response")) {
		t.Errorf("redirected %d bytes", got)
	}
	if st.Messages.TCP != before.Messages.TCP {
		t.Errorf("%d messages by TCP, want none", st.Messages.TCP-before.Messages.TCP)
	}
	if st.Connections.Accelerated != 1 {
		t.Errorf("%d connections accelerated, want 1", st.Connections.Accelerated)
	}
	s.client.MustClose(t, cfd)
	s.server.MustClose(t, sfd)
	if got := s.tool.Status(t).Connections.Accelerated; got != 0 {
		t.Errorf("%d connections accelerated after both ends closed, want 0", got)
	}
}

// A client that sends at once, before the server has accepted.
func TestRedirectBeforeAccept(t *testing.T) {
	s := newScene(t)
	before := s.tool.Status(t)
	cfd, sfd := 0, 0
	addr, err := s.server.LocalAddr(s.listener)
	if err != nil {
		t.Fatal(err)
	}
	cfd = s.client.MustDial(t, addr, true)
	s.client.MustSend(t, cfd, []byte("early"))
	if sfd, err = s.server.Accept(s.listener, true); err != nil {
		t.Fatal(err)
	}
	s.server.MustRecv(t, sfd, []byte("early"))
	st := s.tool.Status(t)
	if got := st.Messages.Redirected - before.Messages.Redirected; got != 1 {
		t.Errorf("redirected %d messages, want 1", got)
	}
}

// Without acceleration the same exchange is the same, and counts nothing.
func TestPlain(t *testing.T) {
	s := newPlainScene(t)
	cfd, sfd := s.connect(t)
	s.client.MustSend(t, cfd, []byte("request"))
	s.server.MustRecv(t, sfd, []byte("request"))
	if st := s.tool.Status(t); st.Enabled || st.Messages.Redirected != 0 {
		t.Errorf("something was counted: %+v", st)
	}
}
