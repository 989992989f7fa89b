package core_test

import (
	"slices"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sockaccel/sockaccel/internal/drain"
	"github.com/sockaccel/sockaccel/internal/state"
	"github.com/sockaccel/sockaccel/internal/testkit"
)

// A message that has taken its verdict but is not in the queue yet: its sender
// waits for the lock of the receiver, whose queue is empty. Taking the receiver
// out of the sockhash now would lose it.
func TestVerdictUnderWay(t *testing.T) {
	s := newTrustedScene(t)
	cfd, sfd := s.exchange(t, 1)
	receiver, _ := steal(t, s.server, sfd)
	locked := lockSocket(t, receiver)

	before := s.tool.Status(t).Messages.Redirected
	send := testkit.Go(func() (int, error) { return s.client.Send(cfd, []byte("under way"), 0) })
	testkit.Must(s.client.AwaitBlocked(cfd, 10*time.Second))(t)
	if got := s.tool.Status(t).Messages.Redirected - before; got != 1 {
		t.Fatalf("%d verdicts to redirect, want 1", got)
	}
	// What disable does, but for its passes: they wait for the lock as well.
	st, err := state.Open(s.tool.StateDir)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if err := st.SetDraining(state.DrainSoft); err != nil {
		t.Fatal(err)
	}
	ends := []uint64{cookie(t, s.client, cfd), cookie(t, s.server, sfd)}
	for range 3 {
		if swept, err := drain.Step(st, true); err != nil || swept.InMap != 1 {
			t.Fatalf("%d connections in the sockhash, want 1: %v", swept.InMap, err)
		}
	}
	if in := s.inSockhash(t, true, ends...); !slices.Contains(in, ends[1]) {
		t.Error("the receiver was taken out of the sockhash")
	}
	locked.release()
	if _, err := send.Wait(10 * time.Second); err != nil {
		t.Errorf("send: %v", err)
	}
	s.server.MustRecv(t, sfd, []byte("under way"))
	s.tool.Disable(t)
}

// heldLock is a thread in the kernel that holds the lock of a socket: a
// setsockopt that attaches a filter reads it, under the lock, from a page that
// is not there yet.
type heldLock struct {
	tb   testing.TB
	uffd int
	page []byte
	done chan error
}

// ioctls of include/uapi/linux/userfaultfd.h; x/sys has none of them.
const (
	uffdioAPI      = 0xc018aa3f
	uffdioRegister = 0xc020aa00
	uffdioCopy     = 0xc028aa03
	uffdAPI        = 0xaa
)

func lockSocket(tb testing.TB, fd int) *heldLock {
	tb.Helper()
	// Of a blocking one poll(2) says POLLERR at once.
	uffd, _, errno := unix.Syscall(unix.SYS_USERFAULTFD, unix.O_CLOEXEC|unix.O_NONBLOCK, 0, 0)
	if errno != 0 {
		tb.Skipf("needs userfaultfd to hold a socket's lock: %v", errno)
	}
	page, err := unix.Mmap(-1, 0, unix.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		tb.Fatal(err)
	}
	h := &heldLock{tb: tb, uffd: int(uffd), page: page, done: make(chan error, 1)}
	tb.Cleanup(h.release)
	api := [3]uint64{uffdAPI}
	h.ioctl(uffdioAPI, unsafe.Pointer(&api))
	register := [4]uint64{h.address(), uint64(len(page)), 1 /* missing pages */}
	h.ioctl(uffdioRegister, unsafe.Pointer(&register))
	go func() {
		prog := unix.SockFprog{Len: 1, Filter: (*unix.SockFilter)(unsafe.Pointer(&page[0]))}
		_, _, errno := unix.Syscall6(unix.SYS_SETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
			uintptr(unsafe.Pointer(&prog)), unsafe.Sizeof(prog), 0)
		if errno == 0 {
			h.done <- nil
			return
		}
		h.done <- errno
	}()
	// The fault says that the thread is there.
	fault := []unix.PollFd{{Fd: int32(h.uffd), Events: unix.POLLIN}}
	_, err = unix.Poll(fault, 10_000)
	for err == unix.EINTR {
		_, err = unix.Poll(fault, 10_000)
	}
	if err != nil || fault[0].Revents != unix.POLLIN {
		tb.Fatalf("the lock is not held: %#x, %v", fault[0].Revents, err)
	}
	return h
}

func (h *heldLock) address() uint64 { return uint64(uintptr(unsafe.Pointer(&h.page[0]))) }

func (h *heldLock) ioctl(request uintptr, arg unsafe.Pointer) {
	h.tb.Helper()
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(h.uffd), request, uintptr(arg)); errno != 0 {
		h.tb.Fatalf("userfaultfd ioctl %#x: %v", request, errno)
	}
}

// release gives the page, a filter that accepts everything, and with it the lock.
func (h *heldLock) release() {
	if h.page == nil {
		return
	}
	source := make([]byte, len(h.page))
	*(*unix.SockFilter)(unsafe.Pointer(&source[0])) = unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: ^uint32(0)}
	args := [5]uint64{h.address(), uint64(uintptr(unsafe.Pointer(&source[0]))), uint64(len(source))}
	h.ioctl(uffdioCopy, unsafe.Pointer(&args))
	if err := <-h.done; err != nil {
		h.tb.Errorf("setsockopt: %v", err)
	}
	unix.Munmap(h.page)
	unix.Close(h.uffd)
	h.page = nil
}
