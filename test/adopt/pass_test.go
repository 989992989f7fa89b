package adopt_test

import (
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

// A host with many idle connections: what does it cost to look at all of them?
func TestPassCost(t *testing.T) {
	if testing.Short() {
		t.Skip("opens 10,000 connections")
	}
	const agents, each = 2, 5000
	// A network namespace of its own has all ports, and no sockets but ours.
	ns := testkit.NewNetns(t)
	first := newSceneIn(t, ns, ns)
	first.openAt(t, testkit.Loopback, each)
	for range agents - 1 {
		s := &scene{tool: first.tool, cg: first.cg}
		s.client = testkit.StartAgent(t, testkit.AgentOptions{Name: "client2", Cgroup: s.cg, Netns: ns})
		s.server = testkit.StartAgent(t, testkit.AgentOptions{Name: "server2", Cgroup: s.cg, Netns: ns})
		s.openAt(t, testkit.Loopback, each)
	}
	first.tool.Enable(t, first.cg)
	g := first.gauge(t)
	for range 3 {
		first.awaitPass(t, g)
	}
	full := 0
	for _, p := range first.tookPasses(t) {
		t.Logf("a pass over %d sockets took %v (goal: 50,000 in 200ms)", p.visited, p.took)
		if p.visited < 2*agents*each {
			continue
		}
		full++
		if p.took > 5*time.Second {
			t.Errorf("a pass took %v", p.took)
		}
	}
	if full == 0 {
		t.Errorf("no pass visited all %d sockets", 2*agents*each)
	}
}

type passRecord struct {
	visited int
	took    time.Duration
}

var passLine = regexp.MustCompile(`msg=pass visited=(\d+) .*took=(\S+)`)

func (s *scene) tookPasses(tb testing.TB) (records []passRecord) {
	tb.Helper()
	text := testkit.Must(os.ReadFile(s.tool.Log))(tb)
	for _, m := range passLine.FindAllSubmatch(text, -1) {
		visited, _ := strconv.Atoi(string(m[1]))
		took, err := time.ParseDuration(string(m[2]))
		if err != nil {
			tb.Fatal(err)
		}
		records = append(records, passRecord{visited, took})
	}
	return records
}
