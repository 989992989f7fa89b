package main

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/sockaccel/sockaccel/internal/engine"
	"github.com/sockaccel/sockaccel/internal/state"
)

func upgradeCommand(e env) *cli.Command {
	return &cli.Command{
		Name:  "upgrade",
		Usage: "make this version serve what is enabled, live connections too",
		Description: `Scopes, filters and settings stay. Where the data of both versions is the same,
   programs and sidecar are replaced under accelerated connections; otherwise these
   return to TCP and are adopted anew. When it fails, the old version goes on serving.
   An older version is put back in the same way. Examples:
      sockaccel upgrade
      sockaccel -v upgrade --accept-risk splice
      sockaccel upgrade --force`,
		Flags: []cli.Flag{
			riskFlag(),
			&cli.BoolFlag{Name: "force", Usage: "give up a state that is damaged, or of a version that is not understood, and start over with its settings"},
		},
		Action: func(c *cli.Context) error { return upgrade(c, e) },
	}
}

func upgrade(c *cli.Context, e env) error {
	if err := noArgs(c); err != nil {
		return err
	}
	o := engine.Options{StateDir: stateDir(c), Version: version, Notice: notice(e)}
	var err error
	if o.AcceptedRisks, err = acceptedRisks(c); err != nil {
		return err
	}
	if c.Bool("verbose") {
		o.OnStep = func(step string) error {
			fmt.Fprintln(e.stderr, "step", step)
			return nil
		}
	}
	if err := engine.CheckHost(); err != nil {
		return err
	}
	err = engine.Upgrade(c.Context, o)
	var unusable *state.Unusable
	if errors.As(err, &unusable) && c.Bool("force") {
		err = engine.ForceUpgrade(c.Context, o)
	}
	if errors.Is(err, state.ErrDisabled) {
		fmt.Fprintln(e.stderr, "not enabled")
		return nil
	}
	return err
}
