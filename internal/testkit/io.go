package testkit

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

type ioArgs struct {
	FD, N, Flags int
	Data         []byte
}

type waitArgs struct {
	FD, N   int
	Events  int16
	Timeout time.Duration
}

var (
	opSend = op("send", func(x ioArgs) (int, error) {
		return unix.SendmsgN(x.FD, x.Data, nil, nil, x.Flags)
	})
	opRecv = op("recv", func(x ioArgs) ([]byte, error) {
		return recv(x.FD, x.N, x.Flags)
	})
	opRecvNull = op("recv NULL", func(x ioArgs) (int, error) {
		return recvNull(x.FD, x.N, x.Flags)
	})
	opRecvAll = op("recv all", func(x waitArgs) ([]byte, error) {
		return recvAll(x.FD, x.N, time.Now().Add(x.Timeout))
	})
	opPoll = op("poll", func(x waitArgs) (int16, error) {
		return poll(x.FD, x.Events, x.Timeout)
	})
	opSplice = op("splice", func(x ioArgs) ([]byte, error) {
		return spliceFrom(x.FD, x.N, x.Flags)
	})
	opSpliceUring = op("splice by io_uring", func(x ioArgs) ([]byte, error) {
		return spliceUring(x.FD, x.N, uint8(x.Flags))
	})
	opRead = op("read", func(x ioArgs) ([]byte, error) {
		p := make([]byte, x.N)
		n, err := unix.Read(x.FD, p)
		return p[:max(n, 0)], err
	})
)

// Send is one call of send(2).
func (a *Agent) Send(fd int, p []byte, flags int) (n int, err error) {
	return opSend.on(a, ioArgs{FD: fd, Data: p, Flags: flags})
}

// Recv is one call of recv(2). An empty result without an error is EOF.
func (a *Agent) Recv(fd, n, flags int) ([]byte, error) {
	return opRecv.on(a, ioArgs{FD: fd, N: n, Flags: flags})
}

// RecvNull is recv(2) without a buffer, which discards with MSG_TRUNC.
func (a *Agent) RecvNull(fd, n, flags int) (int, error) {
	return opRecvNull.on(a, ioArgs{FD: fd, N: n, Flags: flags})
}

// RecvAll receives n bytes, or fewer if EOF comes first. It waits with
// poll(2); what came before an error is returned with the error.
func (a *Agent) RecvAll(fd, n int, timeout time.Duration) ([]byte, error) {
	return opRecvAll.within(a, waitArgs{FD: fd, N: n, Timeout: timeout}, timeout+grace)
}

// Poll waits for events with poll(2); no events in time is not an error.
func (a *Agent) Poll(fd int, events int16, timeout time.Duration) (revents int16, err error) {
	return opPoll.within(a, waitArgs{FD: fd, Events: events, Timeout: timeout}, timeout+grace)
}

// Splice moves up to n bytes (at most 64 KiB) from a socket to a pipe by one
// call of splice(2), and returns them. An empty result without an error is
// what splice calls EOF.
func (a *Agent) Splice(fd, n int, nonblock bool) ([]byte, error) {
	flags := 0
	if nonblock {
		flags = unix.SPLICE_F_NONBLOCK
	}
	return opSplice.on(a, ioArgs{FD: fd, N: n, Flags: flags})
}

// Read is one read(2).
func (a *Agent) Read(fd, n int) ([]byte, error) { return opRead.on(a, ioArgs{FD: fd, N: n}) }

// SpliceUring is Splice by io_uring: in the system call itself, or by one of its
// worker threads.
func (a *Agent) SpliceUring(fd, n int, worker bool) ([]byte, error) {
	flags := 0
	if worker {
		flags = sqeAsync
	}
	return opSpliceUring.on(a, ioArgs{FD: fd, N: n, Flags: flags})
}

// grace is what an agent has to report its own timeout.
const grace = 5 * time.Second

func recv(fd, n, flags int) ([]byte, error) {
	p := make([]byte, n)
	n, _, err := unix.Recvfrom(fd, p, flags)
	if err != nil {
		return nil, err
	}
	return p[:n], nil
}

func recvAll(fd, n int, deadline time.Time) ([]byte, error) {
	p, done := make([]byte, n), 0
	for done < n {
		if _, err := waitFor(fd, unix.POLLIN, deadline); err != nil {
			return p[:done], fmt.Errorf("%d of %d bytes: %w", done, n, err)
		}
		m, _, err := unix.Recvfrom(fd, p[done:], unix.MSG_DONTWAIT)
		switch {
		case err == unix.EAGAIN:
			// Readable without data, for example after a lost race with
			// another reader; only time decides whether that is an error.
			if time.Now().After(deadline) {
				return p[:done], fmt.Errorf("%d of %d bytes: readable but EAGAIN: %w", done, n, os.ErrDeadlineExceeded)
			}
			time.Sleep(time.Millisecond)
		case err != nil:
			return p[:done], fmt.Errorf("%d of %d bytes: %w", done, n, err)
		case m == 0:
			return p[:done], nil
		}
		done += max(m, 0)
	}
	return p, nil
}

func spliceFrom(fd, n, flags int) ([]byte, error) {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, err
	}
	defer unix.Close(pipe[0])
	defer unix.Close(pipe[1])
	moved, err := unix.Splice(fd, nil, pipe[1], nil, n, flags)
	if err != nil || moved == 0 {
		return nil, err
	}
	p := make([]byte, moved)
	m, err := unix.Read(pipe[0], p)
	return p[:max(m, 0)], err
}
