package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// await returns when poll reports one of the events, or an error or a hang-up.
func await(ctx context.Context, fd int, events int16, what string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	fds := []unix.PollFd{{Fd: int32(fd), Events: events}}
	for ctx.Err() == nil {
		n, err := unix.Poll(fds, 20)
		if err != nil && err != unix.EINTR {
			return fmt.Errorf("poll: %w", err)
		}
		if n > 0 {
			return nil
		}
	}
	return fmt.Errorf("%s: %w", what, os.ErrDeadlineExceeded)
}

// send sends all of p.
func send(ctx context.Context, fd int, p []byte) error {
	for len(p) > 0 {
		n, err := unix.SendmsgN(fd, p, nil, nil, unix.MSG_NOSIGNAL)
		switch {
		case err == unix.EAGAIN:
			if err := await(ctx, fd, unix.POLLOUT, "the sender hangs"); err != nil {
				return err
			}
		case err != nil && err != unix.EINTR:
			return fmt.Errorf("send: %w", err)
		default:
			p = p[max(n, 0):]
		}
	}
	return nil
}

// receive reads up to len(p) bytes once there are some; 0 at the end.
func receive(ctx context.Context, fd int, p []byte) (int, error) {
	for {
		n, _, err := unix.Recvfrom(fd, p, 0)
		switch {
		case err == nil:
			return n, nil
		case err == unix.EAGAIN:
			if err := await(ctx, fd, unix.POLLIN, "the reader hangs"); err != nil {
				return 0, err
			}
		case err != unix.EINTR:
			return 0, fmt.Errorf("recv: %w", err)
		}
	}
}

// expect reads exactly want.
func expect(ctx context.Context, fd int, want []byte) error {
	got := make([]byte, len(want))
	for n := 0; n < len(got); {
		more, err := receive(ctx, fd, got[n:])
		if err != nil {
			return fmt.Errorf("after %d of %d bytes: %w", n, len(want), err)
		}
		if more == 0 {
			return fmt.Errorf("end of file after %d of %d bytes", n, len(want))
		}
		n += more
	}
	if !bytes.Equal(got, want) {
		return errors.New("other bytes arrive than were sent")
	}
	return nil
}

// expectEnd reads the end of the stream.
func expectEnd(ctx context.Context, fd int) error {
	n, err := receive(ctx, fd, make([]byte, 16))
	if err == nil && n > 0 {
		err = errors.New("more bytes arrive than were sent")
	}
	return err
}

// acknowledged returns when all that went by TCP has arrived.
func acknowledged(ctx context.Context, fd int) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for ctx.Err() == nil {
		n, err := unix.IoctlGetInt(fd, unix.TIOCOUTQ)
		if err != nil {
			return fmt.Errorf("SIOCOUTQ: %w", err)
		}
		if n == 0 {
			return nil
		}
		time.Sleep(time.Millisecond)
	}
	return fmt.Errorf("what was sent does not arrive: %w", os.ErrDeadlineExceeded)
}

// quiet is how long a socket that takes nothing counts as full: TCP may still
// move what is queued to the receiver.
const quiet = 100 * time.Millisecond

// fill sends pieces until the socket takes no more, and returns how many bytes
// it took.
func fill(ctx context.Context, fd int, data []byte, size int) (sent int, err error) {
	for sent < len(data) {
		n, err := unix.SendmsgN(fd, data[sent:min(sent+size, len(data))], nil, nil, unix.MSG_NOSIGNAL)
		if err == nil {
			sent += n
			continue
		}
		if err != unix.EAGAIN && err != unix.EINTR {
			return sent, fmt.Errorf("send after %d bytes: %w", sent, err)
		}
		full, cancel := context.WithTimeout(ctx, quiet)
		err = await(full, fd, unix.POLLOUT, "full")
		cancel()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return sent, ctx.Err()
		} else if err != nil {
			return sent, err
		}
	}
	return sent, nil
}
