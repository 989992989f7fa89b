package doctor

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/sockaccel/sockaccel/bench/load"
	"github.com/sockaccel/sockaccel/internal/state"
	"github.com/sockaccel/sockaccel/internal/stream"
)

// with has a test look at a connection of the service that is accelerated.
func (e *examination) with(ctx context.Context, test func(*ward, *connection) error) error {
	c, err := e.ward.service.accelerated(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	return test(e.ward, c)
}

// tryOrder puts the verified load of bench on it.
func tryOrder(ctx context.Context, e *examination) finding {
	var bytes int64
	delta, err := e.ward.counted(func() error {
		server, addrs, err := load.StartServer(ctx, e.o.Exe, e.box.Inside)
		if err != nil {
			return err
		}
		defer server.Stop()
		client, err := load.StartClient(e.o.Exe, e.box.Inside)
		if err != nil {
			return err
		}
		defer client.Stop()
		for _, c := range []load.Command{{Kind: load.KindRR, Size: 1000}, {Kind: load.KindStream, Size: 16 << 10}} {
			c.Addr, c.Connections, c.Seconds = addrs.TCP, 4, 0.15
			r, err := client.Run(ctx, c)
			if err != nil {
				return err
			}
			if r.Errors > 0 {
				return errors.New(r.FirstError)
			}
			bytes += r.Bytes
		}
		return nil
	})
	if err != nil {
		return broken(err)
	}
	if delta.RedirectedMessages == 0 {
		return broken(errors.New("nothing was redirected under load"))
	}
	return good("%d MB under load arrive in order, %d messages redirected", bytes>>20, delta.RedirectedMessages)
}

// runaway is more than any queue may take while TCP's own part is small.
const runaway = 64 << 20

func tryLimit(ctx context.Context, e *examination) finding {
	var sent int
	err := e.with(ctx, func(w *ward, c *connection) error {
		if err := unix.SetsockoptInt(c.client, unix.SOL_SOCKET, unix.SO_SNDBUF, 64<<10); err != nil {
			return err
		}
		data := stream.New(1).Bytes(0, runaway)
		delta, err := w.counted(func() (err error) {
			sent, err = fill(ctx, c.client, data, 64<<10)
			return err
		})
		if err != nil {
			return err
		}
		if sent == runaway || delta.RedirectedBytes > state.LimitBytes {
			return fmt.Errorf("%d bytes are queued to a reader that does not read", sent)
		}
		if delta.RedirectedMessages == 0 {
			return errors.New("nothing was redirected")
		}
		if err := expect(ctx, c.server, data[:sent]); err != nil {
			return err
		}
		return c.exchange(ctx, 2)
	})
	if err != nil {
		return broken(err)
	}
	return good("a reader that sleeps stops its sender after %.1f MB", float64(sent)/(1<<20))
}

// trySeam sends more than may be queued, so that the rest goes by TCP, before
// the reader begins.
func trySeam(ctx context.Context, e *examination) finding {
	err := e.with(ctx, func(w *ward, c *connection) error {
		const size, messages = 100, state.LimitMessages + 50
		// What arrives late would bring an edge with it.
		if err := unix.SetsockoptInt(c.client, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
			return err
		}
		data := stream.New(2).Bytes(0, size*messages)
		delta, err := w.counted(func() error {
			for i := range messages {
				if err := send(ctx, c.client, data[i*size:][:size]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		if delta.RedirectedMessages == 0 || delta.RedirectedMessages > state.LimitMessages {
			return fmt.Errorf("%d of %d messages were redirected, against the limit", delta.RedirectedMessages, messages)
		}
		if err := acknowledged(ctx, c.client); err != nil {
			return err
		}
		if err := readByEdges(ctx, c.server, data); err != nil {
			return err
		}
		return c.exchange(ctx, 2)
	})
	if err != nil {
		return broken(err)
	}
	return good("returns to TCP with data queued; an edge-triggered reader goes on")
}

// readByEdges takes a short read for the end of what there is, as nginx, tokio
// and Netty do: only a new edge makes it read again.
func readByEdges(ctx context.Context, fd int, want []byte) error {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return err
	}
	defer unix.Close(ep)
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET, Fd: int32(fd)}
	if err := unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
		return err
	}
	got := 0
	for buf := make([]byte, 4093); got < len(want); {
		if err := await(ctx, ep, unix.POLLIN, fmt.Sprintf("no edge after %d of %d bytes", got, len(want))); err != nil {
			return err
		}
		if _, err := unix.EpollWait(ep, make([]unix.EpollEvent, 1), 0); err != nil && err != unix.EINTR {
			return err
		}
		for n := len(buf); n == len(buf); got += n {
			if n, _, err = unix.Recvfrom(fd, buf, 0); err == unix.EAGAIN || err == unix.EINTR {
				break
			} else if err != nil {
				return fmt.Errorf("recv: %w", err)
			}
			if err := stream.New(2).Check(buf[:n], int64(got)); err != nil {
				return err
			}
		}
	}
	return nil
}

func tryClose(ctx context.Context, e *examination) finding {
	data := stream.New(3).Bytes(0, 30_000)
	err := e.with(ctx, func(_ *ward, c *connection) error {
		if err := send(ctx, c.client, data); err != nil {
			return err
		}
		if err := unix.Shutdown(c.client, unix.SHUT_WR); err != nil {
			return err
		}
		if err := await(ctx, c.server, unix.POLLRDHUP, "no end of file"); err != nil {
			return err
		}
		if err := expect(ctx, c.server, data); err != nil {
			return err
		}
		return expectEnd(ctx, c.server)
	})
	if err != nil {
		return broken(fmt.Errorf("close: %w", err))
	}
	err = e.with(ctx, func(_ *ward, c *connection) error {
		if err := send(ctx, c.client, data); err != nil {
			return err
		}
		if err := reset(c); err != nil {
			return err
		}
		if err := await(ctx, c.server, 0, "no reset"); err != nil {
			return err
		}
		if err := expect(ctx, c.server, data); err != nil {
			return err
		}
		err := expectEnd(ctx, c.server)
		if err == nil {
			return errors.New("end of file instead")
		} else if errors.Is(err, unix.ECONNRESET) {
			return nil
		}
		return err
	})
	if err != nil {
		return broken(fmt.Errorf("reset: %w", err))
	}
	return good("queued data arrives before the end of file, and before a reset")
}

// reset closes the client's end abortively.
func reset(c *connection) error {
	err := unix.SetsockoptLinger(c.client, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	err = errors.Join(err, unix.Close(c.client))
	c.client = -1
	return err
}
