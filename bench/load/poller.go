package load

import (
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// poller is a level-triggered epoll instance that another goroutine can wake.
type poller struct {
	ep, wake int
	events   [256]unix.EpollEvent

	mu     sync.Mutex // of stop and close: no number of a closed descriptor is written to
	closed bool
}

// wakeToken is the token of the event that stop causes.
const wakeToken = -1

func newPoller() (*poller, error) {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("create epoll: %w", err)
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		unix.Close(ep)
		return nil, fmt.Errorf("create eventfd: %w", err)
	}
	p := &poller{ep: ep, wake: wake}
	if err := p.add(wake, wakeToken, unix.EPOLLIN); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *poller) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	unix.Close(p.ep)
	unix.Close(p.wake)
}

// add registers a descriptor, whose events have the token; closing it removes
// it.
func (p *poller) add(fd, token int, events uint32) error {
	return p.control(unix.EPOLL_CTL_ADD, fd, token, events)
}

// modify changes the events that are waited for.
func (p *poller) modify(fd, token int, events uint32) error {
	return p.control(unix.EPOLL_CTL_MOD, fd, token, events)
}

func (p *poller) control(op, fd, token int, events uint32) error {
	if err := unix.EpollCtl(p.ep, op, fd, &unix.EpollEvent{Events: events, Fd: int32(token)}); err != nil {
		return fmt.Errorf("epoll_ctl: %w", err)
	}
	return nil
}

// stop makes wait return wakeToken, for good.
func (p *poller) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		one := [8]byte{1}
		_, _ = unix.Write(p.wake, one[:])
	}
}

// wait returns events, in whose Fd the token is; none if the time is over.
func (p *poller) wait(timeout time.Duration) ([]unix.EpollEvent, error) {
	n, errno := epollWait(p.ep, p.events[:], timeout)
	switch errno {
	case 0:
		return p.events[:n], nil
	case unix.EINTR:
		return nil, nil
	}
	return nil, fmt.Errorf("epoll_pwait2: %w", errno)
}
