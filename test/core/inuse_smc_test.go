package core_test

import (
	"errors"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

// An AF_SMC socket has a TCP socket inside the kernel: a kernel socket whose
// sk_user_data is taken, in the cgroup of its program. Without the hardware
// for SMC, as here, its data goes by that TCP socket, and the program's
// reads and writes with it.

const afSMC = 43

func requireSMC(tb testing.TB) {
	tb.Helper()
	testkit.RequireRoot(tb)
	fd, err := unix.Socket(afSMC, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		tb.Skipf("this kernel has no SMC: %v", err)
	}
	unix.Close(fd)
}

// A connection with an SMC socket at an end works, and stays on TCP.
func TestInUseSMC(t *testing.T) {
	requireSMC(t)
	for _, x := range []struct {
		name           string
		client, server int // families
		counted        tally
	}{
		// Without a client that may be paired the server's peer is nobody.
		{"both ends", afSMC, afSMC, tally{inUse: 1, remote: 1}},
		{"client", afSMC, unix.AF_INET, tally{inUse: 1, remote: 1}},
		{"server", unix.AF_INET, afSMC, tally{inUse: 1}},
	} {
		t.Run(x.name, func(t *testing.T) {
			onAndOff(t, func(t *testing.T, s *stage) {
				client, server := s.agent(t, "client", nil), s.agent(t, "server", nil)
				s.listen(t, client, server, testkit.Loopback, netip.Addr{}) // for their trust
				lfd := testkit.Must(server.SocketOf(x.server, unix.SOCK_STREAM, 0))(t)
				if err := server.Bind(lfd, testkit.Loopback); err != nil {
					t.Fatal(err)
				}
				addr := testkit.Must(server.Listen(lfd, 16))(t)
				s.expect(t, x.counted, func() {
					cfd := testkit.Must(client.SocketOf(x.client, unix.SOCK_STREAM, 0))(t)
					if err := client.Connect(cfd, addr); err != nil {
						t.Fatal(err)
					}
					c := &conn{client, server, cfd, testkit.Must(server.Accept(lfd, false))(t)}
					if err := errors.Join(client.SetNonblock(c.cfd, true), server.SetNonblock(c.sfd, true)); err != nil {
						t.Fatal(err)
					}
					c.talk(t, pairingRounds)
					trustPasses(t, s.tool)
					c.talk(t, pairingRounds)
					if n := s.socks(t); n != 0 {
						t.Errorf("%d sockets in the sockhash", n)
					}
					c.close(t)
				})
			})
		})
	}
}
