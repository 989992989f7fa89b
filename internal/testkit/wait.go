package testkit

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// poll is poll(2) of one descriptor, restarted after signals. No events
// within the timeout is not an error; a negative timeout is forever.
func poll(fd int, events int16, timeout time.Duration) (revents int16, err error) {
	deadline := time.Now().Add(timeout)
	for {
		ms := -1
		if timeout >= 0 {
			// Rounded up, or the last millisecond is spent in a busy loop.
			ms = int((time.Until(deadline) + time.Millisecond - 1) / time.Millisecond)
			ms = max(ms, 0)
		}
		fds := []unix.PollFd{{Fd: int32(fd), Events: events}}
		_, err := unix.Poll(fds, ms)
		if err == unix.EINTR {
			continue
		}
		return fds[0].Revents, err
	}
}

// waitFor polls until one of the events, an error or a hang-up is there.
func waitFor(fd int, events int16, deadline time.Time) (int16, error) {
	revents, err := poll(fd, events, max(0, time.Until(deadline)))
	switch {
	case err != nil:
		return 0, err
	case revents == 0:
		return 0, fmt.Errorf("poll: nothing for %s: %w", pollNames(events), os.ErrDeadlineExceeded)
	case revents&unix.POLLNVAL != 0:
		return 0, unix.EBADF
	}
	return revents, nil
}

func pollNames(events int16) string {
	s := ""
	for _, e := range []struct {
		bit  int16
		name string
	}{
		{unix.POLLIN, "IN"}, {unix.POLLOUT, "OUT"}, {unix.POLLPRI, "PRI"},
		{unix.POLLRDHUP, "RDHUP"}, {unix.POLLERR, "ERR"}, {unix.POLLHUP, "HUP"},
	} {
		if events&e.bit != 0 {
			s += "|" + e.name
		}
	}
	if s == "" {
		return "none"
	}
	return s[1:]
}
