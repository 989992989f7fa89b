package testkit

import (
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

type manyArgs struct {
	Addr netip.AddrPort
	N    int
}

var (
	opConnectMany = op("connect many", func(x manyArgs) ([]int, error) {
		return repeat(x.N, func() (int, error) {
			fd, err := unix.Socket(family(x.Addr.Addr()), unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
			if err != nil {
				return -1, err
			}
			if err := connect(fd, x.Addr, connectTimeout); err != nil {
				unix.Close(fd)
				return -1, err
			}
			return fd, nil
		})
	})
	opAcceptMany = op("accept many", func(x intArgs) ([]int, error) {
		return repeat(x.N, func() (int, error) {
			if err := waitAccept(x.FD); err != nil {
				return -1, err
			}
			return accept(x.FD, true)
		})
	})
	opCloseMany = op("close many", func(fds []int) (none, error) {
		for _, fd := range fds {
			if err := unix.Close(fd); err != nil {
				return false, fmt.Errorf("descriptor %d: %w", fd, err)
			}
		}
		return false, nil
	})
)

// ConnectMany opens n non-blocking connections one after another. With an
// error it returns those that succeeded.
func (a *Agent) ConnectMany(addr netip.AddrPort, n int) (fds []int, err error) {
	return opConnectMany.on(a, manyArgs{addr, n})
}

// AcceptMany accepts n connections, non-blocking.
func (a *Agent) AcceptMany(listenFD, n int) (fds []int, err error) {
	return opAcceptMany.on(a, intArgs{listenFD, n})
}

// CloseMany closes descriptors in order.
func (a *Agent) CloseMany(fds []int) error {
	_, err := opCloseMany.on(a, fds)
	return err
}

func repeat(n int, fn func() (int, error)) ([]int, error) {
	var fds []int
	for i := range n {
		fd, err := fn()
		if err != nil {
			return fds, fmt.Errorf("number %d: %w", i, err)
		}
		fds = append(fds, fd)
	}
	return fds, nil
}

func timeoutError(what string) error {
	return fmt.Errorf("%s: %w", what, os.ErrDeadlineExceeded)
}
