package testkit

import (
	"net/netip"
	"testing"
	"time"
)

// Loopback is 127.0.0.1 with a port chosen by the kernel.
var Loopback = netip.MustParseAddrPort("127.0.0.1:0")

// Loopback6 is [::1] with a port chosen by the kernel.
var Loopback6 = netip.MustParseAddrPort("[::1]:0")

// PairOptions describes a connection.
type PairOptions struct {
	Addr           netip.AddrPort // of the server; Loopback if zero
	ClientBlocking bool
	ServerBlocking bool
}

// Pair connects a client to a server agent, which may be the same, and returns
// the two ends. The listener is closed again.
func Pair(tb testing.TB, client, server *Agent, o PairOptions) (clientFD, serverFD int) {
	tb.Helper()
	if !o.Addr.IsValid() {
		o.Addr = Loopback
	}
	lis, addr := server.MustListen(tb, o.Addr, true)
	clientFD = client.MustDial(tb, addr, !o.ClientBlocking)
	serverFD = Must(server.Accept(lis, !o.ServerBlocking))(tb)
	if err := server.Close(lis); err != nil {
		tb.Fatal(err)
	}
	return clientFD, serverFD
}

// Must turns an error into a test failure: fd := Must(a.Accept(l, true))(t).
func Must[T any](v T, err error) func(testing.TB) T {
	return func(tb testing.TB) T {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
		return v
	}
}

// MustListen returns a new listener and its address.
func (a *Agent) MustListen(tb testing.TB, addr netip.AddrPort, nonblock bool) (fd int, bound netip.AddrPort) {
	tb.Helper()
	fd = Must(a.Socket(family(addr.Addr()), nonblock))(tb)
	if err := a.Bind(fd, addr); err != nil {
		tb.Fatal(err)
	}
	return fd, Must(a.Listen(fd, 4096))(tb)
}

// MustDial returns a new socket connected to addr.
func (a *Agent) MustDial(tb testing.TB, addr netip.AddrPort, nonblock bool) (fd int) {
	tb.Helper()
	fd = Must(a.Socket(family(addr.Addr()), nonblock))(tb)
	if err := a.Connect(fd, addr); err != nil {
		tb.Fatal(err)
	}
	return fd
}

// MustSend sends all of p by one call.
func (a *Agent) MustSend(tb testing.TB, fd int, p []byte) {
	tb.Helper()
	if n := Must(a.Send(fd, p, 0))(tb); n != len(p) {
		tb.Fatalf("agent %s: sent %d of %d bytes", a.Name, n, len(p))
	}
}

// MustRecv receives len(want) bytes within ten seconds and compares them.
func (a *Agent) MustRecv(tb testing.TB, fd int, want []byte) {
	tb.Helper()
	got := Must(a.RecvAll(fd, len(want), 10*time.Second))(tb)
	if string(got) != string(want) {
		tb.Fatalf("agent %s: received %q, want %q", a.Name, got, want)
	}
}

// MustClose closes descriptors.
func (a *Agent) MustClose(tb testing.TB, fds ...int) {
	tb.Helper()
	for _, fd := range fds {
		if err := a.Close(fd); err != nil {
			tb.Fatal(err)
		}
	}
}
