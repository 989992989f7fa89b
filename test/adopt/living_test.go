package adopt_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

// Connections from before enable, half of them busy and half without any
// traffic since, within one network namespace and between two.
func TestLiving(t *testing.T) {
	t.Run("loopback", func(t *testing.T) { testLiving(t, newScene(t), testkit.Loopback) })
	t.Run("veth", func(t *testing.T) {
		left, right := testkit.NewNetns(t), testkit.NewNetns(t)
		testkit.Link(t, left, right, "10.9.0.1/24", "10.9.0.2/24")
		testLiving(t, newSceneIn(t, left, right), netip.MustParseAddrPort("10.9.0.2:0"))
	})
}

func testLiving(t *testing.T, s *scene, at netip.AddrPort) {
	const half = 100
	rounds := int64(max(testkit.Volume(10000), 1500))
	idle := s.openAt(t, at, half)
	addr := s.server.MustEcho(t, at)
	busy := testkit.Go(func() (testkit.PingPongResult, error) {
		return s.client.PingPong(testkit.PingPongOptions{Addr: addr, Conns: half, Rounds: int(rounds), Seed: 2})
	})
	if !eventually(patience, func() bool { return testkit.Must(s.server.EchoStats())(t).Conns == half }) {
		t.Fatal("not all connections are there")
	}

	called := time.Now()
	s.tool.Enable(t, s.cg)
	enabled := time.Now()
	g := s.gauge(t)
	s.awaitLive(t, g, 2*half)
	took := time.Since(enabled)
	t.Logf("%d connections accelerated %v after enable, which took %v (goal 2s)", 2*half,
		took.Round(time.Millisecond), enabled.Sub(called).Round(time.Millisecond))
	if took > 8*time.Second {
		t.Errorf("took %v", took)
	}
	if busy.Done() {
		t.Error("the load was over before it was accelerated")
	}
	result, err := busy.Wait(2 * time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if result.Messages != half*rounds {
		t.Errorf("%d messages, want %d", result.Messages, half*rounds)
	}
	// Sockets from before enable tell nobody when they close.
	s.awaitLive(t, g, half)
	s.useIdle(t, g, idle)

	closed := time.Now()
	s.closeAll(t, idle)
	s.awaitLive(t, g, 0)
	t.Logf("%d closed connections forgotten after %v", half, time.Since(closed).Round(time.Millisecond))
	if n := len(g.sockets(t)); n > 0 {
		t.Errorf("%d closed sockets left in the sockhash", n)
	}
}

// useIdle uses every idle connection, all of whose messages are redirected.
func (s *scene) useIdle(t *testing.T, g gauge, idle []ends) {
	t.Helper()
	const rounds = 3
	before := g.counters(t)
	for _, c := range idle {
		for range rounds {
			s.mustExchange(t, c, "awake")
		}
	}
	after := g.counters(t)
	if got, want := after.RedirectedMessages-before.RedirectedMessages, uint64(2*rounds*len(idle)); got != want {
		t.Errorf("redirected %d messages, want %d", got, want)
	}
	if got := after.TcpMessages - before.TcpMessages; got != 0 {
		t.Errorf("%d messages by TCP", got)
	}
}

// The same traffic without acceleration.
func TestLivingPlain(t *testing.T) {
	s := newScene(t)
	for _, c := range s.openAt(t, testkit.Loopback, 10) {
		s.mustExchange(t, c, "awake")
	}
	addr := s.server.MustEcho(t, testkit.Loopback)
	testkit.Must(s.client.PingPong(testkit.PingPongOptions{Addr: addr, Conns: 10, Rounds: 20, Seed: 2}))(t)
	if st := s.tool.Status(t); st.Enabled || st.Connections.Accelerated+st.Messages.Redirected+st.Messages.TCP != 0 {
		t.Errorf("something was counted: %+v", st)
	}
}
