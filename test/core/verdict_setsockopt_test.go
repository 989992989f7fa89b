package core_test

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

// Deviation "zerocopy and kTLS refused": what redirected data cannot serve is
// refused on a socket in the sockhash as a kernel without it refuses, so that
// programs fall back, and the connection goes on, redirected.
func TestVerdictSetsockoptRefused(t *testing.T) {
	s := newTrustedScene(t)
	cfd, sfd := s.connect(t)
	before := s.counts(t)
	if err := s.client.SetsockoptInt(cfd, unix.SOL_SOCKET, unix.SO_ZEROCOPY, 1); !errors.Is(err, unix.EOPNOTSUPP) {
		t.Errorf("SO_ZEROCOPY: %v, want EOPNOTSUPP", err)
	}
	if err := s.server.SetsockoptBytes(sfd, unix.SOL_TCP, unix.TCP_ULP, []byte("tls")); !errors.Is(err, unix.ENOENT) {
		t.Errorf("TCP_ULP: %v, want ENOENT", err)
	}
	// MSG_ZEROCOPY without SO_ZEROCOPY is ignored by every kernel.
	if n, err := s.client.Send(cfd, []byte("zerocopy"), unix.MSG_ZEROCOPY); n != 8 || err != nil {
		t.Errorf("send with MSG_ZEROCOPY: %d, %v", n, err)
	}
	s.server.MustRecv(t, sfd, []byte("zerocopy"))
	s.requireRedirected(t, true, before, 1)
	// Other options are nobody's business.
	for _, o := range [][3]int{
		{unix.SOL_TCP, unix.TCP_NODELAY, 1}, {unix.SOL_SOCKET, unix.SO_ZEROCOPY, 0}, {unix.SOL_SOCKET, unix.SO_RCVBUF, 1 << 20},
	} {
		err := s.client.SetsockoptInt(cfd, o[0], o[1], o[2])
		if err != nil && o[1] != unix.SO_ZEROCOPY {
			t.Errorf("option %d: %v", o[1], err)
		}
	}
}

// On a socket that is not in the sockhash SO_ZEROCOPY is allowed, and keeps
// the socket out of it.
func TestVerdictZerocopyBars(t *testing.T) {
	s := newTrustedScene(t)
	before := s.tool.Status(t)
	addr, err := s.server.LocalAddr(s.listener)
	if err != nil {
		t.Fatal(err)
	}
	cfd, err := s.client.Socket(unix.AF_INET, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.client.SetsockoptInt(cfd, unix.SOL_SOCKET, unix.SO_ZEROCOPY, 1); err != nil {
		t.Fatalf("SO_ZEROCOPY before connect: %v", err)
	}
	if err := s.client.Connect(cfd, addr); err != nil {
		t.Fatal(err)
	}
	sfd, err := s.server.Accept(s.listener, true)
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if n, err := s.client.Send(cfd, []byte("zerocopy"), unix.MSG_ZEROCOPY); n != 8 || err != nil {
			t.Fatalf("send with MSG_ZEROCOPY: %d, %v", n, err)
		}
		s.server.MustRecv(t, sfd, []byte("zerocopy"))
	}
	if in := s.inSockhash(t, true, cookie(t, s.client, cfd), cookie(t, s.server, sfd)); len(in) != 0 {
		t.Errorf("in the sockhash: %d", in)
	}
	st := s.tool.Status(t)
	if st.Messages.Redirected != before.Messages.Redirected {
		t.Error("redirected")
	}
	if got := st.NotAccelerated.Zerocopy - before.NotAccelerated.Zerocopy; got != 1 {
		t.Errorf("counted %d connections as zerocopy, want 1", got)
	}
}
