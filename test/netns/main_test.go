// Package netns_test holds the pairing tests that need more of the machine
// than sockets and namespaces: iptables.
package netns_test

import (
	"bytes"
	"fmt"
	"os/exec"
	"testing"
	"time"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// waitLong bounds what takes a moment, on a busy machine.
const waitLong = 20 * time.Second

// iptables runs it in a namespace.
func iptables(tb testing.TB, ns *testkit.Netns, args ...string) string {
	tb.Helper()
	var out bytes.Buffer
	var err error
	ns.Do(tb, func() {
		cmd := exec.Command("iptables", append([]string{"-w"}, args...)...)
		cmd.Stdout, cmd.Stderr = &out, &out
		err = cmd.Run()
	})
	if err != nil {
		tb.Fatalf("iptables %v: %v: %s", args, err, out.String())
	}
	return out.String()
}

func requireIptables(tb testing.TB) {
	tb.Helper()
	testkit.RequireRoot(tb)
	if _, err := exec.LookPath("iptables"); err != nil {
		tb.Skipf("needs iptables (scripts/setup test installs it): %v", err)
	}
}

// talk has both ends send each other 2*rounds numbered messages by name.
func talk(tb testing.TB, client, server *testkit.Agent, cfd, sfd, rounds int) {
	tb.Helper()
	for i := range rounds {
		request := fmt.Appendf(nil, "%s asks %s: %d", client.Name, server.Name, i)
		answer := fmt.Appendf(nil, "%s answers %s: %d", server.Name, client.Name, i)
		client.MustSend(tb, cfd, request)
		server.MustRecv(tb, sfd, request)
		server.MustSend(tb, sfd, answer)
		client.MustRecv(tb, cfd, answer)
	}
}
