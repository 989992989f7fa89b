package core_test

import (
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockaccel/sockaccel/internal/probe"
)

// The deviations from plain TCP that remain: each is asserted under the name
// that docs/known-issues.md uses, so that a kernel that mends one is noticed.

// Urgent data is not seen by the verdict as such and arrives in-band: no
// POLLPRI, nothing for MSG_OOB, the byte in the stream.
func TestVerdictDeviationUrgentData(t *testing.T) {
	withAndWithout(t, func(t *testing.T, s *scene, on bool) {
		cfd, sfd := s.connect(t)
		before := s.counts(t)
		s.client.MustSend(t, cfd, []byte("ab"))
		if n, err := s.client.Send(cfd, []byte("c"), unix.MSG_OOB); n != 1 || err != nil {
			t.Fatalf("send urgent: %d, %v", n, err)
		}
		s.client.MustSend(t, cfd, []byte("de"))
		s.requireRedirected(t, on, before, 3)
		if !on {
			mustPoll(t, s.server, sfd, unix.POLLPRI)
			if p, err := s.server.Recv(sfd, 1, unix.MSG_OOB); string(p) != "c" || err != nil {
				t.Errorf("urgent byte: %q, %v", p, err)
			}
			s.server.MustRecv(t, sfd, []byte("abde"))
			return
		}
		s.server.MustRecv(t, sfd, []byte("abcde"))
		if p, err := s.server.Recv(sfd, 1, unix.MSG_OOB); err == nil {
			t.Errorf("urgent byte: %q", p)
		}
	})
}

// recv(NULL, n, MSG_TRUNC) discards in TCP; redirected data is not discarded
// but EFAULT, and is still there.
func TestVerdictDeviationDiscard(t *testing.T) {
	withAndWithout(t, func(t *testing.T, s *scene, on bool) {
		cfd, sfd := s.connect(t)
		s.client.MustSend(t, cfd, []byte("discarded"))
		mustPoll(t, s.server, sfd, unix.POLLIN)
		n, err := s.server.RecvNull(sfd, 9, unix.MSG_TRUNC|unix.MSG_DONTWAIT)
		if !on && (n != 9 || err != nil) {
			t.Errorf("discarded %d, %v", n, err)
		}
		if on {
			if !errors.Is(err, unix.EFAULT) {
				t.Errorf("discarded %d, %v, want EFAULT", n, err)
			}
			s.server.MustRecv(t, sfd, []byte("discarded"))
		}
		s.client.MustSend(t, cfd, []byte("next"))
		s.server.MustRecv(t, sfd, []byte("next"))
	})
}

// SO_RCVLOWAT does not hold redirected data back: poll says readable at the
// first byte.
func TestVerdictDeviationRcvlowat(t *testing.T) {
	withAndWithout(t, func(t *testing.T, s *scene, on bool) {
		cfd, sfd := s.connect(t)
		if err := s.server.SetsockoptInt(sfd, unix.SOL_SOCKET, unix.SO_RCVLOWAT, 10); err != nil {
			t.Fatal(err)
		}
		before := s.counts(t)
		s.client.MustSend(t, cfd, []byte("12345"))
		timeout := patience
		if !on {
			timeout = 200 * time.Millisecond // nothing is to happen
		}
		revents, err := s.server.Poll(sfd, unix.POLLIN, timeout)
		if err != nil || (revents&unix.POLLIN != 0) != on {
			t.Errorf("poll with 5 bytes of 10: %#x, %v", revents, err)
		}
		s.client.MustSend(t, cfd, []byte("67890"))
		s.server.MustRecv(t, sfd, []byte("1234567890"))
		s.requireRedirected(t, on, before, 2)
	})
}

// MSG_PEEK sees redirected data, and leaves it.
func TestVerdictPeek(t *testing.T) {
	withAndWithout(t, func(t *testing.T, s *scene, on bool) {
		cfd, sfd := s.connect(t)
		before := s.counts(t)
		s.client.MustSend(t, cfd, []byte("peek"))
		s.client.MustSend(t, cfd, []byte("able"))
		mustPoll(t, s.server, sfd, unix.POLLIN)
		s.requireRedirected(t, on, before, 2)
		for range 2 {
			if p, err := s.server.Recv(sfd, 100, unix.MSG_PEEK|unix.MSG_DONTWAIT); string(p) != "peekable" || err != nil {
				t.Errorf("peek: %q, %v", p, err)
			}
		}
		s.server.MustRecv(t, sfd, []byte("peekable"))
	})
}

