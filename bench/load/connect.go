package load

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// runConnect opens connections one after another, for one exchange each.
func runConnect(ctx context.Context, c Command) (Result, error) {
	addr, err := netip.ParseAddrPort(c.Addr)
	if err != nil {
		return Result{}, err
	}
	r := newRound(c)
	for n := int64(0); ctx.Err() == nil; n++ {
		sent := time.Now()
		if sent.After(r.end) {
			break
		}
		if err := exchangeOnce(addr, n); err != nil {
			r.fail(fmt.Errorf("connection %d: %w", n, err))
			break
		}
		r.message(sent, time.Now(), rrSize)
	}
	return r.result(), ctx.Err()
}

// exchangeOnce connects, sends request n, verifies the response and closes.
func exchangeOnce(addr netip.AddrPort, n int64) error {
	fd, err := dial(addr)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	c := rrConn{fd: fd}
	var request, want rrMessage
	request.request(0, n)
	if err := c.send(&request); err != nil {
		return err
	}
	for deadline := time.Now().Add(stall); ; {
		done, err := c.receive()
		if err != nil {
			return err
		}
		if done {
			break
		}
		left := time.Until(deadline)
		if left <= 0 {
			return errors.New("no answer")
		}
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if _, err := unix.Poll(fds, int(left/time.Millisecond)+1); err != nil && err != unix.EINTR {
			return err
		}
	}
	want.request(0, n)
	want.respond()
	if c.msg != want {
		return errors.New("wrong response")
	}
	return nil
}
