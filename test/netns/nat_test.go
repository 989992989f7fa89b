package netns_test

import (
	"net/netip"
	"testing"

	"github.com/sockaccel/sockaccel/internal/status"
	"github.com/sockaccel/sockaccel/internal/testkit"
)

// city is a client behind a router that translates: a published port is one of
// the server's (DNAT), and the client is hidden behind the router (masquerade).
// Neither end knows an address of the other, as with containers.
type city struct {
	tool           *testkit.Tool
	cg             *testkit.Cgroup
	router         *testkit.Netns
	client, server *testkit.Agent
	listener       int
	published      netip.AddrPort
}

const serverPort = "8080"

func newCity(tb testing.TB) *city {
	tb.Helper()
	requireIptables(tb)
	c := &city{
		tool: testkit.NewTool(tb), cg: testkit.NewCgroup(tb), router: testkit.NewNetns(tb),
		published: netip.MustParseAddrPort("10.1.0.2:80"),
	}
	left, right := testkit.NewNetns(tb), testkit.NewNetns(tb)
	c.router.Forward(tb)
	testkit.Link(tb, left, c.router, "10.1.0.1/24", "10.1.0.2/24")
	testkit.Link(tb, c.router, right, "10.2.0.1/24", "10.2.0.2/24")
	// The server has no route to the client: without masquerade there is
	// no connection.
	iptables(tb, c.router, "-t", "nat", "-A", "PREROUTING", "-p", "tcp", "--dport", "80",
		"-j", "DNAT", "--to-destination", "10.2.0.2:"+serverPort)
	iptables(tb, c.router, "-t", "nat", "-A", "POSTROUTING", "-p", "tcp", "--dport", serverPort,
		"-j", "MASQUERADE", "--random")
	c.client = testkit.StartAgent(tb, testkit.AgentOptions{Name: "client", Cgroup: c.cg, Netns: left})
	c.server = testkit.StartAgent(tb, testkit.AgentOptions{Name: "server", Cgroup: c.cg, Netns: right})
	return c
}

func (c *city) listen(tb testing.TB) {
	tb.Helper()
	c.listener, _ = c.server.MustListen(tb, netip.MustParseAddrPort("0.0.0.0:"+serverPort), true)
}

func (c *city) connect(tb testing.TB) (cfd, sfd int) {
	tb.Helper()
	cfd = c.client.MustDial(tb, c.published, true)
	return cfd, testkit.Must(c.server.Accept(c.listener, true))(tb)
}

// mustBeTranslated makes sure that the ends know different addresses.
func (c *city) mustBeTranslated(tb testing.TB, cfd, sfd int) {
	tb.Helper()
	client := testkit.Must(c.client.LocalAddr(cfd))(tb)
	if seen := testkit.Must(c.server.PeerAddr(sfd))(tb); seen == client || seen.Addr() == client.Addr() {
		tb.Fatalf("the server sees the client's own address %v", seen)
	}
	if own := testkit.Must(c.server.LocalAddr(sfd))(tb); own == c.published {
		tb.Fatalf("the server has the published address %v", own)
	}
}

// Both addresses and both ports are translated, and every message is
// redirected.
func TestNAT(t *testing.T) {
	c := newCity(t)
	c.tool.Enable(t, c.cg)
	c.listen(t)
	cfd, sfd := c.connect(t)
	talk(t, c.client, c.server, cfd, sfd, 8) // trusted after it
	c.client.MustClose(t, cfd)
	c.server.MustClose(t, sfd)

	const conns, rounds = 5, 20
	before := c.tool.Status(t)
	for range conns {
		cfd, sfd := c.connect(t)
		c.mustBeTranslated(t, cfd, sfd)
		talk(t, c.client, c.server, cfd, sfd, rounds)
	}
	st := c.tool.Status(t)
	if got := st.Messages.Redirected - before.Messages.Redirected; got != 2*conns*rounds {
		t.Errorf("redirected %d messages, want %d", got, 2*conns*rounds)
	}
	if got := st.Messages.TCP - before.Messages.TCP; got != 0 {
		t.Errorf("%d messages by TCP, want none", got)
	}
	if st.Connections.Accelerated != conns {
		t.Errorf("%d connections accelerated, want %d", st.Connections.Accelerated, conns)
	}
}

// After disable the translated connections go on by TCP: nothing in the middle
// has lost them.
func TestNATBackToTCP(t *testing.T) {
	c := newCity(t)
	c.tool.Enable(t, c.cg)
	c.listen(t)
	cfd, sfd := c.connect(t)
	talk(t, c.client, c.server, cfd, sfd, 8)
	c.tool.Await(t, waitLong, "adopted", func(st *status.Status) bool { return st.Connections.Accelerated == 1 })
	before := c.tool.Status(t).Messages.Redirected
	talk(t, c.client, c.server, cfd, sfd, 20)
	if got := c.tool.Status(t).Messages.Redirected - before; got != 40 {
		t.Errorf("redirected %d messages, want 40", got)
	}
	c.tool.Disable(t)
	talk(t, c.client, c.server, cfd, sfd, 20)
}

// The same without acceleration.
func TestNATPlain(t *testing.T) {
	c := newCity(t)
	c.listen(t)
	cfd, sfd := c.connect(t)
	c.mustBeTranslated(t, cfd, sfd)
	talk(t, c.client, c.server, cfd, sfd, 20)
	if st := c.tool.Status(t); st.Enabled || st.Messages != (status.Paths{}) {
		t.Errorf("something was counted: %+v", st)
	}
}
