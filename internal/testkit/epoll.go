package testkit

import (
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// EpollEvent is an event that EpollWait returned.
type EpollEvent struct {
	FD     int
	Events uint32
}

type epollArgs struct {
	Op, FD int
	Events uint32
}

// agentEpoll is the epoll instance of an agent.
var agentEpoll = sync.OnceValues(func() (int, error) {
	return unix.EpollCreate1(unix.EPOLL_CLOEXEC)
})

var (
	opEpollCtl = op("epoll_ctl", func(x epollArgs) (none, error) {
		ep, err := agentEpoll()
		if err != nil {
			return false, err
		}
		return false, unix.EpollCtl(ep, x.Op, x.FD, &unix.EpollEvent{Events: x.Events, Fd: int32(x.FD)})
	})
	opEpollWait = op("epoll_wait", func(timeout time.Duration) ([]EpollEvent, error) {
		ep, err := agentEpoll()
		if err != nil {
			return nil, err
		}
		return epollWait(ep, timeout)
	})
)

// EpollAdd registers a descriptor with the epoll instance of the agent.
func (a *Agent) EpollAdd(fd int, events uint32) error {
	return a.epollCtl(unix.EPOLL_CTL_ADD, fd, events)
}

// EpollMod changes a registration.
func (a *Agent) EpollMod(fd int, events uint32) error {
	return a.epollCtl(unix.EPOLL_CTL_MOD, fd, events)
}

// EpollDel removes a registration.
func (a *Agent) EpollDel(fd int) error {
	return a.epollCtl(unix.EPOLL_CTL_DEL, fd, 0)
}

func (a *Agent) epollCtl(ctl, fd int, events uint32) error {
	_, err := opEpollCtl.on(a, epollArgs{ctl, fd, events})
	return err
}

// EpollWait returns the events that are there within the timeout.
func (a *Agent) EpollWait(timeout time.Duration) ([]EpollEvent, error) {
	return opEpollWait.within(a, timeout, timeout+grace)
}

func epollWait(ep int, timeout time.Duration) ([]EpollEvent, error) {
	deadline := time.Now().Add(timeout)
	events := make([]unix.EpollEvent, 64)
	for {
		ms := max(0, int((time.Until(deadline)+time.Millisecond-1)/time.Millisecond))
		n, err := unix.EpollWait(ep, events, ms)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, err
		}
		got := make([]EpollEvent, n)
		for i, e := range events[:n] {
			got[i] = EpollEvent{FD: int(e.Fd), Events: e.Events}
		}
		return got, nil
	}
}
