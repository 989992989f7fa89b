package testkit

import (
	"fmt"
	"os"
	"time"
)

// Pending is an operation under way.
type Pending[T any] struct {
	done  chan struct{}
	value T
	err   error
}

// Go starts an operation that is expected to block:
//
//	p := testkit.Go(func() ([]byte, error) { return a.Recv(fd, 6, unix.MSG_WAITALL) })
func Go[T any](fn func() (T, error)) *Pending[T] {
	p := &Pending[T]{done: make(chan struct{})}
	go func() {
		defer close(p.done)
		p.value, p.err = fn()
	}()
	return p
}

// Wait returns the result of the operation, or os.ErrDeadlineExceeded if it is
// still under way after the timeout; it may be waited for again.
func (p *Pending[T]) Wait(timeout time.Duration) (T, error) {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-p.done:
		return p.value, p.err
	case <-timer.C:
		var zero T
		return zero, fmt.Errorf("still blocked after %v: %w", timeout, os.ErrDeadlineExceeded)
	}
}

// Done reports whether the operation is over.
func (p *Pending[T]) Done() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}
