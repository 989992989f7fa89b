package testkit

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// PingPongOptions describes a load of requests and answers.
type PingPongOptions struct {
	Addr          netip.AddrPort // of an echo server
	Conns, Rounds int            // one if zero
	Size          int            // of the payload; 64 if zero
	Seed          uint64
	Blocking      bool // plain blocking sockets
	Timeout       time.Duration
}

// PingPongResult counts verified exchanges.
type PingPongResult struct {
	Messages, Bytes int64            // answers, and payload in them
	Sends           int64            // send calls that the client needed
	Peers           map[string]int64 // who answered how often
}

type pingPong struct {
	PingPongOptions

	deadline time.Time
	mu       sync.Mutex
	result   PingPongResult
	err      error
}

var opPingPong = op("ping-pong", func(o PingPongOptions) (PingPongResult, error) {
	p := &pingPong{
		PingPongOptions: o,
		deadline:        time.Now().Add(o.Timeout),
		result:          PingPongResult{Peers: make(map[string]int64)},
	}
	done := make(chan none)
	go func() {
		var wg sync.WaitGroup
		for i := range o.Conns {
			wg.Go(func() { p.fail(i, p.conn(i)) })
		}
		wg.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(o.Timeout + lateness): // blocking sockets
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	want := int64(o.Conns) * int64(o.Rounds)
	if p.err == nil && p.result.Messages != want {
		p.err = timeoutError(fmt.Sprintf("%d of %d messages", p.result.Messages, want))
	}
	return p.result.clone(), p.err
})

// PingPong sends messages to an echo server and verifies the answers. On each
// of the connections, which are opened at once, a message waits for the answer
// to the one before. Counts are valid even with an error.
func (a *Agent) PingPong(o PingPongOptions) (PingPongResult, error) {
	o.Conns, o.Rounds = orDefault(o.Conns, 1), orDefault(o.Rounds, 1)
	o.Size = orDefault(o.Size, 64)
	o.Timeout = orDefault(o.Timeout, time.Minute)
	return opPingPong.within(a, o, o.Timeout+2*grace)
}

func (p *pingPong) conn(i int) error {
	fd, err := unix.Socket(family(p.Addr.Addr()), unix.SOCK_STREAM|unix.SOCK_CLOEXEC|nonblockFlag(!p.Blocking), 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := connect(fd, p.Addr, time.Until(p.deadline)); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	w := &watch{deadline: p.deadline}
	in := frames{w: w, fd: fd}
	stream := NewStream(p.Seed + uint64(i))
	payload := make([]byte, p.Size)
	for round := range p.Rounds {
		off := int64(round) * int64(p.Size)
		stream.Fill(payload, off)
		sends := w.calls.Load()
		if err := w.sendAll(fd, frame(string(payload)), 0); err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
		sends = w.calls.Load() - sends
		answer, err := in.next()
		if err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
		name, echoed, _ := strings.Cut(string(answer), ":")
		if len(echoed) != p.Size {
			return fmt.Errorf("round %d: answer of %d bytes, want %d", round, len(echoed), p.Size)
		}
		if err := stream.Check([]byte(echoed), off); err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
		p.count(name, sends)
	}
	return nil
}

func (p *pingPong) count(name string, sends int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.result.Messages++
	p.result.Bytes += int64(p.Size)
	p.result.Sends += sends
	p.result.Peers[name]++
}

// fail keeps the first error.
func (p *pingPong) fail(conn int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil && p.err == nil {
		p.err = fmt.Errorf("connection %d: %w", conn, err)
	}
}

func (r PingPongResult) clone() PingPongResult {
	peers := make(map[string]int64, len(r.Peers))
	for name, n := range r.Peers {
		peers[name] = n
	}
	r.Peers = peers
	return r
}
