package testkit

import (
	"context"
	"io"
	"net"
	"net/netip"
	"testing"
)

type relayArgs struct{ Addr, Target netip.AddrPort }

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
			go relay(conn.(*net.TCPConn), x.Target)
		}
	}()
	return lis.Addr().(*net.TCPAddr).AddrPort(), nil
})

// MustRelay starts a proxy in the agent that is written as proxies in Go are:
// io.Copy between TCP connections, which reads them with splice(2).
func (a *Agent) MustRelay(tb testing.TB, addr, target netip.AddrPort) (bound netip.AddrPort) {
	tb.Helper()
	return Must(opRelay.on(a, relayArgs{addr, target}))(tb)
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
