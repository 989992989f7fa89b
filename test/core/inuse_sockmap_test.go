package core_test

import (
	"errors"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/sockaccel/sockaccel/internal/status"
	"github.com/sockaccel/sockaccel/internal/testkit"
)

// newSockhash is another program's sockhash, with a verdict that lets every
// message pass.
func newSockhash(tb testing.TB) *ebpf.Map {
	tb.Helper()
	testkit.RequireRoot(tb)
	socks, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.SockHash, KeySize: 8, ValueSize: 8, MaxEntries: 8})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { socks.Close() })
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.SkMsg, AttachType: ebpf.AttachSkMsgVerdict, License: "MIT",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 1), asm.Return()},
	})
	if err != nil {
		tb.Fatal(err)
	}
	defer prog.Close()
	if err := link.RawAttachProgram(link.RawAttachProgramOptions{
		Target: socks.FD(), Program: prog, Attach: ebpf.AttachSkMsgVerdict,
	}); err != nil {
		tb.Fatal(err)
	}
	return socks
}

// staysOut requires that neither end is in the sockhash and nothing was
// redirected since before, and that the connection is counted as in use.
func (s *scene) staysOut(tb testing.TB, on bool, before *status.Status, c trustConn) {
	tb.Helper()
	if in := s.inSockhash(tb, on, cookie(tb, c.client, c.cfd), cookie(tb, c.server, c.sfd)); len(in) != 0 {
		tb.Errorf("%d ends in the sockhash", len(in))
	}
	after := s.tool.Status(tb)
	if n := after.Messages.Redirected - before.Messages.Redirected; n != 0 {
		tb.Errorf("redirected %d messages", n)
	}
	if n := after.NotAccelerated.InUse - before.NotAccelerated.InUse; on && n != 1 {
		tb.Errorf("%d connections counted as in_use, want 1: %+v", n, after.NotAccelerated)
	}
}

func (c trustConn) setNonblocking(tb testing.TB) {
	tb.Helper()
	if err := errors.Join(c.client.SetNonblock(c.cfd, true), c.server.SetNonblock(c.sfd, true)); err != nil {
		tb.Fatal(err)
	}
}

// A socket that is in another program's sockmap first stays there.
func TestInUseSockmap(t *testing.T) {
	socks := newSockhash(t)
	withAndWithout(t, func(t *testing.T, s *scene, on bool) {
		// Blocking at birth, so that it may be adopted when it is not.
		c := s.open(t, true, true)
		sock, release := steal(t, c.server, c.sfd)
		defer release()
		before := s.tool.Status(t)
		key := uint64(sock)
		if err := socks.Put(key, uint64(sock)); err != nil {
			t.Fatal(err)
		}
		c.setNonblocking(t)
		for range 3 {
			c.exchange(t, 8)
			trustPasses(t, s.tool)
		}
		s.staysOut(t, on, before, c)
		if err := socks.Delete(key); err != nil {
			t.Errorf("not in the other sockmap any more: %v", err)
		}
	})
}

// A socket in ours is refused to another sockmap that has a verdict, and its
// connection goes on, redirected.
func TestInUseSockmapRefused(t *testing.T) {
	socks := newSockhash(t)
	s := newTrustedScene(t)
	cfd, sfd := s.connect(t)
	sock, release := steal(t, s.client, cfd)
	defer release()
	if err := socks.Put(uint64(1), uint64(sock)); !errors.Is(err, unix.EBUSY) {
		t.Errorf("another sockmap took it: %v, want EBUSY", err)
	}
	before := s.counts(t)
	const rounds = 10
	trustConn{s.client, s.server, cfd, sfd}.exchange(t, rounds)
	s.requireRedirected(t, true, before, 2*rounds)
}
