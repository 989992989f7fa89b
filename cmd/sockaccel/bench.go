package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"github.com/sockaccel/sockaccel/bench/driver"
	"github.com/sockaccel/sockaccel/bench/scenario"
)

func benchCommand(e env) *cli.Command {
	return &cli.Command{
		Name:  "bench",
		Usage: "measure before and after on this machine, and leave nothing behind",
		Description: `Examples:
   sockaccel bench list
   sockaccel bench run --baseline http-lb rr
   sockaccel bench report --format html sockaccel-bench-20260102-150405.jsonl > report.html`,
		Subcommands: []*cli.Command{benchListCommand(e), benchRunCommand(e), benchReportCommand(e)},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return usagef("unknown command %q: see sockaccel bench --help", c.Args().First())
			}
			return cli.ShowSubcommandHelp(c)
		},
	}
}

func benchListCommand(e env) *cli.Command {
	return &cli.Command{
		Name:  "list",
		Usage: "list the scenarios, what each needs, and what is missing here",
		Description: `Examples:
   sockaccel bench list
   sockaccel bench list --json | jq -r '.[] | select(.missing == "") | .name'`,
		Flags:  []cli.Flag{jsonFlag()},
		Action: func(c *cli.Context) error { return benchList(c, e) },
	}
}

func benchList(c *cli.Context, e env) error {
	if err := noArgs(c); err != nil {
		return err
	}
	type row struct {
		Name    string   `json:"name"`
		Load    string   `json:"load"`
		Cases   int      `json:"cases"`
		Needs   []string `json:"needs"`
		Missing string   `json:"missing"` // "" if nothing is
	}
	rows := []row{}
	for i := range scenario.All {
		s := &scenario.All[i]
		r := row{Name: s.Name, Load: s.Load, Cases: len(s.Cases), Needs: append([]string{}, s.Needs...)}
		if err := s.Missing(make(map[string]driver.Program)); err != nil {
			r.Missing = err.Error()
		}
		rows = append(rows, r)
	}
	if c.Bool("json") {
		return printJSON(e, rows)
	}
	w := tabwriter.NewWriter(e.stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "SCENARIO\tCASES\tNEEDS\tLOAD")
	for _, r := range rows {
		needs := strings.Join(r.Needs, ", ")
		if needs == "" {
			needs = "-"
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\n", r.Name, r.Cases, needs, r.Load)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, r := range rows {
		if r.Missing != "" {
			fmt.Fprintf(e.stdout, "%s cannot be run here: %s\n", r.Name, r.Missing)
		}
	}
	return nil
}
