package capacity_test

import (
	"testing"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

// At --max-connections further connections stay on TCP, work, and are counted;
// when some close there is room again.
func TestMaxConnections(t *testing.T) {
	const limit, opened, closed = 100, 150, 60
	tool, cg := testkit.NewTool(t), testkit.NewCgroup(t)
	tool.Enable(t, cg, "--max-connections", "100")
	c := newCouple(t, 0, cg, nil)
	tool.Trust(t, c.client, c.server, c.listener)
	s := look(t, tool)
	awaitEmpty(t, s)

	use := func(text string, accelerated int) {
		t.Helper()
		// Twice: one that is just being taken out is not counted by the first.
		testkit.Must(c.exchange(text))(t)
		before := testkit.Must(s.Counters())(t)
		n := testkit.Must(c.exchange(text + " again"))(t)
		after := testkit.Must(s.Counters())(t)
		if n != 2*len(c.cfds) {
			t.Errorf("%s: %d messages, want %d", text, n, 2*len(c.cfds))
		}
		if got := after.RedirectedMessages - before.RedirectedMessages; got != uint64(2*accelerated) {
			t.Errorf("%s: redirected %d messages, want %d", text, got, 2*accelerated)
		}
		st := tool.Status(t)
		if st.Connections.MaxConnections != limit {
			t.Errorf("status says at most %d connections", st.Connections.MaxConnections)
		}
		if got, want := st.NotAccelerated.MapFull, uint64(len(c.cfds)-accelerated); got != want {
			t.Errorf("%s: %d counted as map_full, want %d", text, got, want)
		}
	}
	if err := c.open(opened); err != nil {
		t.Fatal(err)
	}
	awaitLive(t, tool, s, limit)
	use("full", limit)

	if err := c.close(closed); err != nil {
		t.Fatal(err)
	}
	if err := c.open(closed); err != nil {
		t.Fatal(err)
	}
	// Who gets the room, one that waits or a new one, is all the same.
	awaitLive(t, tool, s, limit)
	use("room again", limit)

	if err := c.close(opened); err != nil {
		t.Fatal(err)
	}
	awaitEmpty(t, s)
	if err := c.open(10); err != nil {
		t.Fatal(err)
	}
	awaitLive(t, tool, s, 10)
	testkit.Must(c.exchange("empty again"))(t)
}
