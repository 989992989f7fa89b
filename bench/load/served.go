package load

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// served is a connection at the server.
type served struct {
	conn
	hello    hello
	begin    []byte // of the hello, until there is all of it
	requests reader
	answers  script
	answered int64 // responses, or writes of a stream, that were begun
}

func newServed(p *poller, fd int) (*served, error) {
	c, err := newConn(p, fd, fd)
	return &served{conn: c, begin: make([]byte, 0, helloSize)}, err
}

// errDone says that the server has sent all it has to.
var errDone = errors.New("done")

// ready handles an event. After an error the connection is to be closed.
func (s *served) ready(events uint32, buf []byte) error {
	if events&unix.EPOLLOUT != 0 {
		if err := s.writable(); err != nil {
			return err
		}
	}
	if events&^unix.EPOLLOUT == 0 {
		return nil
	}
	b, err := s.receive(buf)
	if err != nil || len(b) == 0 {
		return err
	}
	if err := s.take(b); err != nil {
		if len(s.out) == 0 { // otherwise it would be part of a message
			_, _ = send(s.fd, fmt.Append(refusal, err))
		}
		return err
	}
	return s.respond()
}

// take checks what was received.
func (s *served) take(b []byte) error {
	if s.hello.kind == "" {
		k := min(len(b), helloSize-len(s.begin))
		s.begin, b = append(s.begin, b[:k]...), b[k:]
		if len(s.begin) < helloSize {
			return nil
		}
		if err := s.greet(); err != nil {
			return err
		}
	}
	if s.hello.kind == KindStream && len(b) > 0 {
		return errors.New("request on a stream")
	}
	if err := s.requests.take(b); err != nil {
		return err
	}
	// No request may come before the response to the one before it.
	if n := s.requests.n - s.answered; n > 1 || n == 1 && s.requests.got > 0 || len(b) > 0 && len(s.out) > 0 {
		return errors.New("request before the response")
	}
	return nil
}

func (s *served) greet() (err error) {
	if s.hello, err = parseHello(s.begin); err != nil {
		return err
	}
	h := s.hello
	s.requests = reader{script: newScript(h.seed, toServer, h.size)}
	s.answers = newScript(h.seed, toClient, h.size)
	return nil
}

// respond sends what is to be sent after what was received.
func (s *served) respond() error {
	switch {
	case s.hello.kind == KindStream:
		return s.writable()
	case s.requests.n == s.answered:
		return nil
	}
	s.answered++
	if err := s.send(s.answers.message(s.answered - 1)); err != nil {
		return err
	}
	return s.finished()
}

// writable sends on.
func (s *served) writable() error {
	if s.hello.kind == KindStream {
		return s.pump()
	}
	if err := s.flush(); err != nil {
		return err
	}
	return s.finished()
}

// A stream may fill its socket's buffer, but with small writes that takes
// long: after so much others have their turn.
const (
	burstBytes  = 256 << 10
	burstWrites = 64
)

// pump writes a stream, which always has more.
func (s *served) pump() error {
	if err := s.arm(true); err != nil {
		return err
	}
	for range min(burstWrites, max(1, burstBytes/s.hello.size)) {
		if len(s.out) == 0 {
			s.out = s.answers.message(s.answered)
			s.answered++
		}
		if err := s.write(); err != nil || len(s.out) > 0 {
			return err
		}
	}
	return nil
}

// finished closes a connection of KindConnect when its response is sent.
func (s *served) finished() error {
	if s.hello.kind == KindConnect && s.answered > 0 && len(s.out) == 0 {
		return errDone
	}
	return nil
}
