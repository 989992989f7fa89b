// Package state_test tries the life of an instance: enable, disable, the
// sidecar and its supervisor, and killing any of them, under verified load.
package state_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sockaccel/sockaccel/internal/status"
	"github.com/sockaccel/sockaccel/internal/testkit"
)

func TestMain(m *testing.M) {
	if text := os.Getenv(otherEnv); text != "" {
		os.Exit(otherMain(text))
	}
	testkit.Main(m)
}

// scene is a client and a server process in one cgroup, with a listener once
// there is a use for it.
type scene struct {
	tool           *testkit.Tool
	cg             *testkit.Cgroup
	client, server *testkit.Agent
	listener       int
	version        string // of the tool
}

// newScene is not accelerated yet.
func newScene(tb testing.TB) *scene {
	tb.Helper()
	tool := testkit.NewTool(tb)
	return newSceneIn(tb, tool, testkit.NewCgroup(tb))
}

func newSceneIn(tb testing.TB, tool *testkit.Tool, cg *testkit.Cgroup) *scene {
	tb.Helper()
	s := &scene{tool: tool, cg: cg, version: strings.Fields(tool.MustRun(tb, "version"))[1]}
	s.client = testkit.StartAgent(tb, testkit.AgentOptions{Name: "client", Cgroup: cg})
	s.server = testkit.StartAgent(tb, testkit.AgentOptions{Name: "server", Cgroup: cg})
	s.listener = -1
	return s
}

// listen opens the listener.
func (s *scene) listen(tb testing.TB) {
	tb.Helper()
	if s.listener < 0 {
		s.listener, _ = s.server.MustListen(tb, testkit.Loopback, true)
	}
}

// enable accelerates the scene, and makes its readers trusted: those behind
// the listener, too, which is therefore opened where it is seen.
func (s *scene) enable(tb testing.TB, flags ...string) {
	tb.Helper()
	s.tool.Enable(tb, s.cg, flags...)
	s.trust(tb)
}

func (s *scene) trust(tb testing.TB) {
	tb.Helper()
	s.listen(tb)
	s.tool.Trust(tb, s.client, s.server, s.listener)
}

func (s *scene) connect(tb testing.TB) (cfd, sfd int) {
	tb.Helper()
	cfd = s.client.MustDial(tb, testkit.Must(s.server.LocalAddr(s.listener))(tb), true)
	return cfd, testkit.Must(s.server.Accept(s.listener, true))(tb)
}

// exchange sends a message each way and compares them.
func (s *scene) exchange(tb testing.TB, cfd, sfd int) {
	tb.Helper()
	s.client.MustSend(tb, cfd, []byte("request"))
	s.server.MustRecv(tb, sfd, []byte("request"))
	s.server.MustSend(tb, sfd, []byte("response"))
	s.client.MustRecv(tb, cfd, []byte("response"))
}

// awaitRedirecting waits until messages are redirected, now.
func awaitRedirecting(tb testing.TB, tool *testkit.Tool) {
	tb.Helper()
	before := tool.Status(tb).Messages.Redirected
	tool.Await(tb, 20*time.Second, "messages redirected again", func(st *status.Status) bool {
		return st.Messages.Redirected > before
	})
}
