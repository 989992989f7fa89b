package load

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// send is send(2) without a signal. Like recv it is one raw system call: the
// socket does not block, so Go's scheduler need not know of it, and on AF_UNIX
// Recvfrom would allocate the peer's address each time.
func send(fd int, p []byte) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), unix.MSG_NOSIGNAL, 0, 0)
	return int(n), errno
}

// recv is recv(2).
func recv(fd int, p []byte) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), 0, 0, 0)
	return int(n), errno
}

// epollWait is epoll_pwait2(2), whose timeout is in ns: requests are due
// between two milliseconds.
func epollWait(ep int, events []unix.EpollEvent, timeout time.Duration) (int, unix.Errno) {
	ts := unix.NsecToTimespec(int64(max(timeout, 0)))
	n, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(ep),
		uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)),
		uintptr(unsafe.Pointer(&ts)), 0, 0)
	return int(n), errno
}