// FIONREAD as status says that this kernel has it.
func TestVerdictDeviationFIONREAD(t *testing.T) {
	withAndWithout(t, func(t *testing.T, s *scene, on bool) {
		cfd, sfd := s.connect(t)
		before := s.counts(t)
		s.client.MustSend(t, cfd, []byte("0123456789"))
		mustPoll(t, s.server, sfd, unix.POLLIN)
		want := 10
		if st := s.tool.Status(t); on && st.FIONREAD == probe.FIONREADBlindQueue && !st.FIONREADCorrected {
			want = 0
		}
		if n, err := s.server.FIONREAD(sfd); n != want || err != nil {
			t.Errorf("FIONREAD: %d, %v, want %d", n, err, want)
		}
		s.requireRedirected(t, on, before, 1)
		s.server.MustRecv(t, sfd, []byte("0123456789"))
		if n, err := s.server.FIONREAD(sfd); n != 0 || err != nil {
			t.Errorf("FIONREAD of an empty socket: %d, %v", n, err)
		}
	})
}

// TCP_INFO and SIOCOUTQ tell of TCP only: redirected bytes are never sent nor
// in flight.
func TestVerdictDeviationTCPInfo(t *testing.T) {
	withAndWithout(t, func(t *testing.T, s *scene, on bool) {
		cfd, sfd := s.connect(t)
		before := s.counts(t)
		data := make([]byte, 1000)
		for range 10 {
			s.client.MustSend(t, cfd, data)
			s.server.MustRecv(t, sfd, data)
		}
		s.requireRedirected(t, on, before, 10)
		want := uint64(10_000)
		if on {
			want = 0
		}
		if info := tcpInfo(t, s, cfd); info.Bytes_sent != want {
			t.Errorf("TCP_INFO: %d bytes sent, want %d", info.Bytes_sent, want)
		}
		// Unread, but SIOCOUTQ is what is not acknowledged: nothing soon.
		s.client.MustSend(t, cfd, data)
		if n, err := s.client.SIOCOUTQ(cfd); on && (n != 0 || err != nil) {
			t.Errorf("SIOCOUTQ: %d, %v, want 0", n, err)
		}
	})
}

// Keepalive probes go by TCP, although redirected traffic flows, and the
// connection lives.
func TestVerdictKeepalive(t *testing.T) {
	withAndWithout(t, func(t *testing.T, s *scene, on bool) {
		cfd, sfd := s.connect(t)
		for _, o := range [][3]int{
			{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1}, {unix.SOL_TCP, unix.TCP_KEEPIDLE, 1}, {unix.SOL_TCP, unix.TCP_KEEPINTVL, 1},
		} {
			if err := s.client.SetsockoptInt(cfd, o[0], o[1], o[2]); err != nil {
				t.Fatal(err)
			}
		}
		before := s.counts(t)
		first := tcpInfo(t, s, cfd).Segs_out
		sent := uint64(0)
		for deadline := time.Now().Add(patience); ; sent++ {
			s.client.MustSend(t, cfd, []byte("alive"))
			s.server.MustRecv(t, sfd, []byte("alive"))
			// On TCP any segment counts as one.
			if tcpInfo(t, s, cfd).Segs_out >= first+2 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("no keepalive probes")
			}
			time.Sleep(20 * time.Millisecond)
		}
		s.requireRedirected(t, on, before, sent+1)
	})
}

func tcpInfo(tb testing.TB, s *scene, cfd int) *unix.TCPInfo {
	tb.Helper()
	sock, release := steal(tb, s.client, cfd)
	defer release()
	info, err := unix.GetsockoptTCPInfo(sock, unix.SOL_TCP, unix.TCP_INFO)
	if err != nil {
		tb.Fatal(err)
	}
	return info
}
