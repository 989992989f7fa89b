package testkit

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// SendOptions describes the writing of a stream.
type SendOptions struct {
	Seed, Off uint64 // the stream, and where in it to begin
	Total     int64
	// Sizes of single sends are random between these; 1 and 64 KiB if zero.
	ChunkMin, ChunkMax int
	Flags              int           // of every send, such as unix.MSG_MORE
	Pause              time.Duration // sleep up to this long, every 16 sends on average
	Timeout            time.Duration // one minute if zero
}

// StreamStats says what a reader or writer has done, also when it failed.
type StreamStats struct {
	Bytes, Calls int64
	Waits        int64         // how often it had to wait for readiness
	Gap          time.Duration // the longest time without progress between the first and the last
	EOF          bool
}

// A SendStream that uses a blocking socket just blocks; EAGAIN from one is an
// error.
var opSendStream = op("send stream", func(x streamArgs[SendOptions]) (StreamStats, error) {
	return watched(x.Options.Timeout, func(w *watch) error { return w.send(x.FD, x.Options) })
})

type streamArgs[T any] struct {
	FD      int
	Options T
}

// SendStream writes a piece of a stream. A non-blocking socket that is full is
// waited for with poll(2).
func (a *Agent) SendStream(fd int, o SendOptions) (StreamStats, error) {
	o.ChunkMin, o.ChunkMax = max(o.ChunkMin, 1), orDefault(o.ChunkMax, 64<<10)
	o.Timeout = orDefault(o.Timeout, time.Minute)
	return opSendStream.within(a, streamArgs[SendOptions]{fd, o}, o.Timeout+2*grace)
}

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

// watch is a stream operation under way.
type watch struct {
	deadline            time.Time
	bytes, calls, waits atomic.Int64
	eof                 atomic.Bool
	last                atomic.Int64 // time of the last progress, Unix ns
	gap                 atomic.Int64 // ns
}

// lateness is what an operation that looks at its deadline may exceed it by.
const lateness = time.Second

// watched runs a stream operation. One that hangs in a blocking call is
// abandoned: the goroutine is lost, the progress is not.
func watched(timeout time.Duration, fn func(*watch) error) (StreamStats, error) {
	w := &watch{deadline: time.Now().Add(timeout)}
	w.last.Store(time.Now().UnixNano())
	done := make(chan error, 1)
	go func() { done <- fn(w) }()
	var err error
	select {
	case err = <-done:
	case <-time.After(timeout + lateness):
		err = fmt.Errorf("blocked in a system call: %w", os.ErrDeadlineExceeded)
	}
	stats := StreamStats{Bytes: w.bytes.Load(), Calls: w.calls.Load(), Waits: w.waits.Load(), Gap: time.Duration(w.gap.Load()), EOF: w.eof.Load()}
	if err != nil {
		since := time.Since(time.Unix(0, w.last.Load())).Round(time.Millisecond)
		err = fmt.Errorf("after %d bytes in %d calls, last progress %v ago: %w", stats.Bytes, stats.Calls, since, err)
	}
	return stats, err
}

func (w *watch) progress(n int) {
	now := time.Now().UnixNano()
	if last := w.last.Swap(now); w.calls.Add(1) > 1 {
		w.gap.Store(max(w.gap.Load(), now-last))
	}
	w.bytes.Add(int64(n))
}

func (w *watch) expired() bool { return time.Now().After(w.deadline) }

func (w *watch) send(fd int, o SendOptions) error {
	stream := NewStream(o.Seed)
	rng := rand.New(rand.NewPCG(o.Seed, o.Off))
	buf := make([]byte, o.ChunkMax)
	for off := int64(0); off < o.Total; {
		size := o.ChunkMin
		if o.ChunkMax > o.ChunkMin {
			size += rng.IntN(o.ChunkMax - o.ChunkMin + 1)
		}
		p := buf[:min(int64(size), o.Total-off)]
		stream.Fill(p, int64(o.Off)+off)
		if err := w.sendAll(fd, p, o.Flags); err != nil {
			return err
		}
		off += int64(len(p))
		pause(rng, o.Pause)
	}
	return nil
}

func (w *watch) sendAll(fd int, p []byte, flags int) error {
	for len(p) > 0 {
		n, err := unix.SendmsgN(fd, p, nil, nil, flags)
		switch {
		case err == unix.EAGAIN:
			if err := w.wait(fd, unix.POLLOUT); err != nil {
				return err
			}
		case err != nil:
			return fmt.Errorf("send: %w", err)
		case n == 0:
			return errors.New("send: nothing sent, and no error")
		default:
			w.progress(n)
			p = p[n:]
		}
	}
	return nil
}

// wait waits for readiness of a non-blocking socket after EAGAIN.
func (w *watch) wait(fd int, events int16) error {
	if blocking(fd) {
		return fmt.Errorf("a blocking socket: %w", unix.EAGAIN)
	}
	w.waits.Add(1)
	_, err := waitFor(fd, events, w.deadline)
	return err
}

func blocking(fd int) bool {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	return err == nil && flags&unix.O_NONBLOCK == 0
}

// pause sleeps up to limit, one time in sixteen.
func pause(rng *rand.Rand, limit time.Duration) {
	if limit > 0 && rng.IntN(16) == 0 {
		time.Sleep(time.Duration(rng.Int64N(int64(limit))))
	}
}
