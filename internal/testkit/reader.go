package testkit

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// reader reads from a socket as a kind of application does.
type reader interface {
	// read returns at least one byte, or 0 at EOF.
	read(p []byte) (int, error)
	close()
}

func newReader(w *watch, fd int, o ReadOptions) (reader, error) {
	if o.Mode == ReadPoll {
		return &pollReader{w: w, fd: fd, flags: o.Flags}, nil
	}
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	ev := unix.EpollEvent{
		Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET,
		Fd:     int32(fd),
	}
	if err := unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
		unix.Close(ep)
		return nil, fmt.Errorf("epoll_ctl: %w", err)
	}
	return &edgeReader{w: w, fd: fd, ep: ep, flags: o.Flags, fionread: o.Mode == ReadNginx}, nil
}

type pollReader struct {
	w         *watch
	fd, flags int
}

func (r *pollReader) close() {}

func (r *pollReader) read(p []byte) (int, error) {
	for {
		n, _, err := unix.Recvfrom(r.fd, p, r.flags)
		if err == nil {
			return n, nil
		}
		if err != unix.EAGAIN {
			return 0, fmt.Errorf("recv: %w", err)
		}
		if err := r.w.wait(r.fd, unix.POLLIN); err != nil {
			return 0, err
		}
	}
}

// edgeReader follows ngx_unix_recv(): it calls recv only while it believes
// that there is something, and only an edge of epoll makes it believe again.
type edgeReader struct {
	w             *watch
	fd, ep, flags int
	fionread      bool

	ready, rdhup bool
	available    int // bytes left according to FIONREAD, -1 if not asked
}

func (r *edgeReader) close() { unix.Close(r.ep) }

func (r *edgeReader) read(p []byte) (int, error) {
	for {
		if r.available == 0 && !r.rdhup {
			r.ready = false
		}
		if !r.ready {
			if err := r.edge(); err != nil {
				return 0, err
			}
		}
		n, _, err := unix.Recvfrom(r.fd, p, r.flags)
		switch {
		case err == unix.EAGAIN:
			r.ready = false
			continue
		case err != nil:
			return 0, fmt.Errorf("recv: %w", err)
		case n > 0:
			if err := r.account(n, len(p)); err != nil {
				return 0, err
			}
		}
		return n, nil
	}
}

// account decides whether to read again without a new edge.
func (r *edgeReader) account(n, asked int) error {
	if r.fionread {
		switch {
		case r.available >= 0:
			// Below zero, more has come since FIONREAD, with an edge.
			if r.available -= n; r.available < 0 {
				r.available, r.ready = 0, false
			}
		case n == asked:
			var err error
			if r.available, err = unix.IoctlGetInt(r.fd, unix.TIOCINQ); err != nil {
				return fmt.Errorf("FIONREAD: %w", err)
			}
		}
	}
	if n < asked {
		r.ready, r.available = r.rdhup, 0
	}
	return nil
}

// edge waits for the next edge.
func (r *edgeReader) edge() error {
	r.w.waits.Add(1)
	for {
		events, err := epollWait(r.ep, max(0, time.Until(r.w.deadline)))
		if err != nil {
			return fmt.Errorf("epoll_wait: %w", err)
		}
		if len(events) == 0 {
			return fmt.Errorf("no edge: %w", os.ErrDeadlineExceeded)
		}
		const readable = unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR
		if e := events[0].Events; e&readable != 0 {
			r.ready, r.available = true, -1
			r.rdhup = r.rdhup || e&(unix.EPOLLRDHUP|unix.EPOLLHUP) != 0
			return nil
		}
	}
}
