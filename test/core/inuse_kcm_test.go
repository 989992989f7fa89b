package core_test

import (
	"bytes"
	"fmt"
	"testing"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

// The Kernel Connection Multiplexor reads a TCP socket inside the kernel, by
// its sk_user_data, and cuts the stream into messages.

const (
	afKCM         = 41
	siocKCMAttach = 0x89e0
	kcmMessage    = 8 // bytes of every message of this test
)

func requireKCM(tb testing.TB) (kcm int) {
	tb.Helper()
	testkit.RequireRoot(tb)
	kcm, err := unix.Socket(afKCM, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		tb.Skipf("this kernel has no KCM: %v", err)
	}
	tb.Cleanup(func() { unix.Close(kcm) })
	if err := unix.SetsockoptTimeval(kcm, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 60}); err != nil {
		tb.Fatal(err)
	}
	return kcm
}

// attachKCM gives a TCP socket to a KCM socket.
func attachKCM(tb testing.TB, kcm, tcp int) error {
	tb.Helper()
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.SocketFilter, License: "MIT",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, kcmMessage), asm.Return()},
	})
	if err != nil {
		tb.Fatal(err)
	}
	defer prog.Close()
	attach := struct{ fd, prog int32 }{int32(tcp), int32(prog.FD())}
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(kcm), siocKCMAttach, uintptr(unsafe.Pointer(&attach)))
	if errno != 0 {
		return errno
	}
	return nil
}

// A socket of KCM's never enters, whoever is trusted, and KCM goes on.
func TestInUseKCM(t *testing.T) {
	kcm := requireKCM(t)
	withAndWithout(t, func(t *testing.T, s *scene, on bool) {
		// Blocking at birth, so that it may be adopted when it is not.
		c := s.open(t, true, true)
		sock, release := steal(t, c.server, c.sfd)
		defer release()
		before := s.tool.Status(t)
		if err := attachKCM(t, kcm, sock); err != nil {
			t.Fatalf("attach: %v", err)
		}
		c.setNonblocking(t)
		for round := range 3 {
			for i := range 8 {
				message := fmt.Appendf(nil, "%2d:%5d", round, i)
				c.client.MustSend(t, c.cfd, message)
				got := make([]byte, 2*kcmMessage)
				n, _, err := unix.Recvfrom(kcm, got, 0)
				if err != nil || !bytes.Equal(got[:n], message) {
					t.Fatalf("KCM reads %q, %v, want %q", got[:n], err, message)
				}
			}
			trustPasses(t, s.tool)
		}
		s.staysOut(t, on, before, c)
	})
}

// A socket in the sockhash is not KCM's to take.
func TestInUseKCMRefused(t *testing.T) {
	kcm := requireKCM(t)
	s := newTrustedScene(t)
	cfd, sfd := s.connect(t)
	sock, release := steal(t, s.server, sfd)
	defer release()
	if err := attachKCM(t, kcm, sock); err == nil {
		t.Fatal("attached")
	}
	before := s.counts(t)
	const rounds = 10
	trustConn{s.client, s.server, cfd, sfd}.exchange(t, rounds)
	s.requireRedirected(t, true, before, 2*rounds)
}
