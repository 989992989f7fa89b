package load

import (
	"errors"
	"fmt"
	"time"
)

// connectClient is a round of connections for one exchange each. The server
// closes first, so that its ports wait in TIME_WAIT and the client never runs
// out of those that it can connect from.
type connectClient struct {
	*client
	slots []connectSlot
	open  int // slots that have a connection
}

// connectSlot opens one connection after another.
type connectSlot struct {
	conn
	begun    time.Time
	request  []byte // with the hello
	response reader
}

func newConnectClient(cl *client) driver {
	return &connectClient{client: cl, slots: make([]connectSlot, cl.Connections)}
}

func (c *connectClient) close() {
	for i := range c.slots {
		c.slots[i].close()
	}
}

func (c *connectClient) begin(time.Time) {
	for i := range c.slots {
		c.connect(i)
	}
}

func (c *connectClient) tick(time.Time) (next time.Time, more bool) { return next, c.open > 0 }

func (c *connectClient) connect(i int) {
	c.open++
	if err := c.start(i); err != nil {
		c.drop(i, err)
	}
}

// start sends the request; it leaves when the connection is established.
func (c *connectClient) start(i int) error {
	s := &c.slots[i]
	h := c.newHello()
	requests := newScript(h.seed, toServer, h.size)
	s.request = append(h.append(s.request[:0]), requests.message(0)...)
	s.response = reader{script: newScript(h.seed, toClient, h.size)}
	s.begun = time.Now()
	fd, err := startConnect(c.to)
	if err != nil {
		return fmt.Errorf("connect to %s: %w", c.Addr, err)
	}
	if s.conn, err = newConn(c.poll, fd, i); err != nil {
		return err
	}
	return c.sent(s, s.send(s.request))
}

// sent says of an error before anything was sent that it is one of connecting.
func (c *connectClient) sent(s *connectSlot, err error) error {
	if err != nil && len(s.out) == len(s.request) {
		return fmt.Errorf("connect to %s: %w", c.Addr, errors.Unwrap(err))
	}
	return err
}

func (c *connectClient) ready(token int) {
	s := &c.slots[token]
	if err := c.sent(s, s.flush()); err != nil {
		c.drop(token, err)
		return
	}
	answered := s.response.n > 0
	b, err := s.receive(c.buf)
	switch {
	case answered && err == errClosed:
		s.close()
		c.open--
		if time.Now().Before(c.end) {
			c.connect(token)
		}
		return
	case err == nil && len(b) > 0:
		err = c.take(s, b)
	}
	if err != nil {
		c.drop(token, err)
	}
}

func (c *connectClient) take(s *connectSlot, b []byte) error {
	if err := s.response.take(b); err != nil {
		return err
	}
	switch n, got := s.response.n, s.response.got; {
	case len(s.out) > 0:
		return errors.New("response before the request")
	case n > 1 || n == 1 && got > 0:
		return errors.New("more than a response")
	case n == 1:
		c.exchange(s.begun, time.Now(), c.Size)
	}
	return nil
}

// drop ends a slot whose connection failed.
func (c *connectClient) drop(i int, err error) {
	c.failConn(i, err)
	c.open--
	c.slots[i].close()
}

func (c *connectClient) finish(time.Time) {
	for i := range c.slots {
		switch s := &c.slots[i]; {
		case s.poll == nil:
		case s.response.n > 0:
			c.failConn(i, errors.New("not closed by the server"))
		default:
			c.failConn(i, errors.New("no answer"))
		}
	}
}
