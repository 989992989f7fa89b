package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// flagsFirst moves the flags of the command that args name before its
// arguments: people write them in any order, the library takes the first
// argument for the end of the flags.
func flagsFirst(app *cli.App, args []string) []string {
	flags, commands := app.Flags, app.Commands
	begin := 1
	for i := 1; i < len(args); {
		if strings.HasPrefix(args[i], "-") {
			i += words(flags, args[i])
			continue
		}
		n := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.HasName(args[i]) })
		if n < 0 {
			break
		}
		flags, commands = commands[n].Flags, commands[n].Subcommands
		i++
		begin = i
	}
	if begin > len(args) || len(commands) > 0 {
		return args
	}
	var first, rest []string
	for i := begin; i < len(args); {
		if args[i] == "--" {
			rest = append(rest, args[i:]...)
			break
		}
		if !strings.HasPrefix(args[i], "-") || args[i] == "-" {
			rest = append(rest, args[i])
			i++
			continue
		}
		end := min(i+words(flags, args[i]), len(args))
		first = append(first, args[i:end]...)
		i = end
	}
	return slices.Concat(args[:begin], first, rest)
}

// words is how many words a flag takes: two if its value is the next one.
func words(flags []cli.Flag, arg string) int {
	if strings.Contains(arg, "=") {
		return 1
	}
	name := strings.TrimLeft(arg, "-")
	for _, f := range flags {
		if !slices.Contains(f.Names(), name) {
			continue
		}
		if v, ok := f.(cli.DocGenerationFlag); ok && v.TakesValue() {
			return 2
		}
	}
	return 1
}
