package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/urfave/cli/v2"

	"github.com/sockaccel/sockaccel/internal/cgroup"
)

// Exit codes; `status` of something that is not enabled is not a failure.
const (
	exitFailed = 1
	exitUsage  = 2
)

// env is what a run may touch of its process.
type env struct {
	args           []string
	stdout, stderr io.Writer
	getenv         func(string) string
}

// usageError is wrong usage: exit code 2.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// sockaccel runs the command line and returns the exit code.
func sockaccel(ctx context.Context, e env) int {
	// urfave/cli v2: the field's usual choice, kept for its plain flag types.
	// It would exit by itself and print usage errors to stdout: not here.
	app := &cli.App{
		Name:            "sockaccel",
		Usage:           "make TCP between processes of this host fast, safely",
		HideHelpCommand: true,
		HideVersion:     true,
		Writer:          e.stdout,
		ErrWriter:       e.stderr,
		ExitErrHandler:  func(*cli.Context, error) {},
		OnUsageError:    onUsageError,
		Flags:           globalFlags(),
		Commands: []*cli.Command{
			enableCommand(e), disableCommand(e), statusCommand(e), runCommand(e), upgradeCommand(e),
			benchCommand(e), demoCommand(e), doctorCommand(e), versionCommand(e),
			sidecarCommand(e), supervisorCommand(e), loadCommand(e), keeperCommand(), openerCommand(),
		},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return usagef("unknown command %q: see sockaccel --help", c.Args().First())
			}
			return cli.ShowAppHelp(c)
		},
		Before: checkGlobals,
	}
	strict(app.Commands)
	err := app.RunContext(ctx, flagsFirst(app, e.args))
	if err == nil {
		return 0
	}
	var verifier *ebpf.VerifierError
	if errors.As(err, &verifier) && verbose(e.args) {
		fmt.Fprintf(e.stderr, "%+v\n", verifier)
	}
	fmt.Fprintf(e.stderr, "sockaccel: %s\n", oneLine(err))
	var usage usageError
	if errors.As(err, &usage) {
		return exitUsage
	}
	return exitFailed
}

// strict makes usage errors of commands ours.
func strict(commands []*cli.Command) {
	for _, cmd := range commands {
		cmd.OnUsageError = onUsageError
		cmd.HideHelpCommand = true
		strict(cmd.Subcommands)
	}
}

func onUsageError(_ *cli.Context, err error, _ bool) error { return usageError{err} }

// oneLine keeps joined errors on one line, for logs and for eyes.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

func verbose(args []string) bool {
	for _, arg := range args {
		if arg == "-v" || arg == "--verbose" {
			return true
		}
	}
	return false
}

func globalFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "state-dir", Usage: "bpffs `DIR` that holds the state; several instances can coexist", Value: "/sys/fs/bpf/sockaccel", EnvVars: []string{"SOCKACCEL_STATE_DIR"}},
		&cli.StringFlag{Name: "cgroup-root", Usage: "cgroup v2 mount `DIR` (default: from the mount table)", EnvVars: []string{"SOCKACCEL_CGROUP_ROOT"}},
		&cli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, Usage: "tell more on stderr"},
	}
}

func checkGlobals(c *cli.Context) error {
	dir := c.String("state-dir")
	if !filepath.IsAbs(dir) || filepath.Clean(dir) == "/" {
		return usagef("state dir %q must be an absolute path on a bpf filesystem, such as /sys/fs/bpf/sockaccel", dir)
	}
	return nil
}

func stateDir(c *cli.Context) string { return filepath.Clean(c.String("state-dir")) }

// cgroupRoot is the cgroup v2 mount.
func cgroupRoot(c *cli.Context) (string, error) {
	if root := c.String("cgroup-root"); root != "" {
		return root, nil
	}
	return cgroup.FindRoot()
}

func logger(c *cli.Context, e env) *slog.Logger {
	level := slog.LevelInfo
	if c.Bool("verbose") {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(e.stderr, &slog.HandlerOptions{Level: level}))
}

func noArgs(c *cli.Context) error {
	if c.Args().Present() {
		return usagef("unexpected argument %q: see sockaccel %s --help", c.Args().First(), c.Command.Name)
	}
	return nil
}
