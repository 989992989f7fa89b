// Package core_test holds the traffic tests that every supported kernel has to
// pass: real sockets of real processes, in a cgroup of the test's own.
package core_test

import (
	"testing"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// scene is a client and a server process in one accelerated cgroup, trusted,
// with a listener.
type scene struct {
	tool           *testkit.Tool
	cg             *testkit.Cgroup
	client, server *testkit.Agent
	listener       int
}

func newScene(tb testing.TB, flags ...string) *scene {
	tb.Helper()
	s := newPlainScene(tb)
	s.tool.Enable(tb, s.cg, flags...)
	s.tool.Trust(tb, s.client, s.server, s.listener)
	return s
}

// newPlainScene is the same without acceleration.
func newPlainScene(tb testing.TB) *scene {
	tb.Helper()
	s := &scene{tool: testkit.NewTool(tb), cg: testkit.NewCgroup(tb)}
	s.client = testkit.StartAgent(tb, testkit.AgentOptions{Name: "client", Cgroup: s.cg})
	s.server = testkit.StartAgent(tb, testkit.AgentOptions{Name: "server", Cgroup: s.cg})
	s.listener, _ = s.server.MustListen(tb, testkit.Loopback, true)
	return s
}

// connect returns both ends of a new connection.
func (s *scene) connect(tb testing.TB) (cfd, sfd int) {
	tb.Helper()
	addr := testkit.Must(s.server.LocalAddr(s.listener))(tb)
	cfd = s.client.MustDial(tb, addr, true)
	return cfd, testkit.Must(s.server.Accept(s.listener, true))(tb)
}

// exchange makes rounds of request and response on a new connection.
func (s *scene) exchange(tb testing.TB, rounds int) (cfd, sfd int) {
	tb.Helper()
	cfd, sfd = s.connect(tb)
	for range rounds {
		s.client.MustSend(tb, cfd, []byte("request"))
		s.server.MustRecv(tb, sfd, []byte("request"))
		s.server.MustSend(tb, sfd, []byte("response"))
		s.client.MustRecv(tb, cfd, []byte("response"))
	}
	return cfd, sfd
}
