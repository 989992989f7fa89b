package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/sockaccel/sockaccel/internal/cgroup"
	"github.com/sockaccel/sockaccel/internal/engine"
	"github.com/sockaccel/sockaccel/internal/filter"
	"github.com/sockaccel/sockaccel/internal/state"
)

// maxConnectionsLimit keeps the maps within what the kernel can allocate.
const maxConnectionsLimit = 4 << 20

func scopeFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "cgroup", Usage: "cgroup v2 `DIR`, absolute or relative to the cgroup root (default: the root)"},
	}
}

func enableFlags() []cli.Flag {
	return append(scopeFlags(),
		&cli.StringSliceFlag{Name: "port", Usage: "only connections with a local or remote port `N[-M]`"},
		&cli.StringSliceFlag{Name: "exclude-port", Usage: "no connections with a local or remote port `N[-M]`"},
		&cli.StringSliceFlag{Name: "cidr", Usage: "only connections with a local or remote address in `NET`"},
		&cli.StringSliceFlag{Name: "exclude-cidr", Usage: "no connections with a local or remote address in `NET`"},
		&cli.Int64Flag{Name: "max-connections", Usage: "accelerate at most `N` connections at a time", Value: engine.DefaultMaxConnections},
		&cli.BoolFlag{Name: "no-adopt", Usage: "leave alone connections that could not be accelerated at their birth"},
		&cli.StringFlag{Name: "splice-guard", Usage: "how splice(2) readers are kept out: auto, guard or evidence", Value: "auto"},
		riskFlag(),
	)
}

func riskFlag() cli.Flag {
	return &cli.StringFlag{Name: "accept-risk", Usage: "accept what this kernel cannot exclude: `LIST` of splice, fionread, blocking", EnvVars: []string{"SOCKACCEL_ACCEPT_RISK"}}
}

func acceptedRisks(c *cli.Context) ([]string, error) {
	risks, err := engine.ParseRisks(c.String("accept-risk"))
	if err != nil {
		return nil, usageError{fmt.Errorf("--accept-risk: %w", err)}
	}
	return risks, nil
}

// notice prints what happens beside what was asked for.
func notice(e env) func(string) {
	return func(line string) { fmt.Fprintln(e.stderr, line) }
}

func enableCommand(e env) *cli.Command {
	return &cli.Command{
		Name:  "enable",
		Usage: "accelerate local TCP connections",
		Description: `Examples:
   sockaccel enable
   sockaccel enable --cgroup system.slice --exclude-port 22
   sockaccel enable --cgroup /sys/fs/cgroup/web --port 80,8000-8010`,
		Flags: enableFlags(),
		Action: func(c *cli.Context) error {
			opts, err := enableOptions(c, e)
			if err != nil {
				return err
			}
			s, err := engine.Enable(c.Context, opts, engine.Detached)
			if err != nil {
				return err
			}
			defer s.Close()
			return announce(e, s)
		},
	}
}

// announce says on stderr what is accelerated now.
func announce(e env, s *state.State) error {
	meta, err := s.Meta()
	if err != nil {
		return err
	}
	names := make([]string, len(meta.Scopes))
	for i, cg := range meta.Scopes {
		names[i] = cg.Name
	}
	fmt.Fprintf(e.stderr, "accelerating cgroups: %s (splice guard: %s, accepted risks: %s)\n",
		strings.Join(names, ", "), meta.SpliceGuard, cmp.Or(strings.Join(meta.AcceptedRisks, ", "), "none"))
	return nil
}

