// Package demo shows what acceleration does on this machine, in seconds: a
// small benchmark with verified loads of its own.
package demo

import (
	"context"
	"time"

	"github.com/sockaccel/sockaccel/bench/load"
	"github.com/sockaccel/sockaccel/bench/record"
	"github.com/sockaccel/sockaccel/bench/runner"
	"github.com/sockaccel/sockaccel/bench/sandbox"
	"github.com/sockaccel/sockaccel/bench/scenario"
)

// Options of a demonstration; see session.Options.
type Options struct {
	CgroupRoot string        // the cgroup v2 mount
	Version    string        // of the tool
	Exe        string        // the tool, for the load processes
	Rounds     int           // blocks, each with off and on of every workload
	Duration   time.Duration // of what is measured in a round
	Seed       uint64        // of the random order
	Progress   *runner.Progress
}

// workload is a scenario; its name is what the table calls it.
type workload struct {
	*scenario.Scenario
	kind string
}

// Several connections each, so that neither side sleeps after each message:
// what is measured is work and not how long a processor takes to wake up.
var workloads = []workload{
	newDemoLoad("HTTP keep-alive 1 KB", load.KindHTTP, 1024),
	newDemoLoad("64-byte req/response", load.KindRR, 64),
}

func newDemoLoad(name, kind string, size int) workload {
	return workload{scenario.BuiltIn(name, kind, record.Case{Connections: 16, Size: size}), kind}
}

// Run demonstrates. Whatever happens, it cleans up before it returns.
func Run(ctx context.Context, o Options) (_ *Report, err error) {
	defer o.Progress.End()
	risks, err := runner.FindRisks()
	if err != nil {
		return nil, err
	}
	risks.Explain(o.Progress)
	box, err := sandbox.New(sandbox.Options{
		Name: "sockaccel-demo", Root: o.CgroupRoot, Parent: "/", Version: o.Version, Exe: o.Exe,
		Risks: risks.Names(), Notice: o.Progress.Note,
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = box.Remove(err) }()
	samples, err := sample(ctx, o, box)
	if err != nil {
		return nil, err
	}
	return newReport(o, risks, samples), nil
}

func sample(ctx context.Context, o Options, box *sandbox.Sandbox) ([]record.Sample, error) {
	of := make(map[string]*scenario.Scenario)
	var cases []record.Case
	for _, w := range workloads {
		of[w.Name] = w.Scenario
		cases = append(cases, w.Plan(scenario.Settings{Duration: o.Duration})...)
	}
	r := runner.Runner{Box: box, Exe: o.Exe}
	plan := runner.Schedule(cases, o.Rounds, o.Seed)
	var samples []record.Sample
	for i, step := range plan {
		o.Progress.Step(plan, i)
		s, err := r.Sample(ctx, of[step.Case.Scenario], step)
		if err != nil {
			return nil, err
		}
		samples = append(samples, s)
	}
	return samples, nil
}
