package load

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/sockaccel/sockaccel/internal/stream"
)

// The request-response load uses raw sockets and one epoll loop at each end:
// the cost of Go's scheduler and poller would hide the one of the transport.

// rrSize is the size of a request and of a response.
const rrSize = 64

type rrMessage [rrSize]byte

// request fills m with request number n of a connection.
func (m *rrMessage) request(conn int, n int64) {
	stream.New(uint64(conn)).Fill(m[:], n*rrSize)
}

// respond turns a request into its response: a server that merely returns
// what it received would not be noticed if it had received it twice.
func (m *rrMessage) respond() {
	for i := 0; i < rrSize; i += 8 {
		x := binary.LittleEndian.Uint64(m[i:])
		x = (x ^ x>>29) * 0xbf58476d1ce4e5b9
		binary.LittleEndian.PutUint64(m[i:], x+uint64(i))
	}
}

// rrConn is a connection at either end, with the message that it is receiving.
type rrConn struct {
	fd  int
	msg rrMessage
	n   int
}

// receive reads once and reports whether the message is complete.
func (c *rrConn) receive() (done bool, err error) {
	n, _, err := unix.Recvfrom(c.fd, c.msg[c.n:], 0)
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return false, nil
	case err != nil:
		return false, fmt.Errorf("recv: %w", err)
	case n == 0:
		return false, errEOF
	}
	if c.n += n; c.n < rrSize {
		return false, nil
	}
	c.n = 0
	return true, nil
}

// send writes a message, for which there is always room: no connection has
// more than one on its way.
func (c *rrConn) send(m *rrMessage) error {
	n, err := unix.SendmsgN(c.fd, m[:], nil, nil, unix.MSG_NOSIGNAL)
	if err == nil && n != rrSize {
		err = fmt.Errorf("only %d bytes sent", n)
	}
	if err != nil {
		return fmt.Errorf("send: %w", err)
	}
	return nil
}

// newSocket returns a non-blocking TCP socket.
func newSocket(addr netip.Addr) (int, error) {
	family := unix.AF_INET6
	if addr.Is4() {
		family = unix.AF_INET
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	if err != nil {
		return -1, fmt.Errorf("socket: %w", err)
	}
	return fd, nil
}

func sockaddr(ap netip.AddrPort) unix.Sockaddr {
	if ap.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(ap.Port()), Addr: ap.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(ap.Port()), Addr: ap.Addr().As16()}
}
