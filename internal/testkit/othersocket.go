package testkit

import "golang.org/x/sys/unix"

type protocolArgs struct{ Family, Type, Protocol int }

var opProtocol = op("socket of a protocol", func(x protocolArgs) (int, error) {
	return unix.Socket(x.Family, x.Type|unix.SOCK_CLOEXEC, x.Protocol)
})

// SocketOf creates a socket of any family and protocol.
func (a *Agent) SocketOf(family, typ, protocol int) (fd int, err error) {
	return opProtocol.on(a, protocolArgs{family, typ, protocol})
}
