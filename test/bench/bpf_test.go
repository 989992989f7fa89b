package bench_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/sockaccel/sockaccel/bench/load"
	"github.com/sockaccel/sockaccel/internal/testkit"
)

const (
	benchRounds  = 7 // fixed before looking
	benchSeconds = 0.4

	opActive  = 4 // BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB
	opPassive = 5 // BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB

	// Targets: how much more a verdict may take than the usual one, and how
	// long an establish callback may take.
	verdictMore, callbackMost = 60, 2500
)

// pair is a load server and client in a cgroup.
type pair struct {
	cgroup *testkit.Cgroup
	client *load.Process
	addr   string
}

func newPair(tb testing.TB, tool *testkit.Tool) *pair {
	tb.Helper()
	p := &pair{cgroup: testkit.NewCgroup(tb)}
	dir, err := os.Open(p.cgroup.Path)
	if err != nil {
		tb.Fatal(err)
	}
	defer dir.Close()
	server, addrs, err := load.StartServer(context.Background(), tool.Bin, dir)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(server.Stop)
	if p.client, err = load.StartClient(tool.Bin, dir); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(p.client.Stop)
	p.addr = addrs.TCP
	return p
}

func (p *pair) load(tb testing.TB, kind string, seconds float64) {
	tb.Helper()
	connections := 8
	if kind == load.KindConnect {
		connections = 1 // so that callbacks do not interrupt each other
	}
	r, err := p.client.Run(context.Background(), load.Command{
		Kind: kind, Addr: p.addr, Connections: connections, Seconds: seconds, WarmupSeconds: -1,
	})
	if err != nil || r.Errors > 0 {
		tb.Fatalf("%s load: %v %s", kind, err, r.FirstError)
	}
}

// round is what one setup cost, per run.
type round struct {
	verdict, active, passive, sockops, setsockopt, outOfScope, inScope cost
	connections                                                        uint64
}

// during returns what the program was charged with while f ran.
func during(tb testing.TB, p *ebpf.Program, f func()) cost {
	tb.Helper()
	before := accounted(tb, p)
	f()
	return accounted(tb, p).minus(before)
}

// run loads a setup that is attached, its readers trusted.
func (s *setup) run(tb testing.TB, p *pair) (r round) {
	tb.Helper()
	if s.verdict != nil {
		r.verdict = during(tb, s.verdict, func() { p.load(tb, load.KindRR, benchSeconds) })
	}
	active, passive := measured(tb, s.meter, opActive), measured(tb, s.meter, opPassive)
	connect := func() { p.load(tb, load.KindConnect, benchSeconds) }
	r.sockops = during(tb, s.sockops, func() {
		if s.setsockopt == nil {
			connect()
			return
		}
		r.setsockopt = during(tb, s.setsockopt, connect)
	})
	r.active = measured(tb, s.meter, opActive).minus(active)
	r.passive = measured(tb, s.meter, opPassive).minus(passive)
	r.connections = r.active.runs
	return r
}

// BenchmarkBPF measures our programs and the usual 4-tuple program under the
// same load, in turn. It takes as long as it takes, once: b.N means nothing.
func BenchmarkBPF(b *testing.B) {
	tool := testkit.NewTool(b)
	stats, err := ebpf.EnableStats(uint32(unix.BPF_STATS_RUN_TIME))
	if err != nil {
		b.Fatal(err)
	}
	defer stats.Close()
	inside, outside := newPair(b, tool), newPair(b, tool)
	rounds := map[string][]round{}
	for range benchRounds {
		for _, n := range rand.Perm(3) {
			switch n {
			case 0:
				s := attachNothing(b, inside.cgroup)
				rounds["nothing"] = append(rounds["nothing"], s.run(b, inside))
				s.close(b)
			case 1:
				s := attachBaseline(b, inside.cgroup)
				rounds["baseline"] = append(rounds["baseline"], s.run(b, inside))
				s.close(b)
			case 2:
				s := attachOurs(b, inside.cgroup, tool)
				rounds["ours"] = append(rounds["ours"], s.runOurs(b, tool, inside, outside))
				s.close(b)
			}
		}
	}
	b.ReportMetric(0, "ns/op") // of no meaning
	newTable(rounds).print(b)
}

// runOurs also measures what the tracepoint costs others.
func (s *setup) runOurs(tb testing.TB, tool *testkit.Tool, inside, outside *pair) round {
	tb.Helper()
	// Until the readers are trusted and connections are paired at birth.
	deadline := time.Now().Add(10 * time.Second)
	for st := tool.Status(tb); st.Connections.PairedTotal == st.Connections.AdoptedTotal; st = tool.Status(tb) {
		if time.Now().After(deadline) {
			tb.Fatalf("nothing is accelerated: %+v", st)
		}
		inside.load(tb, load.KindRR, 0.02)
	}
	before := tool.Status(tb)
	r := s.run(tb, inside)
	after := tool.Status(tb)
	// A verdict that only lets pass is not what is to be measured.
	redirected := after.Messages.Redirected - before.Messages.Redirected
	if tcp := after.Messages.TCP - before.Messages.TCP; tcp*20 > redirected {
		tb.Fatalf("%d messages redirected, but %d by TCP", redirected, tcp)
	}
	r.outOfScope = during(tb, s.evidence, func() { outside.load(tb, load.KindRR, benchSeconds) })
	// In scope and on TCP: with acceleration there are no reads by TCP.
	port := fmt.Sprint(netip.MustParseAddrPort(inside.addr).Port())
	tool.Enable(tb, inside.cgroup, "--exclude-port", port)
	r.inScope = during(tb, s.evidence, func() { inside.load(tb, load.KindRR, benchSeconds) })
	return r
}

func median(values []float64) float64 {
	values = slices.Sorted(slices.Values(values))
	return (values[(len(values)-1)/2] + values[len(values)/2]) / 2
}
