// Package session is a whole benchmark: from the choice of scenarios to the
// complete recording.
package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/sockaccel/sockaccel/bench/driver"
	"github.com/sockaccel/sockaccel/bench/environ"
	"github.com/sockaccel/sockaccel/bench/record"
	"github.com/sockaccel/sockaccel/bench/runner"
	"github.com/sockaccel/sockaccel/bench/sandbox"
	"github.com/sockaccel/sockaccel/bench/scenario"
)

// Options of a benchmark. The number of rounds is fixed beforehand: whoever
// stops when the numbers please has measured nothing.
type Options struct {
	Scenarios []*scenario.Scenario
	scenario.Settings
	Rounds     int      // blocks, each with every case in every mode
	Port       int      // first of the TCP ports of real servers, 0 for free ones
	CgroupRoot string   // the cgroup v2 mount
	Parent     string   // cgroup below which the benchmark's is made
	Version    string   // of the tool
	Exe        string   // the tool
	Args       []string // of the command line, for the record
	Progress   *runner.Progress
}

// Session is a benchmark that can be run here.
type Session struct {
	o        Options
	programs map[string]driver.Program
	cases    []record.Case
	skips    []record.Skip
	risks    runner.Risks
}

// New finds out what of it can be run here. It is an error if nothing can.
func New(o Options) (*Session, error) {
	s := &Session{o: o, programs: make(map[string]driver.Program)}
	var missing []error
	for _, sc := range o.Scenarios {
		if err := sc.Missing(s.programs); err != nil {
			missing = append(missing, fmt.Errorf("skipping %s: %w", sc.Name, err))
			s.skips = append(s.skips, record.Skip{Scenario: sc.Name, Reason: err.Error()})
			continue
		}
		s.cases = append(s.cases, sc.Plan(o.Settings)...)
	}
	if len(s.cases) == 0 {
		return nil, fmt.Errorf("nothing to run: %w", errors.Join(missing...))
	}
	for _, err := range missing {
		o.Progress.Note("%s", err)
	}
	var err error
	s.risks, err = runner.FindRisks()
	return s, err
}

// perSample is about what a sample takes besides what is measured.
const perSample = 2*runner.Warmup + 250*time.Millisecond

// Run takes all samples and writes them to out as they come. Whatever happens,
// it cleans up before it returns.
func (s *Session) Run(ctx context.Context, out io.Writer) (err error) {
	p := s.o.Progress
	defer p.End()
	s.risks.Explain(p)
	box, err := sandbox.New(sandbox.Options{
		Name: "sockaccel-bench", Root: s.o.CgroupRoot, Parent: s.o.Parent, Version: s.o.Version, Exe: s.o.Exe,
		Risks: s.risks.Names(), Notice: p.Note,
	})
	if err != nil {
		return err
	}
	defer func() { err = box.Remove(err) }()

	env, err := s.environment(box)
	if err != nil {
		return err
	}
	w, err := record.NewWriter(out, env)
	if err != nil {
		return err
	}
	for _, skip := range s.skips {
		if err := w.Skip(skip.Scenario, skip.Reason); err != nil {
			return err
		}
	}
	plan := runner.Schedule(s.cases, s.o.Rounds, env.Seed)
	p.Note("%d cases, %d samples in %d blocks: about %s", len(s.cases), len(plan), s.o.Rounds, estimate(plan))
	r := runner.Runner{Box: box, Exe: s.o.Exe, Port: s.o.Port, Programs: s.programs}
	for i, step := range plan {
		p.Step(plan, i)
		of, err := scenario.Find(step.Case.Scenario)
		if err != nil {
			return err
		}
		sample, err := r.Sample(ctx, of, step)
		if err != nil {
			return fmt.Errorf("%s, %s: %w", step.Case.ID(), step.Mode, err)
		}
		if err := w.Sample(sample); err != nil {
			return err
		}
	}
	return w.End(time.Now().UTC().Truncate(time.Second))
}

func estimate(plan []runner.Step) time.Duration {
	sum := time.Duration(len(plan)) * perSample
	for _, step := range plan {
		sum += time.Duration(step.Case.DurationSeconds * float64(time.Second))
	}
	return sum.Round(time.Second)
}

func (s *Session) environment(box *sandbox.Sandbox) (record.Environment, error) {
	others, err := box.SockOps()
	if err != nil {
		return record.Environment{}, err
	}
	host := environ.Host()
	host.FIONREAD, host.SockOps = s.risks.FIONREAD, others
	versions := make(map[string]string)
	for name, p := range s.programs {
		versions[name] = p.Version
	}
	return record.Environment{
		Version: s.o.Version, Revision: environ.Revision(), Args: s.o.Args,
		Started: time.Now().UTC().Truncate(time.Second), Rounds: s.o.Rounds,
		DurationSeconds: s.o.Duration.Seconds(), WarmupSeconds: runner.Warmup.Seconds(), Seed: rand.Uint64(),
		Cases: s.cases, AcceptedRisks: s.risks.Names(), Host: host, Programs: versions,
	}, nil
}
