package load

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

var errClosed = errors.New("connection closed by the peer")

// conn is a connection at either end.
type conn struct {
	fd, token int
	poll      *poller
	out       []byte // what is still to be sent
	armed     bool   // whether EPOLLOUT is waited for
}

// newConn has fd polled and owns it, also on an error.
func newConn(p *poller, fd, token int) (conn, error) {
	if err := p.add(fd, token, unix.EPOLLIN); err != nil {
		unix.Close(fd)
		return conn{}, err
	}
	return conn{fd: fd, token: token, poll: p}, nil
}

// send begins to send p, which must not be changed until all of it is sent. It
// may also be called while the connection is still being established.
func (c *conn) send(p []byte) error {
	c.out = p
	return c.flush()
}

// flush sends what there is room for and sees to it that the rest is not
// forgotten.
func (c *conn) flush() error {
	if err := c.write(); err != nil {
		return err
	}
	return c.arm(len(c.out) > 0)
}

func (c *conn) write() error {
	for len(c.out) > 0 {
		n, errno := send(c.fd, c.out)
		switch errno {
		case 0:
			c.out = c.out[n:]
		case unix.EAGAIN, unix.EINTR:
			return nil
		default:
			return fmt.Errorf("send: %w", errno)
		}
	}
	return nil
}

// arm waits for room to send, or no longer.
func (c *conn) arm(on bool) error {
	if on == c.armed {
		return nil
	}
	c.armed = on
	events := uint32(unix.EPOLLIN)
	if on {
		events |= unix.EPOLLOUT
	}
	return c.poll.modify(c.fd, c.token, events)
}

// receive reads once into buf and returns what came; nothing is no error.
func (c *conn) receive(buf []byte) ([]byte, error) {
	n, errno := recv(c.fd, buf)
	switch {
	case errno == unix.EAGAIN || errno == unix.EINTR:
		return nil, nil
	case errno != 0:
		return nil, fmt.Errorf("recv: %w", errno)
	case n == 0:
		return nil, errClosed
	}
	return buf[:n], nil
}

// close closes the connection if it is open.
func (c *conn) close() {
	if c.poll != nil {
		unix.Close(c.fd)
		c.poll = nil
	}
}
