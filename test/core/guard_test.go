package core_test

import (
	"errors"
	"fmt"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sockaccel/sockaccel/internal/probe"
	"github.com/sockaccel/sockaccel/internal/state"
	"github.com/sockaccel/sockaccel/internal/testkit"
)

// guarded skips unless the splice guard is what this kernel gets.
func guarded(t *testing.T, want bool) {
	t.Helper()
	testkit.RequireRoot(t)
	found, err := probe.Run()
	if err != nil {
		t.Fatal(err)
	}
	if want && !found.Guard {
		t.Skipf("this kernel refuses the splice guard: %v", found.Refused)
	} else if found.Guard && !want {
		t.Skip("this kernel has the splice guard")
	}
}

func newGuardScene(t *testing.T) *scene {
	t.Helper()
	guarded(t, true)
	s := newTrustScene(t)
	if guard := s.tool.Status(t).SpliceGuard; guard != state.GuardOn {
		t.Fatalf("splice guard: %s", guard)
	}
	return s
}

// listenAnew is for a service that nobody has seen to splice.
func (s *scene) listenAnew(t *testing.T) {
	t.Helper()
	s.listener, _ = s.server.MustListen(t, testkit.Loopback, true)
	s.tool.Trust(t, s.client, s.server, s.listener)
}

// sendfile(2) from a socket in the sockhash fails always.
func TestGuardRefusesSendfile(t *testing.T) {
	s := newGuardScene(t)
	d := s.since(t)
	c := s.open(t, false, false)
	c.exchange(t, 5)
	s.client.MustSend(t, c.cfd, []byte("queued"))
	for range 3 {
		if got, err := sendfileFrom(t, s.server, c.sfd); !errors.Is(err, unix.EINVAL) {
			t.Fatalf("sendfile: %q, %v, want EINVAL", got, err)
		}
	}
	s.server.MustRecv(t, c.sfd, []byte("queued"))
	if got, err := sendfileFrom(t, s.server, c.sfd); !errors.Is(err, unix.EINVAL) {
		t.Fatalf("sendfile: %q, %v, want EINVAL", got, err)
	}
	c.exchange(t, 5)
	if n := d.redirected(s.tool.Status(t)); n != 21 {
		t.Errorf("%d messages redirected, want 21", n)
	}
}

// splicers are the ways to splice from a socket.
var splicers = map[string]func(testing.TB, *scene, int) ([]byte, error){
	"splice": func(_ testing.TB, s *scene, fd int) ([]byte, error) { return s.server.Splice(fd, 100, true) },
	"io_uring": func(_ testing.TB, s *scene, fd int) ([]byte, error) {
		return s.server.SpliceUring(fd, 100, false)
	},
	"io_uring worker": func(_ testing.TB, s *scene, fd int) ([]byte, error) {
		return s.server.SpliceUring(fd, 100, true)
	},
}

