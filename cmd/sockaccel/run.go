package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/sockaccel/sockaccel/internal/engine"
	"github.com/sockaccel/sockaccel/internal/sidecar"
	"github.com/sockaccel/sockaccel/internal/state"
)

func runCommand(e env) *cli.Command {
	return &cli.Command{
		Name:  "run",
		Usage: "accelerate, with the sidecar in the foreground (systemd, containers)",
		Description: `Takes the flags of enable. When it ends, connections return to TCP within
   seconds; the next run or enable takes them over, disable removes everything.
   Examples:
      sockaccel run
      sockaccel -v run --cgroup system.slice --exclude-port 22`,
		Flags:  enableFlags(),
		Action: func(c *cli.Context) error { return runForeground(c, e) },
	}
}

func runForeground(c *cli.Context, e env) error {
	opts, err := enableOptions(c, e)
	if err != nil {
		return err
	}
	opts.Foreground = true
	ctx, cancel := context.WithCancel(c.Context)
	defer cancel()
	ended := make(chan error, 1)
	nurse := func(_ context.Context, s *state.State) error {
		own, err := state.Open(s.Dir)
		if err != nil {
			return err
		}
		ready := make(chan struct{})
		go func() {
			defer own.Close()
			ended <- nurseUntilDone(ctx, own, logger(c, e), func() { close(ready) })
		}()
		select {
		case <-ready:
			return nil
		case err := <-ended:
			return err
		}
	}
	s, err := engine.Enable(ctx, opts, nurse)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := announce(e, s); err != nil {
		return err
	}
	return <-ended
}

// nurseUntilDone runs the sidecar; that the state was removed under it is the
// regular end.
func nurseUntilDone(ctx context.Context, s *state.State, log *slog.Logger, ready func()) error {
	// A small heap that is given back: the sidecar is meant to be forgotten.
	debug.SetGCPercent(20)
	err := sidecar.Run(ctx, s, log, ready)
	switch {
	case errors.Is(err, state.ErrDisabled):
		return nil
	case errors.Is(err, unix.EWOULDBLOCK):
		return fmt.Errorf("a sidecar runs for %s already (pid %d): stop it with: sockaccel disable", s.Dir, s.PID(state.Sidecar))
	}
	return err
}

// sidecarCommand is the detached sidecar.
func sidecarCommand(e env) *cli.Command {
	return &cli.Command{
		Name: sidecar.SidecarCommand, Hidden: true,
		Flags: []cli.Flag{&cli.IntFlag{Name: "supervisor"}},
		Action: func(c *cli.Context) error {
			s, err := state.Open(stateDir(c))
			if err != nil {
				return err
			}
			defer s.Close()
			log, err := fileLog(e)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithCancel(c.Context)
			defer cancel()
			go sidecar.KeepSupervised(ctx, s, c.Int("supervisor"))
			return nurseUntilDone(ctx, s, log, func() {})
		},
	}
}

func supervisorCommand(env) *cli.Command {
	return &cli.Command{
		Name: sidecar.SupervisorCommand, Hidden: true,
		Flags: []cli.Flag{&cli.IntFlag{Name: "sidecar"}},
		Action: func(c *cli.Context) error {
			s, err := state.Open(stateDir(c))
			if err != nil {
				return err
			}
			defer s.Close()
			debug.SetGCPercent(20)
			return sidecar.Supervise(c.Context, s, c.Int("sidecar"))
		},
	}
}

// fileLog is for looking at a detached sidecar: it has nowhere to talk to
// unless SOCKACCEL_LOG names a file.
func fileLog(e env) (*slog.Logger, error) {
	path := e.getenv("SOCKACCEL_LOG")
	if path == "" {
		return slog.New(slog.DiscardHandler), nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return slog.New(slog.NewTextHandler(f, &slog.HandlerOptions{Level: slog.LevelDebug})), nil
}
