package testkit

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// System calls that x/sys/unix has no function for.

func errnoErr(e unix.Errno) error {
	if e == 0 {
		return nil
	}
	return e
}

func connectUnspec(fd int) error {
	sa := unix.RawSockaddr{Family: unix.AF_UNSPEC}
	_, _, e := unix.Syscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&sa)), unsafe.Sizeof(sa))
	return errnoErr(e)
}

// recvNull is recv(fd, NULL, n, flags): discards with MSG_TRUNC.
func recvNull(fd, n, flags int) (int, error) {
	r, _, e := unix.Syscall6(unix.SYS_RECVFROM, uintptr(fd), 0, uintptr(n), uintptr(flags), 0, 0)
	if e != 0 {
		return 0, e
	}
	return int(r), nil
}
