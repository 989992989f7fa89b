package load

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// rawServer serves the raw kinds in one loop, over TCP and AF_UNIX.
type rawServer struct {
	poll      *poller
	listeners []listener
	conns     map[int]*served // by descriptor
	buf       []byte
}

type listener struct {
	fd, family int
	name       string
}

func newRawServer(at ...address) (*rawServer, error) {
	p, err := newPoller()
	if err != nil {
		return nil, err
	}
	s := &rawServer{poll: p, conns: make(map[int]*served), buf: make([]byte, receiveBuffer)}
	for _, a := range at {
		fd, name, err := listen(a)
		if err == nil {
			s.listeners = append(s.listeners, listener{fd, a.family, name})
			err = p.add(fd, fd, unix.EPOLLIN)
		}
		if err != nil {
			s.close()
			return nil, err
		}
	}
	return s, nil
}

// serve serves until stop, and closes everything.
func (s *rawServer) serve() error {
	defer s.close()
	for {
		events, err := s.poll.wait(stall)
		if err != nil {
			return err
		}
		for _, ev := range events {
			if ev.Fd == wakeToken {
				return nil
			}
			if err := s.ready(int(ev.Fd), ev.Events); err != nil {
				return err
			}
		}
	}
}

func (s *rawServer) ready(fd int, events uint32) error {
	for _, l := range s.listeners {
		if l.fd == fd {
			return s.accept(l)
		}
	}
	c := s.conns[fd]
	if err := c.ready(events, s.buf); err != nil { // its client says why
		c.close()
		delete(s.conns, fd)
	}
	return nil
}

// accept fails if there are no descriptors left, as nothing will come of it:
// clients would wait for ever.
func (s *rawServer) accept(l listener) error {
	fd, _, err := unix.Accept4(l.fd, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	switch err {
	case nil:
	case unix.EAGAIN, unix.EINTR, unix.ECONNABORTED:
		return nil // gone again
	default:
		return fmt.Errorf("accept: %w", err)
	}
	setNoDelay(fd, l.family)
	c, err := newServed(s.poll, fd)
	if err != nil {
		return err
	}
	s.conns[fd] = c
	return nil
}

func (s *rawServer) stop() { s.poll.stop() }

func (s *rawServer) close() {
	for _, c := range s.conns {
		c.close()
	}
	for _, l := range s.listeners {
		unix.Close(l.fd)
	}
	s.poll.close()
}
