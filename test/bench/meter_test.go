package bench_test

import (
	"path/filepath"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/sockaccel/sockaccel/bench/baseline"
	"github.com/sockaccel/sockaccel/internal/testkit"
)

// cost is the time that runs of a program took.
type cost struct {
	ns, runs uint64
}

func (c cost) minus(old cost) cost { return cost{c.ns - old.ns, c.runs - old.runs} }

func (c cost) mean() float64 {
	if c.runs == 0 {
		return 0
	}
	return float64(c.ns) / float64(c.runs)
}

// accounted is what the kernel's statistics say. A tail call is not a run of
// its own: the program that made it is charged for both.
func accounted(tb testing.TB, p *ebpf.Program) cost {
	tb.Helper()
	stats, err := p.Stats()
	if err != nil {
		tb.Fatal(err)
	}
	return cost{uint64(stats.Runtime), stats.RunCount}
}

// measured is what the two programs of the meter saw of one sock_ops callback,
// the empty program's share included.
func measured(tb testing.TB, objs *baseline.BaselineObjects, op uint32) cost {
	tb.Helper()
	var per []baseline.BaselineMeter
	if err := objs.Meters.Lookup(op, &per); err != nil {
		tb.Fatal(err)
	}
	var sum cost
	for _, m := range per {
		sum.ns += m.Ns
		sum.runs += m.Runs
	}
	return sum
}

// setup is a set of programs attached to the cgroup, between the meter's.
type setup struct {
	meter      *baseline.BaselineObjects
	verdict    *ebpf.Program // nil where there is none
	sockops    *ebpf.Program
	setsockopt *ebpf.Program
	evidence   *ebpf.Program
	links      []link.Link
	owned      []*ebpf.Program
	disable    func()
}

func newSetup(tb testing.TB, cg *testkit.Cgroup) *setup {
	tb.Helper()
	s := &setup{meter: new(baseline.BaselineObjects)}
	if err := baseline.LoadBaselineObjects(s.meter, nil); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.close(tb) })
	s.attach(tb, cg, s.meter.MeterBegin)
	return s
}

func (s *setup) attach(tb testing.TB, cg *testkit.Cgroup, p *ebpf.Program) {
	tb.Helper()
	l, err := link.AttachCgroup(link.CgroupOptions{Path: cg.Path, Attach: ebpf.AttachCGroupSockOps, Program: p})
	if err != nil {
		tb.Fatal(err)
	}
	s.links = append(s.links, l)
}

// close takes everything out of the cgroup, once.
func (s *setup) close(tb testing.TB) {
	tb.Helper()
	if s.meter == nil {
		return
	}
	if s.disable != nil {
		s.disable()
	}
	for _, l := range s.links {
		l.Close()
	}
	for _, p := range s.owned {
		p.Close()
	}
	s.meter.Close()
	s.meter = nil
}

// attachNothing measures the meter itself.
func attachNothing(tb testing.TB, cg *testkit.Cgroup) *setup {
	tb.Helper()
	s := newSetup(tb, cg)
	s.sockops = s.meter.MeterNothing
	s.attach(tb, cg, s.sockops)
	s.attach(tb, cg, s.meter.MeterEnd)
	return s
}

// attachBaseline accelerates as everybody does.
func attachBaseline(tb testing.TB, cg *testkit.Cgroup) *setup {
	tb.Helper()
	s := newSetup(tb, cg)
	s.verdict, s.sockops = s.meter.BaselineMsg, s.meter.BaselineSockops
	if err := s.meter.AttachVerdict(); err != nil {
		tb.Fatal(err)
	}
	s.attach(tb, cg, s.sockops)
	s.attach(tb, cg, s.meter.MeterEnd)
	return s
}

// attachOurs accelerates with the tool.
func attachOurs(tb testing.TB, cg *testkit.Cgroup, tool *testkit.Tool) *setup {
	tb.Helper()
	s := newSetup(tb, cg)
	s.disable = func() { tool.Disable(tb) }
	tool.Enable(tb, cg)
	open := func(name string) *ebpf.Program {
		p, err := ebpf.LoadPinnedProgram(filepath.Join(tool.StateDir, "progs", name), nil)
		if err != nil {
			tb.Fatal(err)
		}
		s.owned = append(s.owned, p)
		return p
	}
	s.verdict, s.sockops = open("sockaccel_stub"), open("sockaccel_sockops")
	s.setsockopt, s.evidence = open("sockaccel_setsockopt"), open("sockaccel_evidence")
	s.attach(tb, cg, s.meter.MeterEnd)
	return s
}
