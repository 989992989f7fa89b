package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/sockaccel/sockaccel/bench/demo"
	"github.com/sockaccel/sockaccel/bench/load"
	"github.com/sockaccel/sockaccel/bench/runner"
	"github.com/sockaccel/sockaccel/internal/engine"
)

// Many short rounds rather than few long ones: off and on are compared next to
// each other, so what else the machine does is more alike. In all, 30 s.
const (
	defaultRounds            = 7
	defaultTime              = 700 * time.Millisecond
	maxDemoRounds            = 100
	minDemoTime, maxDemoTime = 100 * time.Millisecond, time.Minute
)

func demoCommand(e env) *cli.Command {
	return &cli.Command{
		Name:  "demo",
		Usage: "show on this machine what acceleration does, and leave nothing behind",
		Description: `Runs a verified load of its own in a cgroup of its own, with acceleration off
   and on in random order, and prints one table: requests per second and latency
   before and after, the median of the blocks' ratios (~ where they do not agree),
   and the share of messages that was redirected. Nothing else is accelerated.
   Examples:
   sockaccel demo
   sockaccel demo --rounds 15 --duration 2s
   sockaccel demo --json > demo.json`,
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "rounds", Usage: "run `N` blocks, each with off and on of every load", Value: defaultRounds},
			&cli.DurationFlag{Name: "duration", Usage: "measure each for `TIME`", Value: defaultTime},
			jsonFlag(),
		},
		Action: func(c *cli.Context) error { return runDemo(c, e) },
	}
}

func runDemo(c *cli.Context, e env) error {
	o, err := demoOptions(c, e)
	if err != nil {
		return err
	}
	ctx, stop := untilSignal(c.Context)
	defer stop()
	report, err := demo.Run(ctx, o)
	if err != nil {
		return interrupted(ctx, err)
	}
	for _, warning := range report.Warnings() {
		fmt.Fprintf(e.stderr, "warning: %s\n", warning)
	}
	if c.Bool("json") {
		return printJSON(e, report)
	}
	return report.WriteText(e.stdout)
}

func demoOptions(c *cli.Context, e env) (demo.Options, error) {
	o := demo.Options{
		Version: version, Exe: "/proc/self/exe", Rounds: c.Int("rounds"), Duration: c.Duration("duration"),
		Seed: rand.Uint64(), Progress: runner.NewProgress(e.stderr, isTerminal(e.stderr)),
	}
	if err := noArgs(c); err != nil {
		return o, err
	}
	if o.Rounds < 1 || o.Rounds > maxDemoRounds {
		return o, usagef("--rounds %d: must be a number from 1 to %d", o.Rounds, maxDemoRounds)
	}
	if o.Duration < minDemoTime || o.Duration > maxDemoTime {
		return o, usagef("--duration %s: must be from %s to %s", o.Duration, minDemoTime, maxDemoTime)
	}
	if err := engine.CheckHost(); err != nil {
		return o, err
	}
	var err error
	o.CgroupRoot, err = cgroupRoot(c)
	return o, err
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// loadCommand is a load process of the demonstration, see bench/load. Its
// input ends when whoever started it is gone, and so does it.
func loadCommand(e env) *cli.Command {
	return &cli.Command{
		Name: load.ProcessCommand, Hidden: true,
		Action: func(c *cli.Context) error {
			run := map[string]func(context.Context, io.Reader, io.Writer) error{
				load.ServerRole: load.RunServer, load.ClientRole: load.ServeCommands,
			}[c.Args().First()]
			if run == nil || c.NArg() != 1 {
				return usagef("usage: sockaccel %s %s|%s", load.ProcessCommand, load.ServerRole, load.ClientRole)
			}
			return run(c.Context, os.Stdin, e.stdout)
		},
	}
}
