package core_test

import (
	"path/filepath"
	"testing"

	"github.com/cilium/ebpf"

	"github.com/sockaccel/sockaccel/internal/adopt"
	"github.com/sockaccel/sockaccel/internal/state"
	"github.com/sockaccel/sockaccel/internal/status"
	"github.com/sockaccel/sockaccel/internal/testkit"
)

// trustKeys counts the keys of a pinned map; none when nothing is enabled.
func trustKeys(tb testing.TB, tool *testkit.Tool, name string, found func(key uint64)) int {
	tb.Helper()
	if !state.Exists(tool.StateDir) {
		return 0
	}
	m, err := ebpf.LoadPinnedMap(filepath.Join(tool.StateDir, "maps", name), nil)
	if err != nil {
		tb.Fatal(err)
	}
	defer m.Close()
	n, key := 0, make([]byte, m.KeySize())
	for err = m.NextKey(nil, &key); err == nil; err = m.NextKey(key, &key) {
		n++
		if found != nil {
			found(uint64(key[0]) | uint64(key[1])<<8 | uint64(key[2])<<16 | uint64(key[3])<<24 |
				uint64(key[4])<<32 | uint64(key[5])<<40 | uint64(key[6])<<48 | uint64(key[7])<<56)
		}
	}
	return n
}

// trustSocks counts the sockets in the sockhash.
func trustSocks(tb testing.TB, tool *testkit.Tool) int {
	tb.Helper()
	return trustKeys(tb, tool, "socks", nil)
}

// trustPasses makes adoption passes here and now, as the sidecar does in its
// own time: what may be adopted is adopted when it returns.
func trustPasses(tb testing.TB, tool *testkit.Tool) {
	tb.Helper()
	trustPassesUntil(tb, tool, func() bool { return false })
}

// trustPassesUntil makes at most six passes.
func trustPassesUntil(tb testing.TB, tool *testkit.Tool, enough func() bool) {
	tb.Helper()
	if !state.Exists(tool.StateDir) {
		return
	}
	s, err := state.Open(tool.StateDir)
	if err != nil {
		tb.Fatal(err)
	}
	defer s.Close()
	meta, err := s.Meta()
	if err != nil {
		tb.Fatal(err)
	}
	w, err := adopt.New(s)
	if err != nil {
		tb.Fatal(err)
	}
	defer w.Close()
	for range 6 {
		if enough() {
			return
		}
		if _, _, err := w.Pass(meta.Scopes); err != nil {
			tb.Fatal(err)
		}
	}
}

// enableTrust accelerates the scene, and returns when the listeners that were
// there before have been found: children of one that is not known do not
// inherit its identity.
func (s *scene) enableTrust(tb testing.TB, flags ...string) {
	tb.Helper()
	s.tool.Enable(tb, s.cg, flags...)
	trustPasses(tb, s.tool)
}

// newTrustScene is an accelerated scene with a trusted client and listener.
func newTrustScene(tb testing.TB, flags ...string) *scene {
	tb.Helper()
	s := newPlainScene(tb)
	s.enableTrust(tb, flags...)
	s.tool.Trust(tb, s.client, s.server, s.listener)
	return s
}

// trustKick makes the sidecar look at once.
func trustKick(tb testing.TB, tool *testkit.Tool) {
	tb.Helper()
	s, err := state.Open(tool.StateDir)
	if err != nil {
		tb.Fatal(err)
	}
	defer s.Close()
	if err := s.Kick(); err != nil {
		tb.Fatal(err)
	}
}

// trustConn is a connection with the agents that hold its ends.
type trustConn struct {
	client, server *testkit.Agent
	cfd, sfd       int
}

// exchange sends a request and a response n times.
func (c trustConn) exchange(tb testing.TB, n int) {
	tb.Helper()
	for range n {
		c.client.MustSend(tb, c.cfd, []byte("request"))
		c.server.MustRecv(tb, c.sfd, []byte("request"))
		c.server.MustSend(tb, c.sfd, []byte("response"))
		c.client.MustRecv(tb, c.cfd, []byte("response"))
	}
}

func (c trustConn) close(tb testing.TB) {
	tb.Helper()
	c.client.MustClose(tb, c.cfd)
	c.server.MustClose(tb, c.sfd)
}

// open connects the client to the listener; each end is blocking or not.
func (s *scene) open(tb testing.TB, clientBlocking, serverBlocking bool) trustConn {
	tb.Helper()
	addr := testkit.Must(s.server.LocalAddr(s.listener))(tb)
	cfd := s.client.MustDial(tb, addr, !clientBlocking)
	sfd := testkit.Must(s.server.Accept(s.listener, !serverBlocking))(tb)
	return trustConn{s.client, s.server, cfd, sfd}
}

// trustDelta compares counters of two moments.
type trustDelta struct{ before *status.Status }

func (s *scene) since(tb testing.TB) trustDelta { return trustDelta{s.tool.Status(tb)} }

func (d trustDelta) redirected(st *status.Status) int {
	return int(st.Messages.Redirected - d.before.Messages.Redirected)
}

func (d trustDelta) blocking(st *status.Status) int {
	return int(st.NotAccelerated.Blocking - d.before.NotAccelerated.Blocking)
}
