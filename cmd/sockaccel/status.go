package main

import (
	"encoding/json"
	"fmt"
	"runtime"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/sockaccel/sockaccel/internal/status"
)

func jsonFlag() cli.Flag { return &cli.BoolFlag{Name: "json", Usage: "print JSON"} }

func statusCommand(e env) *cli.Command {
	return &cli.Command{
		Name:  "status",
		Usage: "tell what is accelerated, what is not, and why",
		Description: `Examples:
   sockaccel status
   sockaccel status --json | jq .messages`,
		Flags: []cli.Flag{jsonFlag()},
		Action: func(c *cli.Context) error {
			if err := noArgs(c); err != nil {
				return err
			}
			st, err := status.Read(stateDir(c), version)
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return printJSON(e, st)
			}
			return st.WriteText(e.stdout)
		},
	}
}

func printJSON(e env, v any) error {
	enc := json.NewEncoder(e.stdout)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func versionCommand(e env) *cli.Command {
	return &cli.Command{
		Name:  "version",
		Usage: "print the version",
		Flags: []cli.Flag{jsonFlag()},
		Action: func(c *cli.Context) error {
			if err := noArgs(c); err != nil {
				return err
			}
			v := struct {
				Version string `json:"version"`
				Go      string `json:"go"`
				Kernel  string `json:"kernel"`
			}{version, runtime.Version(), kernelRelease()}
			if c.Bool("json") {
				return printJSON(e, v)
			}
			_, err := fmt.Fprintf(e.stdout, "sockaccel %s (%s, kernel %s)\n", v.Version, v.Go, v.Kernel)
			return err
		},
	}
}

func kernelRelease() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return "unknown"
	}
	return unix.ByteSliceToString(u.Release[:])
}
