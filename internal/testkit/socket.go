package testkit

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// connectTimeout bounds Connect and Accept.
const connectTimeout = 10 * time.Second

type none bool // gob has no encoding for a struct without fields

type socketArgs struct {
	Family   int
	Nonblock bool
}

type addrArgs struct {
	FD   int
	Addr netip.AddrPort
}

type intArgs struct{ FD, N int }

type boolArgs struct {
	FD int
	On bool
}

var (
	opSocket = op("socket", func(x socketArgs) (int, error) {
		return unix.Socket(x.Family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|nonblockFlag(x.Nonblock), unix.IPPROTO_TCP)
	})
	opBind = op("bind", func(x addrArgs) (none, error) {
		return false, unix.Bind(x.FD, toSockaddr(x.Addr))
	})
	opListen = op("listen", func(x intArgs) (netip.AddrPort, error) {
		if err := unix.Listen(x.FD, x.N); err != nil {
			return netip.AddrPort{}, err
		}
		return localAddr(x.FD)
	})
	opConnect = op("connect", func(x addrArgs) (none, error) {
		return false, connect(x.FD, x.Addr, connectTimeout)
	})
	opConnectRaw = op("connect once", func(x addrArgs) (none, error) {
		return false, unix.Connect(x.FD, toSockaddr(x.Addr))
	})
	opConnectUnspec = op("connect AF_UNSPEC", func(fd int) (none, error) {
		return false, connectUnspec(fd)
	})
	opAccept = op("accept", func(x boolArgs) (int, error) {
		if err := waitAccept(x.FD); err != nil {
			return -1, err
		}
		return accept(x.FD, x.On)
	})
	opAcceptRaw = op("accept4", func(x boolArgs) (int, error) {
		return accept(x.FD, x.On)
	})
	opShutdown = op("shutdown", func(x intArgs) (none, error) {
		return false, unix.Shutdown(x.FD, x.N)
	})
	opClose = op("close", func(fd int) (none, error) {
		return false, unix.Close(fd)
	})
	opLocalAddr = op("getsockname", localAddr)
	opPeerAddr  = op("getpeername", peerAddr)
)

// Socket creates a TCP socket of AF_INET or AF_INET6.
func (a *Agent) Socket(family int, nonblock bool) (fd int, err error) {
	return opSocket.on(a, socketArgs{family, nonblock})
}

// Bind gives a socket its local address.
func (a *Agent) Bind(fd int, addr netip.AddrPort) error {
	_, err := opBind.on(a, addrArgs{fd, addr})
	return err
}

// Listen makes a socket a listener and returns its address.
func (a *Agent) Listen(fd, backlog int) (netip.AddrPort, error) {
	return opListen.on(a, intArgs{fd, backlog})
}

// Connect connects a socket and returns when that has succeeded or failed,
// also if the socket is non-blocking.
func (a *Agent) Connect(fd int, addr netip.AddrPort) error {
	_, err := opConnect.on(a, addrArgs{fd, addr})
	return err
}

// ConnectRaw is one call of connect(2): EINPROGRESS if non-blocking.
func (a *Agent) ConnectRaw(fd int, addr netip.AddrPort) error {
	_, err := opConnectRaw.on(a, addrArgs{fd, addr})
	return err
}

// ConnectUnspec disconnects a socket: connect(2) to AF_UNSPEC.
func (a *Agent) ConnectUnspec(fd int) error {
	_, err := opConnectUnspec.on(a, fd)
	return err
}

// Accept waits for a connection and accepts it.
func (a *Agent) Accept(fd int, nonblock bool) (conn int, err error) {
	return opAccept.on(a, boolArgs{fd, nonblock})
}

// AcceptRaw is one call of accept4(2).
func (a *Agent) AcceptRaw(fd int, nonblock bool) (conn int, err error) {
	return opAcceptRaw.on(a, boolArgs{fd, nonblock})
}

// Shutdown shuts down unix.SHUT_RD, SHUT_WR or SHUT_RDWR.
func (a *Agent) Shutdown(fd, how int) error {
	_, err := opShutdown.on(a, intArgs{fd, how})
	return err
}

// Close closes a descriptor.
func (a *Agent) Close(fd int) error {
	_, err := opClose.on(a, fd)
	return err
}

// LocalAddr returns the local address of a socket.
func (a *Agent) LocalAddr(fd int) (netip.AddrPort, error) { return opLocalAddr.on(a, fd) }

// PeerAddr returns the remote address of a socket.
func (a *Agent) PeerAddr(fd int) (netip.AddrPort, error) { return opPeerAddr.on(a, fd) }

func nonblockFlag(on bool) int {
	if on {
		return unix.SOCK_NONBLOCK
	}
	return 0
}

func waitAccept(fd int) error {
	_, err := waitFor(fd, unix.POLLIN, time.Now().Add(connectTimeout))
	return err
}

func accept(fd int, nonblock bool) (int, error) {
	conn, _, err := unix.Accept4(fd, unix.SOCK_CLOEXEC|nonblockFlag(nonblock))
	return conn, err
}

func connect(fd int, addr netip.AddrPort, timeout time.Duration) error {
	err := unix.Connect(fd, toSockaddr(addr))
	if err != unix.EINPROGRESS {
		return err
	}
	if _, err := waitFor(fd, unix.POLLOUT, time.Now().Add(timeout)); err != nil {
		return err
	}
	soErr, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && soErr != 0 {
		err = unix.Errno(soErr)
	}
	return err
}

func localAddr(fd int) (netip.AddrPort, error) {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return netip.AddrPort{}, err
	}
	return toAddrPort(sa)
}

func peerAddr(fd int) (netip.AddrPort, error) {
	sa, err := unix.Getpeername(fd)
	if err != nil {
		return netip.AddrPort{}, err
	}
	return toAddrPort(sa)
}
