package testkit

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/rpc"
	"os"
	"syscall"
	"time"

	"github.com/sockaccel/sockaccel/internal/stream"
)

// The control connection of an agent is a Unix socket, since TCP would be the
// very traffic under test. Every call has a goroutine of its own at the agent,
// so that an operation may block for as long as it likes.

// defaultTimeout bounds operations that should not block for long. A longer
// wait has a name: see Go.
const defaultTimeout = 60 * time.Second

type request struct {
	Op   string
	Body []byte
}

type reply struct {
	Body []byte
	Err  *wireError
}

// wireError is an error in transit: errors.Is and errors.As see the same at
// the other end.
type wireError struct {
	Text     string
	Errno    syscall.Errno
	Timeout  bool
	Mismatch *stream.Mismatch
}

// OpError is an operation that failed at an agent. It unwraps to the errno,
// to os.ErrDeadlineExceeded or to a *stream.Mismatch.
type OpError struct {
	Agent, Op string

	wire wireError
}

func (e *OpError) Error() string {
	return fmt.Sprintf("agent %s: %s: %s", e.Agent, e.Op, e.wire.Text)
}

func (e *OpError) Unwrap() []error {
	var errs []error
	if e.wire.Errno != 0 {
		errs = append(errs, e.wire.Errno)
	}
	if e.wire.Timeout {
		errs = append(errs, os.ErrDeadlineExceeded)
	}
	if e.wire.Mismatch != nil {
		errs = append(errs, e.wire.Mismatch)
	}
	return errs
}

func toWire(err error) *wireError {
	if err == nil {
		return nil
	}
	w := &wireError{Text: err.Error(), Timeout: errors.Is(err, os.ErrDeadlineExceeded)}
	errors.As(err, &w.Errno)
	errors.As(err, &w.Mismatch)
	return w
}

// operation is something that an agent does, with its argument and result.
type operation[A, R any] struct{ name string }

var handlers = make(map[string]func([]byte) ([]byte, error))

// op defines an operation by what the agent does for it.
func op[A, R any](name string, fn func(A) (R, error)) operation[A, R] {
	if handlers[name] != nil {
		panic("testkit: two operations named " + name)
	}
	handlers[name] = func(body []byte) ([]byte, error) {
		var arg A
		if err := decode(body, &arg); err != nil {
			return nil, err
		}
		// The result counts even with an error: bytes done, for instance.
		res, opErr := fn(arg)
		body, err := encode(res)
		return body, errors.Join(opErr, err)
	}
	return operation[A, R]{name}
}

// on has the operation done by an agent.
func (o operation[A, R]) on(a *Agent, arg A) (R, error) {
	return o.within(a, arg, defaultTimeout)
}

// within is on with a bound on the time, for operations that have their own.
func (o operation[A, R]) within(a *Agent, arg A, timeout time.Duration) (res R, err error) {
	fail := func(w wireError) error { return &OpError{Agent: a.Name, Op: o.name, wire: w} }
	body, err := encode(arg)
	if err != nil {
		return res, fail(*toWire(err))
	}
	req, err := encode(request{Op: o.name, Body: body})
	if err != nil {
		return res, fail(*toWire(err))
	}
	var answer []byte
	call := a.client.Go("Agent.Do", req, &answer, make(chan *rpc.Call, 1))
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-call.Done:
	case <-timer.C:
		return res, fail(wireError{Text: fmt.Sprintf("no answer after %v", timeout), Timeout: true})
	}
	if call.Error != nil {
		return res, fail(*toWire(fmt.Errorf("control socket: %w", call.Error)))
	}
	var r reply
	if err := decode(answer, &r); err != nil {
		return res, fail(*toWire(err))
	}
	if err := decode(r.Body, &res); err != nil && r.Err == nil {
		return res, fail(*toWire(err))
	}
	if r.Err != nil {
		return res, fail(*r.Err)
	}
	return res, nil
}

// JSON, and not gob, which would compile its types for each message: most of
// what an emulated processor had to do.
func encode(v any) ([]byte, error) { return json.Marshal(v) }

func decode(p []byte, v any) error { return json.Unmarshal(p, v) }

// service is the end of the control connection in the agent.
type service struct{}

// Do executes an operation. It is exported for net/rpc.
func (service) Do(body []byte, answer *[]byte) error {
	var req request
	if err := decode(body, &req); err != nil {
		return err
	}
	fn, ok := handlers[req.Op]
	if !ok {
		return fmt.Errorf("no operation %q", req.Op)
	}
	res, err := fn(req.Body)
	*answer, err = encode(reply{Body: res, Err: toWire(err)})
	return err
}

// serve executes operations until the other end is closed.
func serve(conn net.Conn) error {
	s := rpc.NewServer()
	if err := s.RegisterName("Agent", service{}); err != nil {
		return err
	}
	s.ServeConn(conn)
	return nil
}
