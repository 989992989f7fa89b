package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/sockaccel/sockaccel/bench/runner"
	"github.com/sockaccel/sockaccel/internal/doctor"
)

func doctorCommand(e env) *cli.Command {
	return &cli.Command{
		Name:  "doctor",
		Usage: "find out by trying what this kernel can do, and leave nothing behind",
		Description: `Tries what acceleration needs, then acceleration itself, on connections of its
   own in a cgroup of its own. Exit code 0 when acceleration is safe here, with
   the risks that the last line names; 1 when not. Nothing else is accelerated.
   Examples:
   sockaccel doctor
   sockaccel doctor --json | jq -r '.accept_risk | join(",")'`,
		Flags:  []cli.Flag{jsonFlag()},
		Action: func(c *cli.Context) error { return runDoctor(c, e) },
	}
}

func runDoctor(c *cli.Context, e env) error {
	if err := noArgs(c); err != nil {
		return err
	}
	ctx, stop := untilSignal(c.Context)
	defer stop()
	report, err := examine(ctx, c, e)
	if err != nil {
		return interrupted(ctx, err)
	}
	if c.Bool("json") {
		err = printJSON(e, report)
	} else {
		err = report.WriteText(e.stdout)
	}
	if err == nil && !report.Safe {
		err = fmt.Errorf("acceleration is not safe here: see %s", strings.Join(report.Unsafe(), ", "))
	}
	return err
}

func examine(ctx context.Context, c *cli.Context, e env) (*doctor.Report, error) {
	progress := runner.NewProgress(e.stderr, isTerminal(e.stderr))
	defer progress.End()
	return doctor.Run(ctx, doctor.Options{
		StateDir: stateDir(c), CgroupRoot: c.String("cgroup-root"), Version: version, Exe: "/proc/self/exe",
		Progress: func(check string) { progress.Show("trying " + check) },
		Notice:   progress.Note,
		Detail: func(text string) {
			if c.Bool("verbose") {
				progress.Note("%s", text)
			}
		},
	})
}

// openerCommand opens sockets for doctor, in whose sandbox it is.
func openerCommand() *cli.Command {
	return &cli.Command{
		Name: doctor.OpenerCommand, Hidden: true,
		Action: func(*cli.Context) error { return doctor.Open() },
	}
}
