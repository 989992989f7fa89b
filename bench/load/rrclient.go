package load

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// rrClient is a round of requests and responses.
type rrClient struct {
	*round
	poll    *poller
	conns   map[int]*rrCall
	waiting int // connections whose answer has not come
}

// rrCall is a connection and its request.
type rrCall struct {
	rrConn
	id   int
	sent time.Time
	n    int64 // requests sent
}

func runRR(ctx context.Context, c Command) (Result, error) {
	addr, err := netip.ParseAddrPort(c.Addr)
	if err != nil {
		return Result{}, err
	}
	p, err := newPoller()
	if err != nil {
		return Result{}, err
	}
	defer p.close()
	cl := &rrClient{poll: p, conns: make(map[int]*rrCall)}
	defer cl.close()
	if err := cl.dial(addr, c.Connections); err != nil {
		return Result{}, err
	}
	defer context.AfterFunc(ctx, p.stop)()

	cl.round = newRound(c)
	for _, call := range cl.conns {
		cl.next(call)
	}
	if err := cl.loop(); err != nil {
		return Result{}, err
	}
	for _, call := range cl.conns {
		if call.n > 0 && ctx.Err() == nil {
			cl.fail(fmt.Errorf("connection %d: no answer to request %d", call.id, call.n))
		}
	}
	return cl.result(), ctx.Err()
}

func (cl *rrClient) dial(addr netip.AddrPort, n int) error {
	for id := range n {
		fd, err := dial(addr)
		if err != nil {
			return fmt.Errorf("connect to %v: %w", addr, err)
		}
		cl.conns[fd] = &rrCall{rrConn: rrConn{fd: fd}, id: id}
		if err := cl.poll.add(fd); err != nil {
			return err
		}
	}
	return nil
}

func dial(addr netip.AddrPort) (int, error) {
	fd, err := newSocket(addr.Addr())
	if err != nil {
		return -1, err
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_TCP, unix.TCP_NODELAY, 1)
	err = unix.Connect(fd, sockaddr(addr))
	if err == unix.EINPROGRESS {
		err = finishConnect(fd)
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func finishConnect(fd int) error {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
	for {
		n, err := unix.Poll(fds, int(stall/time.Millisecond))
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return err
		case n == 0:
			return unix.ETIMEDOUT
		}
		soErr, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
		if err == nil && soErr != 0 {
			err = unix.Errno(soErr)
		}
		return err
	}
}

// loop runs until the round is over and the last answers are there. Those that
// do not come are left in conns.
func (cl *rrClient) loop() error {
	for cl.waiting > 0 {
		left := time.Until(cl.end.Add(stall))
		if left <= 0 {
			return nil
		}
		events, err := cl.poll.wait(left)
		if err != nil {
			return fmt.Errorf("epoll_wait: %w", err)
		}
		for _, ev := range events {
			if int(ev.Fd) == cl.poll.wake {
				return nil
			}
			cl.readable(cl.conns[int(ev.Fd)])
		}
	}
	return nil
}

func (cl *rrClient) readable(call *rrCall) {
	done, err := call.receive()
	if err != nil {
		cl.drop(call, err)
		return
	}
	if !done {
		return
	}
	now := time.Now()
	var want rrMessage
	want.request(call.id, call.n-1)
	want.respond()
	if call.msg != want {
		cl.drop(call, errors.New("wrong response"))
		return
	}
	cl.message(call.sent, now, rrSize)
	cl.waiting--
	if now.After(cl.end) {
		cl.remove(call)
		return
	}
	cl.next(call)
}

// next sends the next request.
func (cl *rrClient) next(call *rrCall) {
	var m rrMessage
	m.request(call.id, call.n)
	call.n++
	cl.waiting++
	call.sent = time.Now()
	if err := call.send(&m); err != nil {
		cl.drop(call, err)
	}
}

// drop ends a connection that failed.
func (cl *rrClient) drop(call *rrCall, err error) {
	cl.fail(fmt.Errorf("connection %d, request %d: %w", call.id, call.n, err))
	cl.waiting--
	cl.remove(call)
}

func (cl *rrClient) remove(call *rrCall) {
	unix.Close(call.fd)
	delete(cl.conns, call.fd)
}

func (cl *rrClient) close() {
	for fd := range cl.conns {
		unix.Close(fd)
	}
}
