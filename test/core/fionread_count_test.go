package core_test

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockaccel/sockaccel/internal/probe"
	"github.com/sockaccel/sockaccel/internal/state"
	"github.com/sockaccel/sockaccel/internal/testkit"
)

// FIONREAD tells what plain TCP would: redirected bytes, what is left of a
// message, bytes of both queues at the seam, and no more after the end.
func TestFIONREADCounts(t *testing.T) {
	testkit.RequireRoot(t)
	found, err := probe.Run()
	if err != nil {
		t.Fatal(err)
	}
	if found.FIONREAD != probe.FIONREADRight && !found.Correction {
		t.Skipf("FIONREAD of this kernel is %s bytes, and not corrected: %v", found.FIONREAD, found.Refused)
	}
	s := newTrustScene(t)
	if st := s.tool.Status(t); st.FIONREADCorrected != found.Correction {
		t.Errorf("status says corrected %t, want %t", st.FIONREADCorrected, found.Correction)
	}
	d := s.since(t)
	c := s.open(t, false, false)
	c.exchange(t, 2)
	sent, read := 0, 0
	data := testkit.NewStream(7)
	send := func(n int) {
		t.Helper()
		s.client.MustSend(t, c.cfd, data.Bytes(int64(sent), n))
		sent += n
	}
	recv := func(n int) {
		t.Helper()
		s.server.MustRecv(t, c.sfd, data.Bytes(int64(read), n))
		read += n
	}
	check := func(what string) {
		t.Helper()
		// What goes by TCP takes its time.
		var got int
		for deadline := time.Now().Add(trustWait); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
			if got = testkit.Must(s.server.FIONREAD(c.sfd))(t); got == sent-read {
				return
			}
		}
		t.Fatalf("%s: FIONREAD %d, want %d", what, got, sent-read)
	}
	check("nothing was sent")
	for _, n := range []int{1, 10_000, 100} {
		send(n)
	}
	check("redirected")
	recv(5000)
	check("half of a message is read")
	recv(sent - read)
	check("all is read")
	for range state.LimitMessages + 20 {
		send(10)
	}
	st := s.tool.Status(t)
	if st.StayedOnTCP.Limit == 0 || d.redirected(st) < state.LimitMessages/2 {
		t.Fatalf("the limit was not reached: %+v, %+v", st.Messages, st.StayedOnTCP)
	}
	check("the rest goes by TCP")
	if err := s.client.Shutdown(c.cfd, unix.SHUT_WR); err != nil {
		t.Fatal(err)
	}
	testkit.Must(s.server.Poll(c.sfd, unix.POLLRDHUP, trustWait))(t)
	check("the end has come")
	for sent > read {
		recv(min(sent-read, 777))
		check("behind the end")
	}
	// Sockets that are not accelerated are the kernel's.
	plain := newPlainScene(t)
	p := plain.open(t, false, false)
	plain.client.MustSend(t, p.cfd, []byte("plain"))
	testkit.Must(plain.server.Poll(p.sfd, unix.POLLIN, trustWait))(t)
	if n := testkit.Must(plain.server.FIONREAD(p.sfd))(t); n != 5 {
		t.Errorf("FIONREAD of a plain socket: %d, want 5", n)
	}
}
