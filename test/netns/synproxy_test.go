package netns_test

import (
	"net/netip"
	"os/exec"
	"testing"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

// A proxy of SYNs in the middle answers the client with a number of its own and
// translates it for the rest of the connection: the ends know different pairs,
// and stay on TCP.
func TestSYNProxy(t *testing.T) {
	requireIptables(t)
	tool, cg := testkit.NewTool(t), testkit.NewCgroup(t)
	left, router, right := testkit.NewNetns(t), testkit.NewNetns(t), testkit.NewNetns(t)
	router.Forward(t)
	testkit.Link(t, left, router, "10.1.0.1/24", "10.1.0.2/24")
	testkit.Link(t, router, right, "10.2.0.1/24", "10.2.0.2/24")
	left.AddRoute(t, "10.2.0.0/24", "10.1.0.2")
	right.AddRoute(t, "10.1.0.0/24", "10.2.0.1")
	requireSYNProxy(t, router)
	router.Sysctl(t, "net.netfilter.nf_conntrack_tcp_loose", "0")

	client := testkit.StartAgent(t, testkit.AgentOptions{Name: "client", Cgroup: cg, Netns: left})
	server := testkit.StartAgent(t, testkit.AgentOptions{Name: "server", Cgroup: cg, Netns: right})
	tool.Enable(t, cg)
	lis, _ := server.MustListen(t, netip.MustParseAddrPort("0.0.0.0:"+serverPort), true)
	for range 3 {
		cfd := client.MustDial(t, netip.MustParseAddrPort("10.2.0.2:"+serverPort), true)
		// The proxy asks the server only now, or has just asked it.
		sfd := testkit.Must(server.Accept(lis, true))(t)
		talk(t, client, server, cfd, sfd, 20)
	}
	st := tool.Status(t)
	if st.Connections.PairedTotal != 0 || st.Messages.Redirected != 0 {
		t.Errorf("paired %d connections, redirected %d messages, want none",
			st.Connections.PairedTotal, st.Messages.Redirected)
	}
	if st.NotAccelerated.Remote < 3 {
		t.Errorf("counted %+v, want three servers without a client", st.NotAccelerated)
	}
}

// requireSYNProxy has the router proxy SYNs, or skips: many kernels come
// without the module.
func requireSYNProxy(tb testing.TB, router *testkit.Netns) {
	tb.Helper()
	iptables(tb, router, "-t", "raw", "-A", "PREROUTING", "-p", "tcp", "--syn", "-j", "CT", "--notrack")
	router.Do(tb, func() {
		out, err := exec.Command("iptables", "-w", "-A", "FORWARD", "-p", "tcp", "-m", "conntrack",
			"--ctstate", "INVALID,UNTRACKED", "-j", "SYNPROXY", "--sack-perm", "--timestamp", "--wscale", "7", "--mss", "1460").CombinedOutput()
		if err != nil {
			tb.Skipf("iptables has no SYNPROXY here: %v: %s", err, out)
		}
	})
}
