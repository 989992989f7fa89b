package testkit

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestStreams(t *testing.T) {
	const total = 4 << 20
	for _, x := range []struct {
		name     string
		blocking bool
		read     ReadOptions
	}{
		{"poll", false, ReadOptions{}},
		{"edge", false, ReadOptions{Mode: ReadEdge, Buffer: 4096}},
		{"nginx", false, ReadOptions{Mode: ReadNginx, Buffer: 4096}},
		{"pauses", false, ReadOptions{Mode: ReadEdge, Pause: 5 * time.Millisecond}},
		{"slow start", false, ReadOptions{Mode: ReadNginx, Start: 200 * time.Millisecond}},
		{"blocking", true, ReadOptions{}},
		{"waitall", true, ReadOptions{Flags: unix.MSG_WAITALL, Buffer: 10000}},
	} {
		t.Run(x.name, func(t *testing.T) {
			client, server, cfd, sfd := newPair(t, PairOptions{ClientBlocking: x.blocking, ServerBlocking: x.blocking})
			x.read.Seed, x.read.Total, x.read.EOF = 9, total, true
			x.read.Timeout = 20 * time.Second
			reading := Go(func() (StreamStats, error) { return server.VerifyStream(sfd, x.read) })
			sent := Must(client.SendStream(cfd, SendOptions{Seed: 9, Total: total, ChunkMax: 20000}))(t)
			if err := client.Shutdown(cfd, unix.SHUT_WR); err != nil {
				t.Fatal(err)
			}
			read, err := reading.Wait(25 * time.Second)
			if err != nil {
				t.Fatal(err)
			}
			if sent.Bytes != total || read.Bytes != total || !read.EOF {
				t.Errorf("sent %+v, read %+v", sent, read)
			}
		})
	}
}

func TestVerifyStreamFinds(t *testing.T) {
	client, server, cfd, sfd := newPair(t, PairOptions{})
	t.Run("missing bytes", func(t *testing.T) {
		client.MustSend(t, cfd, NewStream(5).Bytes(0, 1000))
		client.MustSend(t, cfd, NewStream(5).Bytes(1007, 993))
		stats, err := server.VerifyStream(sfd, ReadOptions{Seed: 5, Total: 1993, Buffer: 100})
		var m *Mismatch
		if !errors.As(err, &m) || m.Off != 1000 || m.From != 1007 {
			t.Errorf("got %v, %v", stats, err)
		}
		if stats.Bytes != 1000 {
			t.Errorf("%d bytes were right, want 1000", stats.Bytes)
		}
		t.Log(err)
	})
	t.Run("stall", func(t *testing.T) {
		client, server, cfd, sfd := newPair(t, PairOptions{})
		client.MustSend(t, cfd, NewStream(5).Bytes(0, 1000))
		stats, err := server.VerifyStream(sfd, ReadOptions{
			Seed: 5, Total: 1001, Mode: ReadEdge, Timeout: 100 * time.Millisecond,
		})
		if !errors.Is(err, os.ErrDeadlineExceeded) || stats.Bytes != 1000 {
			t.Errorf("got %+v, %v", stats, err)
		}
		t.Log(err)
	})
	t.Run("stall of a blocking reader", func(t *testing.T) {
		client, server, cfd, sfd := newPair(t, PairOptions{ServerBlocking: true})
		client.MustSend(t, cfd, NewStream(5).Bytes(0, 1000))
		stats, err := server.VerifyStream(sfd, ReadOptions{Seed: 5, Total: 1001, Timeout: 100 * time.Millisecond})
		if !errors.Is(err, os.ErrDeadlineExceeded) || stats.Bytes != 1000 {
			t.Errorf("got %+v, %v", stats, err)
		}
		t.Log(err)
	})
	t.Run("early EOF", func(t *testing.T) {
		client, server, cfd, sfd := newPair(t, PairOptions{})
		client.MustSend(t, cfd, NewStream(5).Bytes(0, 1000))
		client.MustClose(t, cfd)
		stats, err := server.VerifyStream(sfd, ReadOptions{Seed: 5, Total: 1001})
		if err == nil || !stats.EOF {
			t.Errorf("got %+v, %v", stats, err)
		}
	})
}

func TestSendStreamReportsStall(t *testing.T) {
	client, _, cfd, _ := newPair(t, PairOptions{})
	stats, err := client.SendStream(cfd, SendOptions{Total: 1 << 30, Timeout: 200 * time.Millisecond})
	if !errors.Is(err, os.ErrDeadlineExceeded) || stats.Bytes == 0 {
		t.Errorf("got %+v, %v", stats, err)
	}
	t.Log(err)
}

func TestEcho(t *testing.T) {
	client := StartAgent(t, AgentOptions{Name: "client"})
	for _, blocking := range []bool{false, true} {
		server := StartAgent(t, AgentOptions{Name: "server"})
		start := server.MustEcho
		if blocking {
			start = server.MustBlockingEcho
		}
		const conns, rounds, size = 5, 20, 100_000
		got := Must(client.PingPong(PingPongOptions{
			Addr: start(t, Loopback), Conns: conns, Rounds: rounds, Size: size, Seed: 1, Blocking: blocking,
		}))(t)
		if got.Messages != conns*rounds || got.Bytes != conns*rounds*size {
			t.Errorf("result %+v", got)
		}
		if len(got.Peers) != 1 || got.Peers["server"] != conns*rounds {
			t.Errorf("answers from %v, want %d from server", got.Peers, conns*rounds)
		}
		stats := Must(server.EchoStats())(t)
		if stats.Messages != conns*rounds || stats.Conns != conns || len(stats.Errors) > 0 {
			t.Errorf("server %+v", stats)
		}
	}
}

func TestPingPongReportsStall(t *testing.T) {
	client := StartAgent(t, AgentOptions{Name: "client"})
	_, addr := client.MustListen(t, Loopback, true) // connects, never answers
	for _, blocking := range []bool{false, true} {
		_, err := client.PingPong(PingPongOptions{Addr: addr, Blocking: blocking, Timeout: 100 * time.Millisecond})
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("blocking %v: got %v, want a timeout", blocking, err)
		}
	}
}

func TestManyConnections(t *testing.T) {
	a := StartAgent(t, AgentOptions{})
	lis, addr := a.MustListen(t, Loopback, true)
	const n = 100
	fds := Must(a.ConnectMany(addr, n))(t)
	conns := Must(a.AcceptMany(lis, n))(t)
	if len(fds) != n || len(conns) != n {
		t.Errorf("%d connected, %d accepted, want %d", len(fds), len(conns), n)
	}
	if err := a.CloseMany(append(fds, conns...)); err != nil {
		t.Error(err)
	}
}

func TestLeakedFDs(t *testing.T) {
	before := openFDs()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	leaked := leakedFDs(before)
	r.Close()
	w.Close()
	if len(leaked) != 2 {
		t.Errorf("found %v, want the two ends of a pipe", leaked)
	}
	for _, target := range leaked {
		if !strings.HasPrefix(target, "pipe:") {
			t.Errorf("leaked %q", target)
		}
	}
}

func TestRelay(t *testing.T) {
	client := StartAgent(t, AgentOptions{Name: "client"})
	proxy := StartAgent(t, AgentOptions{Name: "proxy"})
	server := StartAgent(t, AgentOptions{Name: "server"})
	addr := proxy.MustRelay(t, Loopback, server.MustEcho(t, Loopback))
	got := Must(client.PingPong(PingPongOptions{Addr: addr, Conns: 3, Rounds: 10, Size: 50_000}))(t)
	if got.Peers["server"] != 30 {
		t.Errorf("result %+v", got)
	}
}
