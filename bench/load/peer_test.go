package load

import (
	"io"
	"net"
	"sync"
	"testing"
)

// peer is a server's end of a connection that a test serves by itself.
type peer struct {
	net.Conn
	hello
	requests reader
	answers  script
}

// fakeServer serves each connection, after its hello, until serve returns.
func fakeServer(t *testing.T, serve func(*peer)) (addr string) {
	t.Helper()
	lis, err := listenTCP("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(func() {
		lis.Close()
		wg.Wait()
	})
	wg.Go(func() {
		for {
			c, err := lis.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				if p := newPeer(t, c); p != nil {
					serve(p)
				}
			})
		}
	})
	return lis.Addr().String()
}

func newPeer(t *testing.T, c net.Conn) *peer {
	b := make([]byte, helloSize)
	if _, err := io.ReadFull(c, b); err != nil {
		return nil
	}
	h, err := parseHello(b)
	if err != nil {
		t.Error(err)
		return nil
	}
	return &peer{c, h, reader{script: newScript(h.seed, toServer, h.size)}, newScript(h.seed, toClient, h.size)}
}

// next reads a request and reports whether there was one.
func (p *peer) next(t *testing.T) bool {
	b := make([]byte, p.size)
	if _, err := io.ReadFull(p, b); err != nil {
		return false
	}
	if err := p.requests.take(b); err != nil {
		t.Error(err)
		return false
	}
	return true
}

// say writes what the client has to judge.
func (p *peer) say(b ...[]byte) {
	for _, b := range b {
		_, _ = p.Write(b)
	}
}

// drain reads until the client has closed, so that what was said arrives.
func (p *peer) drain() { _, _ = io.Copy(io.Discard, p) }
