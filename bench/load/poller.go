package load

import (
	"time"

	"golang.org/x/sys/unix"
)

// poller is a level-triggered epoll instance that another goroutine can wake.
type poller struct {
	ep, wake int
	events   [64]unix.EpollEvent
}

func newPoller() (*poller, error) {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		unix.Close(ep)
		return nil, err
	}
	p := &poller{ep: ep, wake: wake}
	if err := p.add(wake); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *poller) close() {
	unix.Close(p.ep)
	unix.Close(p.wake)
}

// add registers a descriptor for reading; closing it removes it.
func (p *poller) add(fd int) error {
	return unix.EpollCtl(p.ep, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)})
}

// stop makes wait return p.wake, for good.
func (p *poller) stop() {
	one := [8]byte{1}
	_, _ = unix.Write(p.wake, one[:])
}

// wait returns events; none if the time is over.
func (p *poller) wait(timeout time.Duration) ([]unix.EpollEvent, error) {
	ms := max(0, int((timeout+time.Millisecond-1)/time.Millisecond))
	n, err := unix.EpollWait(p.ep, p.events[:], ms)
	if err == unix.EINTR {
		return nil, nil
	}
	return p.events[:max(n, 0)], err
}
