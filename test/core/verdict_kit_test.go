package core_test

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/sockaccel/sockaccel/internal/probe"
	"github.com/sockaccel/sockaccel/internal/status"
	"github.com/sockaccel/sockaccel/internal/testkit"
)

// patience is how long anything that has to happen may take: emulation is
// slow, and a stall is for ever.
const patience = 60 * time.Second

// withAndWithout runs a test accelerated and on plain TCP, which has to show
// the same unless the test names the deviation.
func withAndWithout(t *testing.T, f func(t *testing.T, s *scene, on bool)) {
	for _, on := range testkit.Ways() {
		if on {
			t.Run("accelerated", func(t *testing.T) { f(t, newTrustedScene(t), true) })
			continue
		}
		t.Run("tcp", func(t *testing.T) {
			s := newPlainScene(t)
			f(t, s, false)
			if st := s.tool.Status(t); st.Enabled || st.Messages.Redirected != 0 {
				t.Errorf("something was counted: %+v", st)
			}
		})
	}
}

// newTrustedScene is newScene with a listener that was made in scope: one from
// before is known only after the sidecar's first look around, and readers that
// show themselves earlier are not yet known to be its own.
func newTrustedScene(tb testing.TB, flags ...string) *scene {
	tb.Helper()
	s := newPlainScene(tb)
	s.tool.Enable(tb, s.cg, flags...)
	s.server.MustClose(tb, s.listener)
	s.listener, _ = s.server.MustListen(tb, testkit.Loopback, true)
	s.tool.Trust(tb, s.client, s.server, s.listener)
	return s
}

// counts is what sockets in the sockhash sent.
type counts struct {
	Redirected, TCP, RedirectedBytes, TCPBytes uint64
	Limit, HandedOver                          uint64
}

func (s *scene) counts(tb testing.TB) counts {
	tb.Helper()
	st := s.tool.Status(tb)
	return counts{
		st.Messages.Redirected, st.Messages.TCP, st.Bytes.Redirected, st.Bytes.TCP,
		st.StayedOnTCP.Limit, st.Connections.HandedOverTotal,
	}
}

func (c counts) since(before counts) counts {
	return counts{
		c.Redirected - before.Redirected, c.TCP - before.TCP,
		c.RedirectedBytes - before.RedirectedBytes, c.TCPBytes - before.TCPBytes,
		c.Limit - before.Limit, c.HandedOver - before.HandedOver,
	}
}

// requireRedirected tells that n messages were redirected since before.
func (s *scene) requireRedirected(tb testing.TB, on bool, before counts, n uint64) {
	tb.Helper()
	if !on {
		n = 0
	}
	if got := s.counts(tb).since(before); got.Redirected != n {
		tb.Errorf("redirected %d messages, want %d (%+v)", got.Redirected, n, got)
	}
}

// steal returns a copy of an agent's descriptor, for system calls that agents
// have no operation for. It is closed at the end of the test, which is what
// closes the socket: the result lets go earlier.
func steal(tb testing.TB, a *testkit.Agent, fd int) (copied int, release func()) {
	tb.Helper()
	process, err := unix.PidfdOpen(a.Pid, 0)
	if err != nil {
		tb.Fatalf("pidfd_open: %v", err)
	}
	defer unix.Close(process)
	copied, err = unix.PidfdGetfd(process, fd, 0)
	if err != nil {
		tb.Fatalf("pidfd_getfd: %v", err)
	}
	closed := false
	release = func() {
		if !closed {
			closed = true
			unix.Close(copied)
		}
	}
	tb.Cleanup(release)
	return copied, release
}

// inSockhash says which of the cookies are keys of the sockhash; there is none
// while acceleration is off.
func (s *scene) inSockhash(tb testing.TB, on bool, cookies ...uint64) (in []uint64) {
	tb.Helper()
	if !on {
		return nil
	}
	socks, err := ebpf.LoadPinnedMap(filepath.Join(s.tool.StateDir, "maps", "socks"), nil)
	if err != nil {
		tb.Fatal(err)
	}
	defer socks.Close()
	for _, cookie := range cookies {
		var value uint64
		err := socks.Lookup(cookie, &value)
		if err == nil {
			in = append(in, cookie)
		} else if !errors.Is(err, ebpf.ErrKeyNotExist) {
			tb.Fatal(err)
		}
	}
	slices.Sort(in)
	return in
}

// awaitOut waits until the sidecar has taken the sockets out of the sockhash.
func (s *scene) awaitOut(tb testing.TB, on bool, cookies ...uint64) {
	tb.Helper()
	deadline := time.Now().Add(patience)
	for {
		in := s.inSockhash(tb, on, cookies...)
		if len(in) == 0 {
			return
		}
		if time.Now().After(deadline) {
			tb.Fatalf("still in the sockhash: cookies %d", in)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// awaitHandOver waits until a connection has come to its limit.
func (s *scene) awaitHandOver(tb testing.TB, before counts) {
	tb.Helper()
	s.tool.Await(tb, patience, "hand-over at the limit", func(st *status.Status) bool {
		return st.Connections.HandedOverTotal > before.HandedOver && st.StayedOnTCP.Limit > before.Limit
	})
}

// awaitAcknowledged waits until all that was sent by TCP has arrived.
func awaitAcknowledged(tb testing.TB, a *testkit.Agent, fd int) {
	tb.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if n := testkit.Must(a.SIOCOUTQ(fd))(tb); n == 0 {
			return
		}
		if time.Now().After(deadline) {
			tb.Fatal("not acknowledged")
		}
	}
}

// readModes are the readers that this kernel does not fail. Where FIONREAD is
// blind to redirected bytes, a reader that relies on it is a risk that has to
// be accepted by name: deviation "FIONREAD".
func (s *scene) readModes(tb testing.TB) []testkit.ReadMode {
	tb.Helper()
	modes := []testkit.ReadMode{testkit.ReadPoll, testkit.ReadEdge}
	if fionread := s.tool.Status(tb).FIONREAD; fionread == probe.FIONREADBlindQueue {
		tb.Logf("no nginx reader: FIONREAD is %s", fionread)
		return modes
	}
	return append(modes, testkit.ReadNginx)
}

func cookie(tb testing.TB, a *testkit.Agent, fd int) uint64 {
	tb.Helper()
	return testkit.Must(a.Cookie(fd))(tb)
}
