package load

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"testing"
)

func changed(b []byte) []byte {
	b = bytes.Clone(b)
	b[len(b)-1] ^= 0x80
	return b
}

// other is the script of a connection that is not the peer's.
func (p *peer) other() *script {
	s := newScript(p.seed+1, toClient, p.size)
	return &s
}

// misbehaviour is what a server says as message n and, if it does, after it.
type misbehaviour struct {
	name, want string
	say        func(p *peer, n int64) [][]byte
}

var misbehaviours = []misbehaviour{
	{"duplicated", "message 2 instead of 3", func(p *peer, n int64) [][]byte { return [][]byte{p.answers.message(n - 1)} }},
	{"lost", "message 4 instead of 3", func(p *peer, n int64) [][]byte { return [][]byte{p.answers.message(n + 1)} }},
	{"reordered", "message 4 instead of 3", func(p *peer, n int64) [][]byte {
		return [][]byte{p.answers.message(n + 1), p.answers.message(n)}
	}},
	{"reordered within", "wrong content of message 3: byte 0", func(p *peer, n int64) [][]byte {
		m := p.answers.message(n)
		return [][]byte{m[20:], m[:20]}
	}},
	{"another connection's", "wrong content", func(p *peer, n int64) [][]byte { return [][]byte{p.other().message(n)} }},
	{"other direction's", "wrong content", func(p *peer, n int64) [][]byte { return [][]byte{p.requests.message(n)} }},
	{"changed", "wrong content of message 3: byte 99 is", func(p *peer, n int64) [][]byte { return [][]byte{changed(p.answers.message(n))} }},
	{"one byte lost", "wrong content of message 3: byte 0 is", func(p *peer, n int64) [][]byte {
		return [][]byte{p.answers.message(n)[1:], p.answers.message(n + 1)}
	}},
	{"one byte twice", "wrong content of message 3: byte 1 is", func(p *peer, n int64) [][]byte {
		m := p.answers.message(n)
		return [][]byte{slices.Concat(m[:1], m)}
	}},
	{"cut off", "closed by the peer", func(p *peer, n int64) [][]byte { return [][]byte{p.answers.message(n)[:50]} }},
	{"gone", "closed by the peer", func(*peer, int64) [][]byte { return nil }},
}

// checkBad runs a command against a server that does three messages well on
// each of its connections.
func checkBad(t *testing.T, c Command, want string) Result {
	t.Helper()
	c.Connections, c.Size, c.Seconds, c.WarmupSeconds = 3, 100, 600, -1
	r := mustRun(t, c)
	if r.Errors != 3 || !strings.Contains(r.FirstError, want) || strings.Contains(r.FirstError, "\n") {
		t.Errorf("got %+v, want 3 errors with %q", r, want)
	}
	return r
}

func TestRRNoticesBadServer(t *testing.T) {
	for _, x := range append([]misbehaviour{
		{"twice", "message 3 instead of 4", func(p *peer, n int64) [][]byte {
			return [][]byte{slices.Concat(p.answers.message(n), p.answers.message(n))}
		}},
		{"too early", "response before the request", func(p *peer, n int64) [][]byte {
			return [][]byte{slices.Concat(p.answers.message(n), p.answers.message(n+1))}
		}},
	}, misbehaviours...) {
		t.Run(x.name, func(t *testing.T) {
			addr := fakeServer(t, func(p *peer) {
				for n := int64(0); n < 3; n++ {
					if !p.next(t) {
						return
					}
					p.say(p.answers.message(n))
				}
				if p.next(t) {
					p.say(x.say(p, 3)...)
				}
			})
			r := checkBad(t, Command{Kind: KindRR, Addr: addr}, x.want)
			if r.AllOperations != 9 {
				t.Errorf("%d good responses, want 9", r.AllOperations)
			}
		})
	}
}

func TestStreamNoticesBadServer(t *testing.T) {
	for _, x := range misbehaviours {
		t.Run(x.name, func(t *testing.T) {
			addr := fakeServer(t, func(p *peer) {
				for n := range int64(3) {
					p.say(p.answers.message(n))
				}
				p.say(x.say(p, 3)...)
			})
			checkBad(t, Command{Kind: KindStream, Addr: addr}, x.want)
		})
	}
}

func TestConnectNoticesBadServer(t *testing.T) {
	for _, x := range []struct {
		name, want string
		say        func(p *peer) []byte
	}{
		{"another connection's", "wrong content", func(p *peer) []byte { return p.other().message(0) }},
		{"changed", "wrong content of message 0: byte 99 is", func(p *peer) []byte { return changed(p.answers.message(0)) }},
		{"cut off", "closed by the peer", func(p *peer) []byte { return p.answers.message(0)[:99] }},
		{"gone", "closed by the peer", func(*peer) []byte { return nil }},
		{"twice", "wrong content: message 0 instead of 1", func(p *peer) []byte {
			return slices.Concat(p.answers.message(0), p.answers.message(0))
		}},
		{"more", "more than a response", func(p *peer) []byte {
			return slices.Concat(p.answers.message(0), p.answers.message(1))
		}},
	} {
		t.Run(x.name, func(t *testing.T) {
			addr := fakeServer(t, func(p *peer) {
				if p.next(t) {
					p.say(x.say(p))
				}
			})
			if r := checkBad(t, Command{Kind: KindConnect, Addr: addr}, x.want); r.AllOperations != 0 {
				t.Errorf("%d good responses, want none", r.AllOperations)
			}
		})
	}
}

// A server that never answers, or stops in the middle, ends a round late but
// ends it, and is not taken for a slow one.
func TestRunNoticesHang(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for the stall timeout")
	}
	silent := fakeServer(t, (*peer).drain)
	half := fakeServer(t, func(p *peer) {
		p.say(p.answers.message(0)[:50])
		p.drain()
	})
	open := fakeServer(t, func(p *peer) {
		if p.next(t) {
			p.say(p.answers.message(0))
			p.drain()
		}
	})
	t.Parallel()
	var wg sync.WaitGroup // rather than parallel subtests, which wait for processors
	for _, x := range []struct{ kind, addr, want string }{
		{KindRR, silent, "no answer to request 0"},
		{KindRR, half, "no answer to request 0"},
		{KindStream, silent, "the stream stands still"},
		{KindStream, half, "the stream stands still"},
		{KindConnect, silent, "no answer"},
		{KindConnect, open, "not closed by the server"},
		{KindHTTP, silentHTTP(t), "timeout"},
	} {
		wg.Go(func() {
			c := Command{Kind: x.kind, Addr: x.addr, Connections: 3, Size: 100, Seconds: 0.1}
			r, err := Run(t.Context(), c)
			if err != nil || r.Errors != 3 || !strings.Contains(r.FirstError, x.want) {
				t.Errorf("%s: got %+v, %v, want 3 errors with %q", x.kind, r, err, x.want)
			}
		})
	}
	wg.Wait()
}
