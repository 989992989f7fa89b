package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// FuzzFlagsFirst gives the tool's own commands any words: none is lost or made
// up, the order of arguments stays, and once flags are first they stay there.
func FuzzFlagsFirst(f *testing.F) {
	f.Add("bench run rr --rounds 3 --all")
	f.Add("enable --cgroup a b --port=80 -- --cidr x")
	f.Add("--state-dir d status --json -")
	f.Add("disable --drain-timeout")
	f.Add("-- enable --")
	e := env{}
	app := &cli.App{Flags: globalFlags(), Commands: []*cli.Command{
		enableCommand(e), disableCommand(e), statusCommand(e), benchCommand(e),
	}}
	f.Fuzz(func(t *testing.T, line string) {
		args := slices.Concat([]string{"tool"}, strings.Fields(line))
		given := slices.Clone(args)
		got := flagsFirst(app, args)
		if !slices.Equal(args, given) {
			t.Errorf("%q was changed to %q", given, args)
		}
		if !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(given))) {
			t.Errorf("%q became %q", given, got)
		}
		if again := flagsFirst(app, got); !slices.Equal(again, got) {
			t.Errorf("%q became %q, and that %q", given, got, again)
		}
	})
}
