package load

import (
	"errors"
	"time"
)

// streamClient is a round of reading what the server writes.
type streamClient struct {
	*client
	conns []streamConn
	open  int // connections that are still read
}

type streamConn struct {
	conn
	in reader
}

func newStreamClient(cl *client) (driver, error) {
	s := &streamClient{client: cl, conns: make([]streamConn, cl.Connections), open: cl.Connections}
	for i := range s.conns {
		conn, err := cl.dial(i)
		if err != nil {
			s.close()
			return nil, err
		}
		h := cl.newHello()
		c := &s.conns[i]
		*c = streamConn{conn, reader{script: newScript(h.seed, toClient, h.size)}}
		if err := c.send(h.append(nil)); err != nil {
			s.close()
			return nil, err
		}
	}
	return s, nil
}

func (s *streamClient) close() {
	for i := range s.conns {
		s.conns[i].close()
	}
}

func (s *streamClient) begin(time.Time) {} // the server did

func (s *streamClient) tick(time.Time) (next time.Time, more bool) { return next, s.open > 0 }

func (s *streamClient) ready(token int) {
	c := &s.conns[token]
	if err := c.flush(); err != nil {
		s.drop(c, err)
		return
	}
	b, err := c.receive(s.buf)
	if err == nil {
		err = c.in.take(b)
	}
	if err != nil {
		s.drop(c, err)
		return
	}
	if len(b) == 0 {
		return
	}
	now := time.Now()
	s.received(len(b), now)
	// Each is read until something comes after the end: otherwise one that
	// hangs would only make the stream look slow.
	if !now.Before(s.end) {
		s.leave(c)
	}
}

func (s *streamClient) drop(c *streamConn, err error) {
	s.failConn(c.token, err)
	s.leave(c)
}

func (s *streamClient) leave(c *streamConn) {
	s.open--
	c.close()
}

func (s *streamClient) finish(time.Time) {
	for i := range s.conns {
		if s.conns[i].poll != nil {
			s.failConn(i, errors.New("the stream stands still"))
		}
	}
}
