package load

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/sockaccel/sockaccel/internal/stream"
)

// httpConn is a keep-alive connection. It does without http.Transport, which
// would decide itself when to open one.
type httpConn struct {
	net.Conn
	r    *bufio.Reader
	id   int
	body []byte
	req  []byte
}

func runHTTP(ctx context.Context, c Command) (*round, error) {
	conns := make([]*httpConn, 0, c.Connections)
	defer func() {
		for _, conn := range conns {
			conn.Close()
		}
	}()
	dialer := net.Dialer{Timeout: stall}
	for id := range c.Connections {
		conn, err := dialer.DialContext(ctx, "tcp", c.Addr)
		if err != nil {
			return nil, err
		}
		conns = append(conns, &httpConn{
			Conn: conn, r: bufio.NewReader(conn), id: id, body: make([]byte, c.Size),
		})
	}

	r := newRound(c)
	var wg sync.WaitGroup
	for _, conn := range conns {
		wg.Go(func() {
			if err := conn.run(ctx, r); err != nil && ctx.Err() == nil {
				r.fail(fmt.Errorf("connection %d: %w", conn.id, err))
			}
		})
	}
	wg.Wait()
	return r, nil
}

// run sends requests one after another until the round is over.
func (c *httpConn) run(ctx context.Context, r *round) error {
	defer context.AfterFunc(ctx, func() { c.Close() })()
	if err := c.SetDeadline(r.end.Add(stall)); err != nil {
		return err
	}
	for n := uint64(0); ; n++ {
		sent := time.Now()
		if !sent.Before(r.end) {
			return nil
		}
		if err := c.exchange(uint64(c.id)<<32 | n); err != nil {
			return fmt.Errorf("request %d: %w", n, err)
		}
		r.exchange(sent, time.Now(), len(c.body))
	}
}

// exchange gets a body and verifies it.
func (c *httpConn) exchange(seed uint64) error {
	c.req = fmt.Appendf(c.req[:0], "GET /bytes/%d?seed=%d HTTP/1.1\r\nHost: load\r\n\r\n", len(c.body), seed)
	if _, err := c.Write(c.req); err != nil {
		return err
	}
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.ContentLength != int64(len(c.body)) {
		return fmt.Errorf("response %s of %d bytes, want %d", resp.Status, resp.ContentLength, len(c.body))
	}
	if _, err := io.ReadFull(resp.Body, c.body); err != nil {
		return err
	}
	return stream.New(seed).Check(c.body, 0)
}
