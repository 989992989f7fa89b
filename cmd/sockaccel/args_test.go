package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

func TestFlagsFirst(t *testing.T) {
	app := &cli.App{
		Flags: []cli.Flag{&cli.StringFlag{Name: "dir"}, &cli.BoolFlag{Name: "verbose", Aliases: []string{"v"}}},
		Commands: []*cli.Command{{
			Name: "bench", Subcommands: []*cli.Command{{
				Name: "run", Flags: []cli.Flag{&cli.IntFlag{Name: "rounds"}, &cli.BoolFlag{Name: "all"}},
			}},
		}},
	}
	for given, want := range map[string]string{
		"":                                     "",
		"bench run":                            "bench run",
		"bench run rr --rounds 3":              "bench run --rounds 3 rr",
		"bench run rr --rounds=3 stream --all": "bench run --rounds=3 --all rr stream",
		"bench run --all rr":                   "bench run --all rr",
		"--dir bench -v bench run a --all b":   "--dir bench -v bench run --all a b",
		"bench run rr --rounds":                "bench run --rounds rr",
		"bench run a -- --all":                 "bench run a -- --all",
		"bench run a --unknown b":              "bench run --unknown a b",
		"bench list --x":                       "bench list --x",
		"other a --rounds 3":                   "other a --rounds 3",
	} {
		got := flagsFirst(app, slices.Concat([]string{"tool"}, strings.Fields(given)))
		if strings.Join(got[1:], " ") != want {
			t.Errorf("%q: got %q, want %q", given, got[1:], want)
		}
	}
}
