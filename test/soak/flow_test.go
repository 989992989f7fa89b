package soak_test

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

// transfer sends bytes [off, off+size) of the stream of seed and has them read
// meanwhile: all of them, right, and in time.
func (l *lane) transfer(f flow, seed uint64, off, size int64, send testkit.SendOptions, read testkit.ReadOptions) error {
	send.Seed, send.Off, send.Total, send.Timeout = seed, uint64(off), size, stall
	read.Seed, read.Off, read.Total, read.Timeout = seed, uint64(off), size, stall
	reading := testkit.Go(func() (testkit.StreamStats, error) { return f.to.VerifyStream(f.in, read) })
	sent, sendErr := f.from.SendStream(f.out, send)
	l.kind.sent.Add(sent.Bytes)
	l.kind.messages.Add(sent.Calls)
	got, err := reading.Wait(2 * stall)
	l.kind.received.Add(got.Bytes)
	l.kind.took(got.Gap)
	if err := errors.Join(sendErr, err); err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			l.traffic.diagnose(f)
		}
		return fmt.Errorf("%d of %d bytes from %d on: %w", got.Bytes, size, off, err)
	}
	return nil
}

// end says FIN in one direction and requires end of file.
func (f flow) end() error {
	if err := f.from.Shutdown(f.out, unix.SHUT_WR); err != nil {
		return err
	}
	p, err := f.to.RecvAll(f.in, 1, stall)
	if err != nil || len(p) > 0 {
		return fmt.Errorf("%q instead of the end of file, %v", p, err)
	}
	return nil
}

// abort closes with a reset. The reader has read part of what was sent, and
// may get the rest or not, but nothing else.
func (l *lane) abort(f flow, seed uint64, size int64) error {
	reading := testkit.Go(func() (testkit.StreamStats, error) {
		return f.to.VerifyStream(f.in, testkit.ReadOptions{Seed: seed, Total: 1 << 40, Timeout: stall})
	})
	sent, err := f.from.SendStream(f.out, testkit.SendOptions{Seed: seed, Total: size, Timeout: stall})
	l.kind.messages.Add(sent.Calls)
	if err != nil {
		return err
	}
	const lingerZero = "\x01\x00\x00\x00\x00\x00\x00\x00"
	if err := f.from.SetsockoptBytes(f.out, unix.SOL_SOCKET, unix.SO_LINGER, []byte(lingerZero)); err != nil {
		return err
	}
	if err := f.from.Close(f.out); err != nil {
		return err
	}
	got, err := reading.Wait(2 * stall)
	var wrong *testkit.Mismatch
	if errors.As(err, &wrong) || errors.Is(err, os.ErrDeadlineExceeded) || got.Bytes > size {
		return fmt.Errorf("%d bytes of %d before a reset: %w", got.Bytes, size, err)
	}
	l.kind.sent.Add(got.Bytes)
	l.kind.received.Add(got.Bytes)
	return f.to.Close(f.in)
}

// pingPong is requests and answers on connections of their own.
func (l *lane) pingPong(client *testkit.Agent, o testkit.PingPongOptions) error {
	o.Seed, o.Timeout = l.next(), stall+time.Duration(o.Rounds)*10*time.Millisecond
	res, err := client.PingPong(o)
	l.kind.messages.Add(2 * res.Messages)
	l.kind.sent.Add(res.Bytes)
	l.kind.received.Add(res.Bytes)
	return err
}
