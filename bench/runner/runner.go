// Package runner takes samples: it puts a sandbox into a mode, starts a
// scenario's servers in it, and measures.
package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/sockaccel/sockaccel/bench/driver"
	"github.com/sockaccel/sockaccel/bench/record"
	"github.com/sockaccel/sockaccel/bench/sandbox"
	"github.com/sockaccel/sockaccel/bench/scenario"
)

// Warmup precedes each measurement, and is not measured: readers become
// trusted, processors and runtimes settle. It is the same in all modes.
const Warmup = 300 * time.Millisecond

// Runner takes samples in a sandbox.
type Runner struct {
	Box      *sandbox.Sandbox
	Exe      string // the tool, for the built-in load
	Port     int    // see scenario.Stage
	Programs map[string]driver.Program
}

// Sample takes one sample with servers and clients of its own.
func (r *Runner) Sample(ctx context.Context, of *scenario.Scenario, step Step) (_ record.Sample, err error) {
	leave, err := r.Box.Enter(ctx, step.Mode)
	if err != nil {
		return record.Sample{}, err
	}
	defer func() { err = errors.Join(err, leave()) }()
	dir, err := os.MkdirTemp(r.Box.Dir, "sample-")
	if err != nil {
		return record.Sample{}, err
	}
	defer os.RemoveAll(dir)
	rig, err := of.Start(ctx, scenario.Stage{
		Inside: r.Box.Inside, Outside: r.Box.Outside, Dir: dir, Exe: r.Exe, Port: r.Port, Programs: r.Programs,
	}, step.Case, step.Mode)
	if err != nil {
		return record.Sample{}, err
	}
	defer rig.Stop()
	if err := rig.Warm(ctx, Warmup); err != nil {
		return record.Sample{}, err
	}
	s, err := r.measure(ctx, rig, step)
	s.Scenario, s.Case, s.Mode, s.Block = step.Case.Scenario, step.Case.Name, step.Mode, step.Block
	if err == nil && s.Operations == 0 {
		err = fmt.Errorf("%s, %s: no answer in %s: %s", s.ID(), s.Mode, duration(step.Case), cmp.Or(s.FirstError, "the machine is too busy"))
	}
	return s, err
}

func (r *Runner) measure(ctx context.Context, rig scenario.Rig, step Step) (record.Sample, error) {
	before, err := r.read(step.Mode)
	if err != nil {
		return record.Sample{}, err
	}
	var after counters
	var readErr error
	ended := sync.OnceFunc(func() { after, readErr = r.read(step.Mode) })
	result, err := rig.Measure(ctx, Warmup, duration(step.Case), ended)
	ended()
	if err := cmp.Or(err, readErr); err != nil {
		return record.Sample{}, err
	}
	return record.Sample{
		Measurement: result.Measurement, SentMessages: result.SentMessages,
		CPUSeconds: (after.cpu - before.cpu).Seconds(), Counted: after.since(before),
	}, nil
}

func duration(c record.Case) time.Duration {
	return time.Duration(c.DurationSeconds * float64(time.Second))
}