// The first splice of a trusted reader, with redirected data queued, fails before
// it reads a byte; recv has it all. Then the connection is plain TCP, and splice
// sees what comes.
func TestGuardRefuses(t *testing.T) {
	s := newGuardScene(t)
	for name, splice := range splicers {
		t.Run(name, func(t *testing.T) {
			s.listenAnew(t)
			d := s.since(t)
			c := s.open(t, false, false)
			c.exchange(t, 5)
			s.client.MustSend(t, c.cfd, []byte("queued"))
			s.client.MustSend(t, c.cfd, []byte(" twice"))
			if n := d.redirected(s.tool.Status(t)); n != 12 {
				t.Fatalf("%d messages redirected, want 12", n)
			}
			for range 3 {
				if got, err := splice(t, s, c.sfd); !errors.Is(err, unix.EINVAL) {
					t.Fatalf("splice with redirected data queued: %q, %v, want EINVAL", got, err)
				}
			}
			// Behind what is queued, by TCP.
			s.client.MustSend(t, c.cfd, []byte(" and again"))
			s.server.MustRecv(t, c.sfd, []byte("queued twice and again"))
			if got, err := splice(t, s, c.sfd); !errors.Is(err, unix.EAGAIN) {
				t.Fatalf("splice from an empty socket: %q, %v, want EAGAIN", got, err)
			}
			for i := range 5 {
				msg := fmt.Sprintf("spliced %d", i)
				s.client.MustSend(t, c.cfd, []byte(msg))
				testkit.Must(s.server.Poll(c.sfd, unix.POLLIN, trustWait))(t)
				if got, err := splice(t, s, c.sfd); err != nil || string(got) != msg {
					t.Fatalf("splice: %q, %v, want %q", got, err, msg)
				}
			}
			gone(t, s)
			c.exchange(t, 5)
			if n := d.redirected(s.tool.Status(t)); n != 12 {
				t.Errorf("%d messages redirected in all, want 12", n)
			}
			if n := s.tool.Status(t).NotAccelerated.Splice - d.before.NotAccelerated.Splice; n != 1 {
				t.Errorf("%d connections counted as splice, want 1", n)
			}
		})
	}
}

// The end of the stream behind redirected data is not seen by splice before the
// data is read.
func TestGuardEndOfFile(t *testing.T) {
	s := newGuardScene(t)
	for name, splice := range splicers {
		t.Run(name, func(t *testing.T) {
			s.listenAnew(t)
			d := s.since(t)
			c := s.open(t, false, false)
			c.exchange(t, 5)
			s.client.MustSend(t, c.cfd, []byte("the last words"))
			if err := s.client.Shutdown(c.cfd, unix.SHUT_WR); err != nil {
				t.Fatal(err)
			}
			testkit.Must(s.server.Poll(c.sfd, unix.POLLRDHUP, trustWait))(t)
			if n := d.redirected(s.tool.Status(t)); n != 11 {
				t.Fatalf("%d messages redirected, want 11", n)
			}
			if got, err := splice(t, s, c.sfd); !errors.Is(err, unix.EINVAL) {
				t.Fatalf("splice before the end: %q, %v, want EINVAL", got, err)
			}
			s.server.MustRecv(t, c.sfd, []byte("the last words"))
			if got, err := splice(t, s, c.sfd); err != nil || len(got) != 0 {
				t.Fatalf("splice at the end: %q, %v, want nothing", got, err)
			}
		})
	}
}

// read(2) passes the same hook as splice does, and is what programs fall back to.
func TestGuardLetsRead(t *testing.T) {
	s := newGuardScene(t)
	d := s.since(t)
	c := s.open(t, false, false)
	for i := range 20 {
		msg := fmt.Sprintf("read %d", i)
		s.client.MustSend(t, c.cfd, []byte(msg))
		if got, err := s.server.Read(c.sfd, 100); err != nil || string(got) != msg {
			t.Fatalf("read: %q, %v, want %q", got, err, msg)
		}
	}
	if n := d.redirected(s.tool.Status(t)); n != 20 {
		t.Errorf("%d messages redirected, want 20", n)
	}
}

// Sockets that are not accelerated are spliced as ever.
func TestGuardLetsOthersSplice(t *testing.T) {
	s := newGuardScene(t)
	other := *s
	other.cg = testkit.NewCgroup(t)
	other.client = testkit.StartAgent(t, testkit.AgentOptions{Name: "client", Cgroup: other.cg})
	other.server = testkit.StartAgent(t, testkit.AgentOptions{Name: "server", Cgroup: other.cg})
	other.listener, _ = other.server.MustListen(t, testkit.Loopback, true)
	c := other.open(t, false, false)
	c.exchange(t, 5)
	for name, splice := range splicers {
		other.client.MustSend(t, c.cfd, []byte(name))
		testkit.Must(other.server.Poll(c.sfd, unix.POLLIN, trustWait))(t)
		if got, err := splice(t, &other, c.sfd); err != nil || string(got) != name {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}
