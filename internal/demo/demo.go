// Package demo shows what acceleration does on this machine: a verified load
// in a cgroup of its own, with acceleration off and on in turn. It touches
// nothing else and leaves nothing behind.
package demo

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/sockaccel/sockaccel/bench/load"
	"github.com/sockaccel/sockaccel/internal/status"
)

// Options of a demonstration. The number of rounds is fixed beforehand:
// whoever stops when the numbers please has measured nothing.
type Options struct {
	CgroupRoot string        // the cgroup v2 mount
	Version    string        // of the tool
	Exe        string        // the tool, for the load processes
	Rounds     int           // blocks, each with off and on of every workload
	Duration   time.Duration // of what is measured in a round
	Progress   io.Writer
	Terminal   bool // whether Progress is one
}

// workload is a load and how it is called in the table.
type workload struct {
	name    string
	command load.Command // without address
	address func(load.Addrs) string
}

// Several connections each, so that neither side sleeps after each message:
// what is measured is work and not how long a processor takes to wake up.
var workloads = []workload{
	{"HTTP keep-alive 1 KB", load.Command{Kind: load.KindHTTP, Connections: 16, Size: 1024},
		func(a load.Addrs) string { return a.HTTP }},
	{"64-byte req/response", load.Command{Kind: load.KindRR, Connections: 16},
		func(a load.Addrs) string { return a.RR }},
}

const (
	// warmup is how long a connection is used before it is measured:
	// processors and runtimes settle meanwhile, on or off.
	warmup = 200 * time.Millisecond
	// learning is one round of being seen to read. Readers become trusted by
	// that, but a listener that was there before is known only after the
	// first adoption pass: so rounds follow each other until a connection is
	// accelerated at its birth, or until this does not seem to happen.
	learning  = 40 * time.Millisecond
	maxRounds = 50
)

// sample is one round.
type sample struct {
	load.Result
	// Of what was sent while acceleration was on; each exchange is two messages.
	redirected uint64
	counted    *status.Status
}

func (s sample) rate() float64 { return float64(s.Messages) / s.ElapsedSeconds }

func (s sample) sent() uint64 { return 2 * uint64(s.AllMessages) }

// Run demonstrates. Whatever happens, it cleans up before it returns.
func Run(ctx context.Context, o Options) (_ *Report, err error) {
	p := newProgress(o.Progress, o.Terminal)
	defer p.end()
	risks, err := findRisks()
	if err != nil {
		return nil, err
	}
	risks.explain(p)
	box, err := newSandbox(o, risks.names(), p)
	if err != nil {
		return nil, err
	}
	defer func() { err = box.cleanUp(err) }()
	if err := box.start(ctx); err != nil {
		return nil, err
	}
	samples := newSamples()
	plan := schedule(o.Rounds, len(workloads))
	for i, step := range plan {
		p.show("block %d of %d: %s, acceleration %s", step.block+1, o.Rounds, workloads[step.workload].name, onOff(step.on))
		s, err := box.round(ctx, step)
		if err != nil {
			return nil, err
		}
		samples.add(step, s)
		if i+1 == len(plan) || plan[i+1].block != step.block {
			p.block(step.block, o.Rounds, samples)
		}
	}
	return newReport(o, risks, samples), nil
}

// round runs one step of the plan. Acceleration is off before and after it.
func (b *sandbox) round(ctx context.Context, s step) (_ sample, err error) {
	w := workloads[s.workload]
	c := w.command
	c.Addr = w.address(b.addrs)
	c.Seconds, c.WarmupSeconds = b.o.Duration.Seconds(), warmup.Seconds()
	if s.on {
		if err := b.enable(ctx); err != nil {
			return sample{}, err
		}
	}
	if err := b.learn(ctx, c, s.on); err != nil {
		return sample{}, err
	}
	before, err := b.status()
	if err != nil {
		return sample{}, err
	}
	result, err := b.load(ctx, c)
	if err != nil {
		return sample{}, err
	}
	if result.Messages == 0 {
		return sample{}, fmt.Errorf("%s load: no answer in %s: the machine is too busy", c.Kind, b.o.Duration)
	}
	after, err := b.status()
	if err != nil {
		return sample{}, err
	}
	if s.on {
		err = b.disable(ctx)
	}
	return sample{
		Result: result, redirected: after.Messages.Redirected - before.Messages.Redirected, counted: after,
	}, err
}

// learn uses connections, one by one, until the readers are trusted; about as
// much is done where there is nothing to be learnt.
func (b *sandbox) learn(ctx context.Context, c load.Command, on bool) error {
	c.Connections, c.Seconds, c.WarmupSeconds = 1, learning.Seconds(), -1
	for n := range maxRounds {
		if _, err := b.load(ctx, c); err != nil {
			return err
		}
		if !on && n == 2 {
			return nil
		}
		st, err := b.status()
		if err != nil {
			return err
		}
		if st.Connections.PairedTotal > st.Connections.AdoptedTotal {
			return nil
		}
	}
	return nil
}

// load runs a command and takes any failed connection for a failure of all.
func (b *sandbox) load(ctx context.Context, c load.Command) (load.Result, error) {
	r, err := b.client.Run(ctx, c)
	if err == nil && r.Errors > 0 {
		err = fmt.Errorf("%s load: %d of %d connections failed or received wrong content: %s",
			c.Kind, r.Errors, c.Connections, r.FirstError)
	}
	return r, err
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}
