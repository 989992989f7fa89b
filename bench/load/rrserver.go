package load

import (
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

var errEOF = errors.New("connection closed by the peer")

// rrServer answers requests in one loop.
type rrServer struct {
	listen int
	addr   netip.AddrPort
	poll   *poller
	conns  map[int]*rrConn
}

func newRRServer(addr netip.Addr) (_ *rrServer, err error) {
	fd, err := newSocket(addr)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			unix.Close(fd)
		}
	}()
	if err := unix.Bind(fd, sockaddr(netip.AddrPortFrom(addr, 0))); err != nil {
		return nil, fmt.Errorf("bind: %w", err)
	}
	if err := unix.Listen(fd, unix.SOMAXCONN); err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	port, err := localPort(fd)
	if err != nil {
		return nil, fmt.Errorf("getsockname: %w", err)
	}
	p, err := newPoller()
	if err != nil {
		return nil, err
	}
	if err := p.add(fd); err != nil {
		p.close()
		return nil, err
	}
	return &rrServer{
		listen: fd,
		addr:   netip.AddrPortFrom(addr, port),
		poll:   p,
		conns:  make(map[int]*rrConn),
	}, nil
}

func localPort(fd int) (uint16, error) {
	sa, err := unix.Getsockname(fd)
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return uint16(sa.Port), err
	case *unix.SockaddrInet6:
		return uint16(sa.Port), err
	}
	return 0, err
}

// serve answers requests until stop, and closes everything.
func (s *rrServer) serve() error {
	defer s.close()
	for {
		events, err := s.poll.wait(stall)
		if err != nil {
			return fmt.Errorf("epoll_wait: %w", err)
		}
		for _, ev := range events {
			switch fd := int(ev.Fd); fd {
			case s.poll.wake:
				return nil
			case s.listen:
				s.accept()
			default:
				s.answer(s.conns[fd])
			}
		}
	}
}

func (s *rrServer) stop() { s.poll.stop() }

func (s *rrServer) close() {
	for fd := range s.conns {
		unix.Close(fd)
	}
	unix.Close(s.listen)
	s.poll.close()
}

func (s *rrServer) accept() {
	fd, _, err := unix.Accept4(s.listen, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	if err != nil {
		return // gone again, or too many: level-triggered, so tried again
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_TCP, unix.TCP_NODELAY, 1)
	if err := s.poll.add(fd); err != nil {
		unix.Close(fd)
		return
	}
	s.conns[fd] = &rrConn{fd: fd}
}

// answer reads what is there and answers a complete request. A connection that
// fails is closed; its client says why.
func (s *rrServer) answer(c *rrConn) {
	done, err := c.receive()
	if done {
		c.msg.respond()
		err = c.send(&c.msg)
	}
	if err != nil {
		unix.Close(c.fd)
		delete(s.conns, c.fd)
	}
}