func enableOptions(c *cli.Context, e env) (engine.Options, error) {
	o := engine.Options{StateDir: stateDir(c), Version: version, Notice: notice(e)}
	if err := noArgs(c); err != nil {
		return o, err
	}
	if c.IsSet("max-connections") {
		n := c.Int64("max-connections")
		if n < 1 || n > maxConnectionsLimit {
			return o, usagef("--max-connections %d: must be a number from 1 to %d", n, maxConnectionsLimit)
		}
		o.MaxConnections = uint32(n)
	}
	if c.IsSet("no-adopt") {
		noAdopt := c.Bool("no-adopt")
		o.NoAdopt = &noAdopt
	}
	switch guard := c.String("splice-guard"); guard {
	case "auto":
	case state.GuardOn, state.GuardEvidence:
		o.SpliceGuard = guard
	default:
		return o, usagef("--splice-guard %q: must be auto, guard or evidence", guard)
	}
	var err error
	if o.AcceptedRisks, err = acceptedRisks(c); err != nil {
		return o, err
	}
	if o.Filters, err = filters(c); err != nil {
		return o, usageError{err}
	}
	if o.Scopes, err = scopes(c); err != nil {
		return o, err
	}
	if err := engine.CheckHost(); err != nil {
		return o, err
	}
	notice, err := engine.PrepareStateDir(o.StateDir)
	if notice != "" {
		fmt.Fprintln(e.stderr, notice)
	}
	return o, err
}

// filters is nil when no filter flag was given: the present ones stay then.
func filters(c *cli.Context) (*filter.Set, error) {
	if !slices.ContainsFunc([]string{"port", "exclude-port", "cidr", "exclude-cidr"}, c.IsSet) {
		return nil, nil
	}
	var set filter.Set
	var errs [4]error
	set.Ports, errs[0] = filter.ParsePorts(c.StringSlice("port"))
	set.ExcludePorts, errs[1] = filter.ParsePorts(c.StringSlice("exclude-port"))
	set.CIDRs, errs[2] = filter.ParseCIDRs(c.StringSlice("cidr"))
	set.ExcludeCIDRs, errs[3] = filter.ParseCIDRs(c.StringSlice("exclude-cidr"))
	return &set, errors.Join(errs[:]...)
}

// scopes resolves the scope flags; without any it is the cgroup v2 root.
func scopes(c *cli.Context) ([]cgroup.Cgroup, error) {
	root, err := cgroupRoot(c)
	if err != nil {
		return nil, err
	}
	args := c.StringSlice("cgroup")
	if len(args) == 0 {
		args = []string{"/"}
	}
	var found []cgroup.Cgroup
	for _, arg := range args {
		if arg == "" {
			return nil, usagef("--cgroup \"\": is empty: name a cgroup, or / for the root")
		}
		cg, err := cgroup.Resolve(root, arg)
		if err != nil {
			return nil, err
		}
		found = append(found, cg)
	}
	return found, nil
}

func disableCommand(e env) *cli.Command {
	return &cli.Command{
		Name:  "disable",
		Usage: "stop accelerating, without losing, reordering or stalling anything",
		Description: `Without a scope everything ends. Examples:
   sockaccel disable
   sockaccel disable --cgroup system.slice
   sockaccel disable --force`,
		Flags: append(scopeFlags(),
			&cli.DurationFlag{Name: "drain-timeout", Usage: "wait at most this long for readers with unread data", Value: 10 * time.Second},
			&cli.BoolFlag{Name: "force", Usage: "give up a state that is damaged, or of a version that is not understood"}),
		Action: func(c *cli.Context) error { return disable(c, e) },
	}
}

func disable(c *cli.Context, e env) error {
	if err := noArgs(c); err != nil {
		return err
	}
	if c.Duration("drain-timeout") < 0 {
		return usagef("--drain-timeout %s: must not be negative", c.Duration("drain-timeout"))
	}
	var only []cgroup.Cgroup
	if c.IsSet("cgroup") {
		var err error
		if only, err = scopes(c); err != nil {
			return err
		}
	}
	err := engine.Disable(c.Context, stateDir(c), only, c.Duration("drain-timeout"))
	var unusable *state.Unusable
	if errors.As(err, &unusable) && c.Bool("force") {
		fmt.Fprintf(e.stderr, "giving up the state, which %s\n", unusable.Why)
		err = engine.ForceDisable(c.Context, stateDir(c))
	}
	var busy *engine.Busy
	switch {
	case errors.Is(err, state.ErrDisabled):
		fmt.Fprintln(e.stderr, "not enabled")
		return nil
	case errors.As(err, &busy):
		fmt.Fprintf(e.stderr, "disabled; %s\n", busy)
		return nil
	case err != nil:
		return err
	}
	fmt.Fprintln(e.stderr, "disabled")
	return nil
}
