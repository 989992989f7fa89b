package core_test

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

// What follows a hand-over by TCP while the owner of the receiver is reading,
// and has its lock, waits in the backlog. TCP takes it there whatever is queued
// before it: if it were dropped the stream would stand still until the sender's
// retransmission timeout, which doubles as long as the owner is at it.
func TestHandOverToBusyReader(t *testing.T) {
	const size = 63 << 10
	message := func(i int) []byte { return testkit.NewStream(7).Bytes(int64(i)*size, size) }
	// One connection to find where the limit is.
	s := newTrustedScene(t)
	cfd, sfd := s.exchange(t, 1)
	n := 0
	for ; s.tool.Status(t).StayedOnTCP.Limit == 0; n++ {
		s.client.MustSend(t, cfd, message(n))
	}
	all := testkit.ReadOptions{Seed: 7, Total: int64(n) * size}
	testkit.Must(s.server.VerifyStream(sfd, all))(t)
	s.tool.Disable(t)

	s = newTrustedScene(t)
	cfd, sfd = s.exchange(t, 1)
	sender, _ := steal(t, s.client, cfd)
	receiver, _ := steal(t, s.server, sfd)
	for i := range n - 1 {
		s.client.MustSend(t, cfd, message(i))
	}
	before := stolenInfo(t, receiver).Bytes_received // which takes the lock
	locked := lockSocket(t, receiver)
	s.client.MustSend(t, cfd, message(n-1))
	if got := s.tool.Status(t).StayedOnTCP.Limit; got != 1 {
		t.Fatalf("%d messages met the limit, want the last", got)
	}
	for deadline := time.Now().Add(10 * time.Second); stolenInfo(t, sender).Unacked == 0; {
		if time.Now().After(deadline) {
			t.Fatal("nothing was sent by TCP")
		}
	}
	locked.release()
	if after := stolenInfo(t, receiver).Bytes_received; after == before {
		t.Error("what came by TCP meanwhile was dropped")
	}
	testkit.Must(s.server.VerifyStream(sfd, all))(t)
	s.tool.Disable(t)
}

func stolenInfo(tb testing.TB, fd int) *unix.TCPInfo {
	tb.Helper()
	return testkit.Must(unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO))(tb)
}
