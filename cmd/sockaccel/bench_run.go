package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/sockaccel/sockaccel/bench/report"
	"github.com/sockaccel/sockaccel/bench/runner"
	"github.com/sockaccel/sockaccel/bench/sandbox"
	"github.com/sockaccel/sockaccel/bench/scenario"
	"github.com/sockaccel/sockaccel/bench/session"
	"github.com/sockaccel/sockaccel/internal/engine"
)

const (
	defaultBenchRounds             = 10
	defaultBenchTime               = time.Second
	minBenchRounds, maxBenchRounds = 2, 1000
	minBenchTime, maxBenchTime     = 100 * time.Millisecond, 10 * time.Minute
	maxBenchConnections            = 10_000
	benchPorts                     = 3 // that a scenario needs at most
)

func benchRunCommand(e env) *cli.Command {
	return &cli.Command{
		Name:      "run",
		Usage:     "take samples with acceleration off and on in random order, and report",
		ArgsUsage: "[SCENARIO]...",
		Description: `Runs the scenarios (all of them if none is named) in a cgroup of its own, writes
   every sample to a file, and prints the report of it. Nothing else is accelerated.
   Examples:
   sockaccel bench run
   sockaccel bench run --baseline http-lb http-lb-keepalive rr stream connect
   sockaccel bench run --rounds 20 --duration 3s --connections 32 --out rr.jsonl rr`,
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "rounds", Usage: "run `N` blocks, each with every case off and on; 6 at least for intervals", Value: defaultBenchRounds},
			&cli.DurationFlag{Name: "duration", Usage: "measure each sample for `TIME`, of real programs three times as long", Value: defaultBenchTime},
			&cli.IntFlag{Name: "connections", Usage: "use `N` connections in every case instead of its own number"},
			&cli.BoolFlag{Name: "baseline", Usage: "also run the usual 4-tuple program, which is fast and unsafe"},
			&cli.StringFlag{Name: "out", Usage: "write the samples to `FILE`, which must not exist (default: sockaccel-bench-DATE-TIME.jsonl)"},
			&cli.IntFlag{Name: "port", Usage: "let nginx and redis listen on `N` and the ports above it (default: free ones)"},
			&cli.StringFlag{Name: "cgroup", Usage: "make the benchmark's cgroup below cgroup v2 `DIR` (default: the cgroup root)", Value: "/"},
		},
		Action: func(c *cli.Context) error { return benchRun(c, e) },
	}
}

func benchRun(c *cli.Context, e env) error {
	o, err := benchOptions(c, e)
	if err != nil {
		return err
	}
	ctx, stop := untilSignal(c.Context)
	defer stop()
	s, err := session.New(o)
	if err != nil {
		return err
	}
	name := c.String("out")
	if name == "" {
		name = time.Now().Format("sockaccel-bench-20060102-150405.jsonl")
	}
	file, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists already: name another file with --out", name)
	} else if err != nil {
		return fmt.Errorf("create recording: %w", err)
	}
	defer file.Close()
	if err := s.Run(ctx, file); err != nil {
		keep(file, e)
		return interrupted(ctx, err)
	}
	fmt.Fprintf(e.stderr, "samples are in %s\n", name)
	rec, err := readRecording(name)
	if err != nil {
		return err
	}
	return report.New(rec).WriteText(e.stdout)
}

// keep leaves the recording of a benchmark that failed to its owner, unless
// there is nothing in it.
func keep(file *os.File, e env) {
	if info, err := file.Stat(); err == nil && info.Size() == 0 {
		_ = os.Remove(file.Name())
		return
	}
	fmt.Fprintf(e.stderr, "the samples so far are in %s, which is not complete\n", file.Name())
}

// untilSignal ends with what ends a benchmark: it must not keep us from
// cleaning up, be it a closed terminal, or a pipe that nobody reads any more
// (then writing just fails).
func untilSignal(parent context.Context) (context.Context, func()) {
	ctx, stop := signal.NotifyContext(parent, syscall.SIGHUP, syscall.SIGQUIT)
	broken := make(chan os.Signal, 1)
	signal.Notify(broken, syscall.SIGPIPE)
	return ctx, func() {
		signal.Stop(broken)
		stop()
	}
}

// interrupted replaces the consequences of an interruption by a word.
func interrupted(ctx context.Context, err error) error {
	var left *sandbox.CleanUpError
	if ctx.Err() != nil && !errors.As(err, &left) {
		return errors.New("interrupted; nothing is left behind")
	}
	return err
}

func benchOptions(c *cli.Context, e env) (session.Options, error) {
	o := session.Options{
		Settings: scenario.Settings{
			Duration: c.Duration("duration"), Connections: c.Int("connections"), Baseline: c.Bool("baseline"),
		},
		Rounds: c.Int("rounds"), Port: c.Int("port"), Parent: c.String("cgroup"),
		Version: version, Exe: "/proc/self/exe", Args: e.args,
		Progress: runner.NewProgress(e.stderr, isTerminal(e.stderr)),
	}
	names := c.Args().Slice()
	for _, name := range names {
		s, err := scenario.Find(name)
		if err != nil {
			return o, usageError{err}
		}
		o.Scenarios = append(o.Scenarios, s)
	}
	if len(names) == 0 {
		for i := range scenario.All {
			o.Scenarios = append(o.Scenarios, &scenario.All[i])
		}
	}
	switch {
	case o.Rounds < minBenchRounds || o.Rounds > maxBenchRounds:
		return o, usagef("--rounds %d: must be a number from %d to %d", o.Rounds, minBenchRounds, maxBenchRounds)
	case o.Duration < minBenchTime || o.Duration > maxBenchTime:
		return o, usagef("--duration %s: must be from %s to %s", o.Duration, minBenchTime, maxBenchTime)
	case c.IsSet("connections") && (o.Connections < 1 || o.Connections > maxBenchConnections):
		return o, usagef("--connections %d: must be a number from 1 to %d", o.Connections, maxBenchConnections)
	case c.IsSet("port") && (o.Port < 1 || o.Port > 65536-benchPorts):
		return o, usagef("--port %d: must be a number from 1 to %d", o.Port, 65536-benchPorts)
	case o.Parent == "":
		return o, usagef("--cgroup \"\": is empty: name a cgroup, or / for the root")
	}
	if err := engine.CheckHost(); err != nil {
		return o, err
	}
	var err error
	o.CgroupRoot, err = cgroupRoot(c)
	return o, err
}

// keeperCommand removes what a killed benchmark left, see bench/sandbox.
func keeperCommand() *cli.Command {
	return &cli.Command{
		Name: sandbox.KeeperCommand, Hidden: true,
		Action: func(*cli.Context) error { return sandbox.Keep(os.Stdin) },
	}
}
