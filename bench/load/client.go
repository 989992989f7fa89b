package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// client is a round over raw sockets, in one epoll loop: the cost of Go's
// scheduler and poller would hide the one of the transport.
type client struct {
	*round
	Command
	to   address
	poll *poller
	buf  []byte // what is received is checked at once, so one is enough
}

// driver is what a kind of load does in the loop.
type driver interface {
	// begin starts the load.
	begin(now time.Time)
	// tick does what is due and returns when it is to be called again, the
	// zero time if it only waits for events; false when the round is over.
	tick(now time.Time) (next time.Time, more bool)
	// ready is an event of the connection with the token.
	ready(token int)
	// finish accounts for what never came.
	finish(now time.Time)
	close()
}

func runRaw(ctx context.Context, c Command) (*round, error) {
	to, err := parseAddress(c.Addr)
	if err != nil {
		return nil, err
	}
	p, err := newPoller()
	if err != nil {
		return nil, err
	}
	defer p.close()
	defer context.AfterFunc(ctx, p.stop)()
	cl := &client{Command: c, to: to, poll: p, buf: make([]byte, receiveBuffer)}
	var d driver
	switch c.Kind {
	case KindRR:
		d, err = newRRClient(cl)
	case KindStream:
		d, err = newStreamClient(cl)
	case KindConnect:
		d = newConnectClient(cl)
	}
	if err != nil {
		return nil, err
	}
	defer d.close()
	if c.Rate > 0 {
		defer preciseTimers()()
	}
	cl.round = newRound(c)
	d.begin(cl.round.begin)
	if err := cl.loop(d); err != nil {
		return nil, err
	}
	if ctx.Err() == nil {
		d.finish(time.Now())
	}
	return cl.round, nil
}

// receiveBuffer is how much is asked for in one recv.
const receiveBuffer = 256 << 10

// loop runs until the driver is done, stalls, or is woken up.
func (cl *client) loop(d driver) error {
	deadline := cl.end.Add(stall)
	for {
		now := time.Now()
		next, more := d.tick(now)
		if !more || now.After(deadline) {
			return nil
		}
		if next.IsZero() || next.After(deadline) {
			next = deadline
		}
		events, err := cl.poll.wait(next.Sub(now))
		if err != nil {
			return err
		}
		for _, ev := range events {
			if ev.Fd == wakeToken {
				return nil
			}
			d.ready(int(ev.Fd))
		}
	}
}

// dial opens a connection that is polled.
func (cl *client) dial(token int) (conn, error) {
	fd, err := dial(cl.to)
	if err != nil {
		return conn{}, fmt.Errorf("connect to %s: %w", cl.Addr, err)
	}
	return newConn(cl.poll, fd, token)
}

// newHello is that of a new connection.
func (cl *client) newHello() hello { return hello{cl.Kind, cl.Size, rand.Uint64()} }

func (cl *client) failConn(id int, err error) { cl.fail(fmt.Errorf("connection %d: %w", id, err)) }
