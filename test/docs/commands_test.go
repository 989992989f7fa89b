package docs_test

import (
	"regexp"
	"strings"
	"testing"
)

var (
	// A command line of the tool: in a block at the start of a line, after
	// sudo or in a unit; in text in backquotes.
	inBlock  = regexp.MustCompile("(?m)^(?:sudo |Exec[A-Za-z]+=/usr/local/bin/)?sockaccel((?: +[^ \n#]+)+)")
	inText   = regexp.MustCompile("`sockaccel((?: +[^ \n`]+)+)`")
	longFlag = regexp.MustCompile(`(--[a-z][a-z0-9-]*)`)
	quoted   = regexp.MustCompile("`([^`\n]+)`")
	fence    = regexp.MustCompile("(?s)```[a-z]*\n(.*?)```")
)

// Every command line in the pages uses commands and flags that exist.
func TestCommandLines(t *testing.T) {
	known, global := commands(t), flagsOf(t, "")
	seen := 0
	for page, text := range pages(t) {
		found := inText.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1)
		for _, block := range fence.FindAllString(text, -1) {
			found = append(found, inBlock.FindAllStringSubmatch(block, -1)...)
		}
		for _, m := range found {
			words := strings.Fields(m[1])
			if strings.HasPrefix(words[0], "[") {
				continue // a synopsis
			}
			seen++
			command := words[0]
			if len(words) > 1 && known[command+" "+words[1]] {
				command += " " + words[1]
			}
			if !known[command] {
				t.Errorf("%s: %q: no command %q", page, m[0], command)
				continue
			}
			flags := flagsOf(t, command)
			for _, flag := range longFlag.FindAllString(m[1], -1) {
				if !flags[flag] && !global[flag] {
					t.Errorf("%s: %q: %s has no flag %s", page, m[0], command, flag)
				}
			}
		}
	}
	if seen < 8 {
		t.Errorf("only %d command lines found", seen)
	}
}

// Every flag that a page names in backquotes is a flag of some command.
func TestFlagsExist(t *testing.T) {
	all := flagsOf(t, "")
	for command := range commands(t) {
		for flag := range flagsOf(t, command) {
			all[flag] = true
		}
	}
	for page, text := range pages(t) {
		for _, m := range quoted.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
			// Other tools' flags are named together with the tool.
			if !strings.HasPrefix(m[1], "--") {
				continue
			}
			for _, flag := range longFlag.FindAllString(m[1], -1) {
				if !all[flag] {
					t.Errorf("%s: `%s`: no such flag", page, m[1])
				}
			}
		}
	}
}

// Every command and every flag is in docs/cli.md.
func TestEverythingIsDocumented(t *testing.T) {
	text := pages(t)["docs/cli.md"]
	names := flagsOf(t, "")
	for command := range commands(t) {
		if !strings.Contains(text, "`"+command+"`") {
			t.Errorf("docs/cli.md does not describe the command %s", command)
		}
		for flag := range flagsOf(t, command) {
			names[flag] = true
		}
	}
	delete(names, "-h")
	for flag := range names {
		if !regexp.MustCompile("`" + regexp.QuoteMeta(flag) + "[ `]").MatchString(text) {
			t.Errorf("docs/cli.md does not describe the flag %s", flag)
		}
	}
}

// Environment variables of the help are documented, and the other way round.
func TestEnvironment(t *testing.T) {
	variable := regexp.MustCompile(`SOCKACCEL_[A-Z_]+`)
	help := tool(t, "--help") + tool(t, "enable", "--help")
	text := pages(t)["docs/cli.md"]
	for _, name := range variable.FindAllString(help, -1) {
		if !strings.Contains(text, "`"+name+"`") {
			t.Errorf("docs/cli.md does not describe %s", name)
		}
	}
	code := read(t, root+"/cmd/sockaccel/app.go") + read(t, root+"/cmd/sockaccel/enable.go") + read(t, root+"/cmd/sockaccel/run.go")
	for page, text := range pages(t) {
		for _, name := range variable.FindAllString(text, -1) {
			if !strings.Contains(code, `"`+name+`"`) {
				t.Errorf("%s: nothing reads %s", page, name)
			}
		}
	}
}
