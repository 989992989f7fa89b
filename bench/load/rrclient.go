package load

import (
	"errors"
	"fmt"
	"time"
)

// rrClient is a round of requests and responses.
type rrClient struct {
	*client
	calls   []rrCall
	pending int // requests without a response
	open    int // connections that have not failed
	// With a rate only: the pace, and the first request that tick has not
	// looked at.
	pace   pace
	cursor int64
}

// rrCall is a connection and its request.
type rrCall struct {
	conn
	hello     hello
	requests  script
	responses reader
	sent      int64     // requests
	due       time.Time // of the last one
	waiting   bool      // for its response
}

func newRRClient(cl *client) (driver, error) {
	r := &rrClient{client: cl, calls: make([]rrCall, cl.Connections), open: cl.Connections}
	for i := range r.calls {
		conn, err := cl.dial(i)
		if err != nil {
			r.close()
			return nil, err
		}
		h := cl.newHello()
		r.calls[i] = rrCall{
			conn: conn, hello: h, requests: newScript(h.seed, toServer, h.size),
			responses: reader{script: newScript(h.seed, toClient, h.size)},
		}
	}
	return r, nil
}

func (r *rrClient) close() {
	for i := range r.calls {
		r.calls[i].close()
	}
}

func (r *rrClient) begin(now time.Time) {
	if r.Rate > 0 {
		r.pace = newPace(now, r.Rate)
		return
	}
	for i := range r.calls {
		r.request(&r.calls[i], time.Now())
	}
}

func (r *rrClient) tick(now time.Time) (next time.Time, more bool) {
	if r.Rate == 0 {
		return next, r.pending > 0
	}
	n := int64(len(r.calls))
	for next = r.pace.due(r.cursor); !next.After(now) && next.Before(r.end); next = r.pace.due(r.cursor) {
		call := &r.calls[r.cursor%n]
		// Otherwise it waits for its turn, see take, or had it already.
		if call.poll != nil && !call.waiting && call.sent == r.cursor/n {
			r.request(call, next)
		}
		r.cursor++
	}
	if next.Before(r.end) && r.open > 0 {
		return next, true
	}
	return time.Time{}, r.pending > 0
}

// request sends the next request.
func (r *rrClient) request(c *rrCall, due time.Time) {
	m := c.requests.message(c.sent)
	if c.sent == 0 {
		m = append(c.hello.append(make([]byte, 0, helloSize+len(m))), m...)
	}
	c.sent++
	c.due, c.waiting = due, true
	r.pending++
	if err := c.send(m); err != nil {
		r.drop(c, err)
	}
}

func (r *rrClient) ready(token int) {
	c := &r.calls[token]
	if err := c.flush(); err != nil {
		r.drop(c, err)
		return
	}
	b, err := c.receive(r.buf)
	if err == nil && len(b) > 0 {
		err = r.take(c, b)
	}
	if err != nil {
		r.drop(c, err)
	}
}

func (r *rrClient) take(c *rrCall, b []byte) error {
	if err := c.responses.take(b); err != nil {
		return err
	}
	n, got := c.responses.n, c.responses.got
	if n > c.sent || n == c.sent && got > 0 || len(c.out) > 0 {
		return errors.New("response before the request")
	}
	if n < c.sent {
		return nil // there is more to come
	}
	now := time.Now()
	r.exchange(c.due, now, r.Size)
	c.waiting = false
	r.pending--
	if due, ok := r.next(c, now); ok {
		r.request(c, due)
	}
	return nil
}

// next reports whether the next request is to be sent now, and since when.
func (r *rrClient) next(c *rrCall, now time.Time) (due time.Time, ok bool) {
	if r.Rate == 0 {
		return now, now.Before(r.end)
	}
	due = r.due(c, c.sent)
	return due, !due.After(now) && due.Before(r.end) && now.Before(r.end.Add(catchUp))
}

// due is when request n of a connection is.
func (r *rrClient) due(c *rrCall, n int64) time.Time {
	return r.pace.due(n*int64(len(r.calls)) + int64(c.token))
}

// drop ends a connection that failed.
func (r *rrClient) drop(c *rrCall, err error) {
	r.failConn(c.token, fmt.Errorf("request %d: %w", max(0, c.sent-1), err))
	if c.waiting {
		c.waiting = false
		r.pending--
	}
	r.open--
	c.close()
}

func (r *rrClient) finish(now time.Time) {
	for i := range r.calls {
		c := &r.calls[i]
		if c.waiting {
			r.failConn(i, fmt.Errorf("no answer to request %d", c.sent-1))
		}
		if r.Rate == 0 {
			continue
		}
		for n := c.responses.n; ; n++ {
			due := r.due(c, n)
			if !due.Before(r.end) || due.After(now) { // the latter only if all have failed
				break
			}
			r.missed(due, now)
		}
	}
}
