package core_test

import (
	"net/netip"
	"testing"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

const pairingRounds = 10

var (
	local4   = netip.MustParseAddr("127.0.0.1")
	local6   = netip.IPv6Loopback()
	mapped   = netip.AddrFrom16(local4.As16()) // of an AF_INET6 socket
	any4     = netip.MustParseAddrPort("0.0.0.0:0")
	dual     = netip.MustParseAddrPort("[::]:0")
	mappedIn = netip.AddrPortFrom(mapped, 0)
)

// The two ends of a connection may be sockets of different families and
// know different addresses.
func TestPairAddresses(t *testing.T) {
	onAndOff(t, func(t *testing.T, s *stage) {
		client, server := s.agent(t, "client", nil), s.agent(t, "server", nil)
		for _, x := range []struct {
			name string
			bind netip.AddrPort
			dial netip.Addr
		}{
			{"IPv4", testkit.Loopback, local4},
			{"IPv6", testkit.Loopback6, local6},
			{"mapped client", testkit.Loopback, mapped},
			{"mapped listener", mappedIn, local4},
			{"mapped both", mappedIn, mapped},
			{"wildcard", any4, netip.MustParseAddr("127.1.2.3")},
			{"dual-stack, IPv4 client", dual, local4},
			{"dual-stack, mapped client", dual, mapped},
			{"dual-stack, IPv6 client", dual, local6},
		} {
			t.Run(x.name, func(t *testing.T) {
				l := s.listen(t, client, server, x.bind, x.dial)
				s.expect(t, tally{redirected: 2 * pairingRounds, paired: 1}, func() {
					c := l.connect(t)
					c.talk(t, pairingRounds)
					c.close(t)
				})
			})
		}
	})
}

// One process at both ends.
func TestPairSameProcess(t *testing.T) {
	onAndOff(t, func(t *testing.T, s *stage) {
		a := s.agent(t, "alone", nil)
		l := s.listen(t, a, a, testkit.Loopback, local4)
		s.expect(t, tally{redirected: 2 * pairingRounds, paired: 1}, func() {
			l.connect(t).talk(t, pairingRounds)
		})
	})
}
