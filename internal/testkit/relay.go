package testkit

import (
	"context"
	"io"
	"net"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

type relayArgs struct {
	Addr, Target netip.AddrPort
	Lines        bool
}

var opRelay = op("relay", func(x relayArgs) (netip.AddrPort, error) {
	var lc net.ListenConfig
	lc.SetMultipathTCP(false)
	lis, err := lc.Listen(context.Background(), "tcp", x.Addr.String())
	if err != nil {
		return netip.AddrPort{}, err
	}
	go func() {
		for {
			conn, err := lis.Accept()
			if err != nil {
				return
			}
			down := conn.(*net.TCPConn)
			if x.Lines {
				go tunnel(down, x.Target)
			} else {
				go relay(down, x.Target)
			}
		}
	}()
	return lis.Addr().(*net.TCPAddr).AddrPort(), nil
})

// MustRelay starts a proxy in the agent that is written as proxies in Go are:
// io.Copy between TCP connections, which reads them with splice(2).
func (a *Agent) MustRelay(tb testing.TB, addr, target netip.AddrPort) (bound netip.AddrPort) {
	tb.Helper()
	return Must(opRelay.on(a, relayArgs{addr, target, false}))(tb)
}

// MustTunnel starts a proxy that reads before it splices, as one for CONNECT and
// WebSocket does: it answers each message with the same, until "tunnel", behind
// which it waits for data, and copies both ways.
func (a *Agent) MustTunnel(tb testing.TB, addr, target netip.AddrPort) (bound netip.AddrPort) {
	tb.Helper()
	return Must(opRelay.on(a, relayArgs{addr, target, true}))(tb)
}

func tunnel(down *net.TCPConn, target netip.AddrPort) {
	defer down.Close()
	const word = "tunnel"
	for buf := make([]byte, len(word)); ; {
		if _, err := io.ReadFull(down, buf); err != nil {
			return
		}
		if string(buf) == word {
			break
		}
		if _, err := down.Write(buf); err != nil {
			return
		}
	}
	raw, err := down.SyscallConn()
	if err != nil {
		return
	}
	err = raw.Read(func(fd uintptr) bool {
		n, _, err := unix.Recvfrom(int(fd), make([]byte, 1), unix.MSG_PEEK)
		return n > 0 || err != unix.EAGAIN
	})
	if err == nil {
		relay(down, target)
	}
}

func relay(down *net.TCPConn, target netip.AddrPort) {
	defer down.Close()
	conn, err := net.Dial("tcp", target.String())
	if err != nil {
		return
	}
	defer conn.Close()
	up := conn.(*net.TCPConn)
	done := make(chan none)
	go func() {
		defer close(done)
		_, _ = io.Copy(up, down)
		_ = up.CloseWrite()
	}()
	_, _ = io.Copy(down, up)
	_ = down.CloseWrite()
	<-done
}
