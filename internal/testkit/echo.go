package testkit

import (
	"fmt"
	"io"
	"net/netip"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// EchoStats says what the echo servers of an agent have done so far.
type EchoStats struct {
	Conns, Messages int64
	Sends           int64    // send calls: more than Messages if some were partial
	Errors          []string // the first few
}

var (
	opEcho = op("echo", func(x boolArgs) (none, error) {
		go echoServer(x.FD, x.On)
		return false, nil
	})
	opEchoStats = op("echo stats", func(none) (EchoStats, error) {
		echoMu.Lock()
		defer echoMu.Unlock()
		return echoStats, nil
	})
)

// Echo serves a listener in the background: each message is answered with the
// name of the agent and the message. Accepted sockets are blocking or not; on
// blocking ones the server just blocks, with a thread for each connection, and
// EAGAIN is an error. It ends when the listener is shut down.
func (a *Agent) Echo(listenFD int, nonblock bool) error {
	_, err := opEcho.on(a, boolArgs{listenFD, nonblock})
	return err
}

// MustEcho starts an echo server of non-blocking sockets on a new listener.
func (a *Agent) MustEcho(tb testing.TB, addr netip.AddrPort) (bound netip.AddrPort) {
	tb.Helper()
	return a.mustEcho(tb, addr, true)
}

// MustBlockingEcho starts an echo server that is a plain blocking program.
func (a *Agent) MustBlockingEcho(tb testing.TB, addr netip.AddrPort) (bound netip.AddrPort) {
	tb.Helper()
	return a.mustEcho(tb, addr, false)
}

func (a *Agent) mustEcho(tb testing.TB, addr netip.AddrPort, nonblock bool) netip.AddrPort {
	tb.Helper()
	fd, bound := a.MustListen(tb, addr, nonblock)
	if err := a.Echo(fd, nonblock); err != nil {
		tb.Fatal(err)
	}
	return bound
}

// EchoStats returns what the echo servers of the agent have done so far.
func (a *Agent) EchoStats() (EchoStats, error) { return opEchoStats.on(a, false) }

var (
	echoMu    sync.Mutex
	echoStats EchoStats
)

func updateEcho(fn func(*EchoStats)) {
	echoMu.Lock()
	defer echoMu.Unlock()
	fn(&echoStats)
}

func echoError(what string, err error) {
	updateEcho(func(s *EchoStats) {
		if len(s.Errors) < 10 {
			s.Errors = append(s.Errors, fmt.Sprintf("%s: %v", what, err))
		}
	})
}

// forever is longer than any test: servers wait for clients without a limit.
const forever = 24 * time.Hour

func echoServer(listenFD int, nonblock bool) {
	for {
		if !blocking(listenFD) {
			if _, err := waitFor(listenFD, unix.POLLIN, time.Now().Add(forever)); err != nil {
				echoError("poll listener", err)
				return
			}
		}
		fd, err := accept(listenFD, nonblock)
		switch err {
		case nil:
			updateEcho(func(s *EchoStats) { s.Conns++ })
			go func() {
				defer unix.Close(fd)
				if err := echoConn(fd); err != nil {
					echoError("connection", err)
				}
			}()
		case unix.EAGAIN, unix.EINTR, unix.ECONNABORTED:
		case unix.EINVAL: // shut down
			return
		default:
			echoError("accept", err)
			return
		}
	}
}

func echoConn(fd int) error {
	w := &watch{deadline: time.Now().Add(forever)}
	in := frames{w: w, fd: fd}
	for {
		p, err := in.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		// Counted first: who has the answer finds it in the statistics.
		updateEcho(func(s *EchoStats) { s.Messages++; s.Sends++ })
		before := w.calls.Load()
		if err := w.sendAll(fd, frame(agentName, ":", string(p)), 0); err != nil {
			return err
		}
		if more := w.calls.Load() - before - 1; more > 0 {
			updateEcho(func(s *EchoStats) { s.Sends += more })
		}
	}
}
