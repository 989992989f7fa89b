package soak_test

import (
	"fmt"
	"net/netip"
	"sync"
	"testing"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

// scene is who takes part: processes in several cgroups, all in a network
// namespace of their own but one server, which is behind a veth.
type scene struct {
	tool   *testkit.Tool
	root   *testkit.Cgroup // never a scope itself
	scopes []*testkit.Cgroup
	netns  *testkit.Netns

	clients, servers []*testkit.Agent // one per scope
	// How a process reads decides about all its connections, so those that
	// block or splice are others.
	blocker, splicer, far *testkit.Agent

	services      []*service // one per server, and the far one
	echo, farEcho netip.AddrPort
	blockEcho     netip.AddrPort
	relayEcho     netip.AddrPort
	relay         *service // streams to a server by way of the splicer
	agents        []*testkit.Agent
	web           *web
}

const farAddress = "10.77.0.2"

func newScene(tb testing.TB) *scene {
	s := &scene{tool: testkit.NewTool(tb), root: testkit.NewCgroup(tb), netns: testkit.NewNetns(tb)}
	farNetns := testkit.NewNetns(tb)
	testkit.Link(tb, s.netns, farNetns, "10.77.0.1/24", farAddress+"/24")
	for i := range 3 {
		cg := s.root.Child(tb, fmt.Sprintf("scope%d", i))
		s.scopes = append(s.scopes, cg)
		s.clients = append(s.clients, s.start(tb, fmt.Sprintf("client%d", i), cg, s.netns))
		s.servers = append(s.servers, s.start(tb, fmt.Sprintf("server%d", i), cg, s.netns))
	}
	s.blocker = s.start(tb, "blocker", s.scopes[0], s.netns)
	s.splicer = s.start(tb, "splicer", s.scopes[0], s.netns)
	s.far = s.start(tb, "far", s.scopes[0], farNetns)

	for _, server := range s.servers {
		s.services = append(s.services, listen(tb, server, testkit.Loopback))
	}
	there := netip.AddrPortFrom(netip.MustParseAddr(farAddress), 0)
	s.services = append(s.services, listen(tb, s.far, there))
	s.echo = s.servers[0].MustEcho(tb, testkit.Loopback6)
	s.farEcho = s.far.MustEcho(tb, there)
	s.blockEcho = s.blocker.MustBlockingEcho(tb, testkit.Loopback)
	s.relayEcho = s.splicer.MustRelay(tb, testkit.Loopback, s.echo)
	behind := listen(tb, s.servers[1], testkit.Loopback)
	s.relay = &service{agent: behind.agent, fd: behind.fd, addr: s.splicer.MustRelay(tb, testkit.Loopback, behind.addr)}
	s.web = newWeb(tb, s)
	return s
}

func (s *scene) start(tb testing.TB, name string, cg *testkit.Cgroup, n *testkit.Netns) *testkit.Agent {
	a := testkit.StartAgent(tb, testkit.AgentOptions{Name: name, Cgroup: cg, Netns: n})
	s.agents = append(s.agents, a)
	return a
}

// close ends all processes: their sockets are gone then.
func (s *scene) close() {
	if s.web != nil {
		s.web.stop()
	}
	for _, a := range s.agents {
		a.Kill()
	}
}

// service is a listener whose connections are handed to whoever connects.
type service struct {
	agent *testkit.Agent
	fd    int
	addr  netip.AddrPort

	mu sync.Mutex // who connects accepts: one at a time
}

func listen(tb testing.TB, server *testkit.Agent, addr netip.AddrPort) *service {
	fd, bound := server.MustListen(tb, addr, true)
	return &service{agent: server, fd: fd, addr: bound}
}

// conn is a connection with both its ends.
type conn struct {
	client, server *testkit.Agent
	cfd, sfd       int
}

func (s *service) connect(client *testkit.Agent) (*conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fds, err := client.ConnectMany(s.addr, 1)
	if err != nil {
		return nil, err
	}
	sfd, err := s.agent.Accept(s.fd, true)
	if err != nil {
		return nil, err
	}
	return &conn{client, s.agent, fds[0], sfd}, nil
}

func (c *conn) close() error {
	if err := c.client.Close(c.cfd); err != nil {
		return err
	}
	return c.server.Close(c.sfd)
}

// flow is one direction of a connection.
type flow struct {
	from, to *testkit.Agent
	out, in  int
}

func (c *conn) up() flow   { return flow{c.client, c.server, c.cfd, c.sfd} }
func (c *conn) down() flow { return flow{c.server, c.client, c.sfd, c.cfd} }
