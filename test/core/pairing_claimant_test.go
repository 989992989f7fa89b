package core_test

import (
	"net/netip"
	"path/filepath"
	"testing"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

// The numbers of a pair are a shared secret, not an identity: who knows them
// can forge a third claimant. That takes a socket whose own number was chosen
// out of sight of the setsockopt hook (here: before enable), and a server that
// chooses its number as well. The pair it claims is not believed any longer,
// and nothing that either sends goes to the wrong end.
func TestPairThirdClaimant(t *testing.T) {
	s := &stage{tool: testkit.NewTool(t), cg: testkit.NewCgroup(t), on: true}
	home := testkit.NewNetns(t)
	fake := netip.MustParseAddrPort("10.1.0.9:7777")
	f := newForger(t, home, "10.1.0.1/24", fake.Addr())
	client, server, mallory := s.agent(t, "client", home), s.agent(t, "server", home), s.agent(t, "mallory", home)
	const number = 123456
	cfd, mfd := chosenSocket(t, client, number), chosenSocket(t, mallory, number)

	s.tool.Enable(t, s.cg)
	l := s.listen(t, client, server, testkit.Loopback, local4)
	s.listen(t, mallory, server, testkit.Loopback, local4) // trusted as well
	before := tallyOf(s.tool.Status(t))
	if err := client.Connect(cfd, l.addr); err != nil {
		t.Fatal(err)
	}
	c := &conn{client, server, cfd, testkit.Must(server.Accept(l.listener, true))(t)}
	s.expect(t, tally{redirected: 2 * pairingRounds}, func() { c.talk(t, pairingRounds) })
	client.MustSend(t, cfd, []byte("unread at the time"))

	key := s.onlyPair(t)
	if key[0] != number+1 {
		t.Fatalf("the client's number is %d, want the chosen %d", key[0], number+1)
	}
	dial := testkit.Go(func() (bool, error) { return true, mallory.Connect(mfd, fake) })
	f.answer(key[1] - 1)
	testkit.Must(dial.Wait(connectWait))(t)
	mallory.MustSend(t, mfd, []byte("for the forger"))
	if got := f.payload(); string(got) != "for the forger" {
		t.Errorf("the forger got %q", got)
	}

	server.MustRecv(t, c.sfd, []byte("unread at the time"))
	s.awaitSocks(t, 0)
	s.expect(t, tally{}, func() { c.talk(t, pairingRounds) })
	now := tallyOf(s.tool.Status(t)).since(before)
	if now.ambiguous != 2 || now.paired != 1 || now.redirected != 2*pairingRounds+1 {
		t.Errorf("counted %+v, want both claims of a client to be ambiguous", now)
	}
	mustBeQuiet(t, mallory, mfd)
}

// chosenSocket returns a socket with an initial number of choice, out of
// repair mode again.
func chosenSocket(tb testing.TB, a *testkit.Agent, number uint32) (fd int) {
	tb.Helper()
	fd = testkit.Must(a.Socket(unix.AF_INET, true))(tb)
	mustSet(tb, a, fd, unix.TCP_REPAIR, 1)
	setSequence(tb, a, fd, sendQueue, number)
	mustSet(tb, a, fd, unix.TCP_REPAIR, 0)
	return fd
}

// onlyPair returns the numbers of the only pair there is: client, server.
func (s *stage) onlyPair(tb testing.TB) (key [2]uint32) {
	tb.Helper()
	m, err := ebpf.LoadPinnedMap(filepath.Join(s.tool.StateDir, "maps", "pairs"), nil)
	if err != nil {
		tb.Fatal(err)
	}
	defer m.Close()
	if err := m.NextKey(nil, &key); err != nil {
		tb.Fatal(err)
	}
	if err := m.NextKey(key, new([2]uint32)); err == nil {
		tb.Fatal("more than one pair")
	}
	return key
}
