package core_test

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sockaccel/sockaccel/internal/state"
	"github.com/sockaccel/sockaccel/internal/testkit"
)

// Invariant I4: all connections together may queue about one percent of the
// memory, however many readers do not read; nothing of it is lost, and the
// budget is there again when they have read.
func TestVerdictTotalLimit(t *testing.T) {
	s := newTrustedScene(t)
	budget := max(totalMemory(t)/100, state.LimitBytes)
	// Half as many connections again as would exhaust it, if each takes its
	// own limit; what one of them costs is bytes and a kilobyte a message.
	const piece = 64 << 10
	links := make([]struct{ cfd, sfd, sent int }, 3*budget/(2*state.LimitBytes)+4)
	before := s.counts(t)
	var messages, bytes uint64
	for i := range links {
		l := &links[i]
		l.cfd, l.sfd = s.connect(t)
		smallBuffers(t, s, l.cfd)
		l.sent = fillOnce(t, s.client, l.cfd, uint64(i), piece)
	}
	got := s.counts(t).since(before)
	messages, bytes = got.Redirected, got.RedirectedBytes
	t.Logf("budget %d, %d connections: %+v", budget, len(links), got)
	if cost := bytes + messages<<10; cost > uint64(budget) {
		t.Errorf("%d messages of %d bytes queued, budget %d", messages, bytes, budget)
	}
	if bytes < uint64(budget)/2 {
		t.Errorf("only %d bytes queued of a budget of %d: nothing was limited", bytes, budget)
	}
	if reserved := s.tool.Status(t).Connections.QueuedLimit; reserved > uint64(budget) {
		t.Errorf("%d bytes reserved, budget %d", reserved, budget)
	}
	for i, l := range links {
		stats, err := s.server.VerifyStream(l.sfd, testkit.ReadOptions{
			Seed: uint64(i), Total: int64(l.sent), Mode: testkit.ReadEdge, Buffer: 65521, Timeout: patience,
		})
		if err != nil {
			t.Fatalf("connection %d, %d sent: %+v, %v", i, l.sent, stats, err)
		}
		s.client.MustClose(t, l.cfd)
		s.server.MustClose(t, l.sfd)
	}
	// Everything was given back: a new connection may use its whole limit.
	if reserved := s.tool.Status(t).Connections.QueuedLimit; reserved != 0 {
		t.Errorf("%d bytes still reserved", reserved)
	}
	before = s.counts(t)
	cfd, _ := s.connect(t)
	smallBuffers(t, s, cfd)
	fillOnce(t, s.client, cfd, 1, piece)
	if got := s.counts(t).since(before); got.RedirectedBytes < leastQueue {
		t.Errorf("a new connection may queue only %d bytes", got.RedirectedBytes)
	}
}

// fillOnce sends until EAGAIN.
func fillOnce(tb testing.TB, a *testkit.Agent, fd int, seed uint64, size int) (sent int) {
	tb.Helper()
	sock, release := steal(tb, a, fd)
	defer release()
	buf := make([]byte, size)
	for {
		testkit.NewStream(seed).Fill(buf, int64(sent))
		n, err := unix.SendmsgN(sock, buf, nil, nil, unix.MSG_NOSIGNAL)
		if err == unix.EAGAIN {
			return sent
		}
		if err != nil {
			tb.Fatalf("after %d bytes: send: %v", sent, err)
		}
		if sent += n; sent > 256<<20 {
			tb.Fatalf("%d bytes were taken, and no end", sent)
		}
	}
}

func totalMemory(tb testing.TB) int {
	tb.Helper()
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		tb.Fatal(err)
	}
	return int(info.Totalram) * int(info.Unit)
}
