package load

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// address is one of a TCP or an AF_UNIX socket.
type address struct {
	family int
	unix.Sockaddr
}

// parseAddress parses "ip:port", or "@name" for a name in the abstract
// namespace, which leaves no file behind.
func parseAddress(s string) (address, error) {
	if strings.HasPrefix(s, "@") {
		return address{unix.AF_UNIX, &unix.SockaddrUnix{Name: s}}, nil
	}
	ap, err := netip.ParseAddrPort(s)
	switch {
	case err != nil:
		return address{}, fmt.Errorf("address %q: must be ip:port or @name", s)
	case ap.Addr().Is4():
		return address{unix.AF_INET, &unix.SockaddrInet4{Port: int(ap.Port()), Addr: ap.Addr().As4()}}, nil
	}
	return address{unix.AF_INET6, &unix.SockaddrInet6{Port: int(ap.Port()), Addr: ap.Addr().As16()}}, nil
}

// newSocket returns a non-blocking stream socket: plain TCP, not MPTCP, which
// is another kind of socket.
func newSocket(family int) (int, error) {
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("socket: %w", err)
	}
	setNoDelay(fd, family)
	return fd, nil
}

func setNoDelay(fd, family int) {
	if family != unix.AF_UNIX {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1) // every TCP socket has it
	}
}

// startConnect returns a socket that may still be connecting: what is sent
// first shows whether it succeeds.
func startConnect(to address) (int, error) {
	fd, err := newSocket(to.family)
	if err != nil {
		return -1, err
	}
	if err := unix.Connect(fd, to); err != nil && err != unix.EINPROGRESS {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// dial returns a connected socket.
func dial(to address) (int, error) {
	fd, err := startConnect(to)
	if err != nil {
		return -1, err
	}
	if err := awaitConnect(fd); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func awaitConnect(fd int) error {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
	for {
		n, err := unix.Poll(fds, int(stall/time.Millisecond))
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return err
		case n == 0:
			return unix.ETIMEDOUT
		}
		soErr, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
		if err == nil && soErr != 0 {
			err = unix.Errno(soErr)
		}
		return err
	}
}

// backlog is above unix.SOMAXCONN, which is that of old kernels: a connection
// that did not fit would be tried again after a second.
const backlog = 4096

// listen returns a listening socket and its address; the kernel chooses a port
// or a name that is free.
func listen(at address) (fd int, name string, err error) {
	if fd, err = newSocket(at.family); err != nil {
		return -1, "", err
	}
	if name, err = bind(fd, at); err != nil {
		unix.Close(fd)
		return -1, "", fmt.Errorf("listen: %w", err)
	}
	return fd, name, nil
}

func bind(fd int, at address) (name string, err error) {
	if err := unix.Bind(fd, at); err != nil {
		return "", err
	}
	if err := unix.Listen(fd, backlog); err != nil {
		return "", err
	}
	sa, err := unix.Getsockname(fd)
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		name = netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port)).String()
	case *unix.SockaddrUnix:
		name = sa.Name
	}
	return name, err
}
