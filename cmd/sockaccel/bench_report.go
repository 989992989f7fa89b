package main

import (
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/sockaccel/sockaccel/bench/record"
	"github.com/sockaccel/sockaccel/bench/report"
)

func benchReportCommand(e env) *cli.Command {
	return &cli.Command{
		Name:      "report",
		Usage:     "report on the samples that bench run wrote",
		ArgsUsage: "FILE",
		Description: `Examples:
   sockaccel bench report rr.jsonl
   sockaccel bench report --format html rr.jsonl > rr.html
   sockaccel bench report --format gobench rr.jsonl > rr.txt && benchstat -col accel rr.txt`,
		Flags:  []cli.Flag{&cli.StringFlag{Name: "format", Usage: "print `FORMAT`: text, json, html or gobench", Value: "text"}},
		Action: func(c *cli.Context) error { return benchReport(c, e) },
	}
}

func benchReport(c *cli.Context, e env) error {
	write := map[string]func(*report.Report, *record.Recording, io.Writer) error{
		"text":    func(r *report.Report, _ *record.Recording, w io.Writer) error { return r.WriteText(w) },
		"json":    func(r *report.Report, _ *record.Recording, w io.Writer) error { return r.WriteJSON(w) },
		"html":    func(r *report.Report, _ *record.Recording, w io.Writer) error { return r.WriteHTML(w) },
		"gobench": func(_ *report.Report, rec *record.Recording, w io.Writer) error { return report.WriteGobench(w, rec) },
	}[c.String("format")]
	if write == nil {
		return usagef("--format %q: must be text, json, html or gobench", c.String("format"))
	}
	if c.NArg() != 1 {
		return usagef("name one FILE that sockaccel bench run wrote")
	}
	rec, err := readRecording(c.Args().First())
	if err != nil {
		return err
	}
	return write(report.New(rec), rec, e.stdout)
}

func readRecording(name string) (*record.Recording, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read recording: %w", err)
	}
	defer file.Close()
	rec, err := record.Read(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return rec, nil
}
