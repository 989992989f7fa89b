package soak_test

import (
	"time"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

var modes = []testkit.ReadMode{testkit.ReadPoll, testkit.ReadEdge, testkit.ReadNginx}

// kinds of traffic: what one lane does once, and how many lanes there are.
// A reader that trusts FIONREAD ends no stream here: where FIONREAD does not
// count TCP bytes it may wait for a sidecar that was killed, and cannot be found
// once both ends have said FIN (the fionread risk).
func kinds() []*kind {
	return []*kind{
		{name: "steps, any reader", lanes: 6, once: (*lane).steps},
		{name: "requests", lanes: 3, once: (*lane).requests},
		{name: "bulk, fast readers", lanes: 16, once: (*lane).bulk},
		{name: "bulk, slow readers", lanes: 6, once: (*lane).slow},
		{name: "half close", lanes: 2, once: (*lane).halfClose},
		{name: "reset", lanes: 2, once: (*lane).reset},
		{name: "connection storms", lanes: 2, once: (*lane).storm},
		{name: "mostly idle", lanes: 8, once: (*lane).idle},
		{name: "blocking readers", lanes: 1, once: (*lane).blocking},
		{name: "splicing relay", lanes: 2, once: (*lane).relayed},
		{name: "other namespace", lanes: 2, once: (*lane).far},
		{name: "nginx and wrk", lanes: 1, once: (*lane).web},
	}
}

// steps sends a piece and wants it read before the next: what a reader misses
// at the end of a piece is not covered up by what comes after. One connection
// for all the time.
func (l *lane) steps() error {
	c, err := l.service().connect(l.client())
	if err != nil {
		return err
	}
	mode, seed := modes[l.number%len(modes)], l.next()
	for off := int64(0); !l.traffic.finished(); {
		size := 1 + l.rng.Int64N(1<<(4+l.rng.IntN(16)))
		for _, f := range []flow{c.up(), c.down()} {
			err := l.transfer(f, seed, off, size, testkit.SendOptions{ChunkMax: 8192}, testkit.ReadOptions{Mode: mode, Buffer: 4096})
			if err != nil {
				return err
			}
		}
		off += size
	}
	return c.close()
}

func (l *lane) requests() error {
	sizes := []int{1, 64, 1024, 16 << 10, 200 << 10}
	return l.pingPong(l.client(), testkit.PingPongOptions{
		Addr: l.traffic.scene.echo, Conns: 1 + l.rng.IntN(4), Rounds: 200, Size: sizes[l.rng.IntN(len(sizes))],
	})
}

func (l *lane) bulk() error {
	mode := modes[l.rng.IntN(2)]
	return l.stream(l.service(), testkit.SendOptions{ChunkMin: 256 << 10, ChunkMax: 256 << 10},
		testkit.ReadOptions{Mode: mode, Buffer: 256 << 10}, 8<<20+l.rng.Int64N(32<<20))
}

func (l *lane) slow() error {
	read := testkit.ReadOptions{Mode: modes[l.rng.IntN(2)], Buffer: 16 << 10, Pause: 8 * time.Millisecond}
	if l.rng.IntN(2) == 0 {
		read.Start = time.Duration(l.rng.Int64N(int64(2 * time.Second)))
	}
	send := testkit.SendOptions{ChunkMax: 1 << (6 + l.rng.IntN(13))} // down to where messages are the limit
	return l.stream(l.service(), send, read, min(16<<20, int64(send.ChunkMax)<<10))
}

// stream is one way on a connection of its own.
func (l *lane) stream(s *service, send testkit.SendOptions, read testkit.ReadOptions, size int64) error {
	c, err := s.connect(l.client())
	if err != nil {
		return err
	}
	f := c.up()
	if l.rng.IntN(2) == 0 {
		f = c.down()
	}
	if err := l.transfer(f, l.next(), 0, size, send, read); err != nil {
		return err
	}
	if err := f.end(); err != nil {
		return err
	}
	return c.close()
}

func (l *lane) halfClose() error {
	c, err := l.service().connect(l.client())
	if err != nil {
		return err
	}
	seed, size := l.next(), l.rng.Int64N(1<<20)
	for _, f := range []flow{c.up(), c.down()} {
		if err := l.transfer(f, seed, 0, size, testkit.SendOptions{}, testkit.ReadOptions{Mode: modes[l.rng.IntN(2)]}); err != nil {
			return err
		}
		if err := f.end(); err != nil {
			return err
		}
	}
	return c.close()
}

func (l *lane) reset() error {
	c, err := l.service().connect(l.client())
	if err != nil {
		return err
	}
	f, seed, size := c.up(), l.next(), 1+l.rng.Int64N(1<<20)
	if l.rng.IntN(2) == 0 {
		f = c.down()
	}
	return l.abort(f, seed, size)
}

func (l *lane) storm() error {
	return l.pingPong(l.client(), testkit.PingPongOptions{Addr: l.traffic.scene.echo, Conns: 32, Rounds: 1})
}

// idle says something now and then, on one connection for all the time.
func (l *lane) idle() error {
	c, err := l.service().connect(l.client())
	if err != nil {
		return err
	}
	seed := l.next()
	for off := int64(0); ; off += 100 {
		for _, f := range []flow{c.up(), c.down()} {
			if err := l.transfer(f, seed, off, 100, testkit.SendOptions{}, testkit.ReadOptions{Mode: testkit.ReadEdge}); err != nil {
				return err
			}
		}
		// A last one after all chaos.
		if l.traffic.finished() {
			return c.close()
		}
		l.traffic.pause(time.Duration(l.rng.Int64N(int64(8 * time.Second))))
	}
}

func (l *lane) blocking() error {
	s := l.traffic.scene
	return l.pingPong(s.blocker, testkit.PingPongOptions{Addr: s.blockEcho, Conns: 4, Rounds: 50, Size: 4096, Blocking: true})
}

func (l *lane) relayed() error {
	s := l.traffic.scene
	if l.rng.IntN(2) == 0 {
		return l.pingPong(l.client(), testkit.PingPongOptions{Addr: s.relayEcho, Conns: 4, Rounds: 50, Size: 4096})
	}
	return l.stream(s.relay, testkit.SendOptions{}, testkit.ReadOptions{}, 4<<20)
}

func (l *lane) far() error {
	s := l.traffic.scene
	if l.rng.IntN(2) == 0 {
		return l.pingPong(l.client(), testkit.PingPongOptions{Addr: s.farEcho, Conns: 4, Rounds: 100})
	}
	return l.stream(s.services[len(s.services)-1], testkit.SendOptions{}, testkit.ReadOptions{Mode: testkit.ReadEdge}, 8<<20)
}
