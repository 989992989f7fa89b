// Package docs_test holds the documentation against the code: what it names
// must exist, and what exists must be documented. It needs no root.
package docs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

const root = "../.."

// pages returns the documentation: path from the root to text.
func pages(tb testing.TB) map[string]string {
	tb.Helper()
	paths, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		tb.Fatal(err)
	}
	paths = append(paths, filepath.Join(root, "README.md"))
	found := make(map[string]string)
	for _, path := range paths {
		name, err := filepath.Rel(root, path)
		if err != nil {
			tb.Fatal(err)
		}
		found[name] = read(tb, path)
	}
	if len(found) < 4 {
		tb.Fatalf("only %d pages found", len(found))
	}
	return found
}

func read(tb testing.TB, path string) string {
	tb.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

// built is the tool, built once; "" and the output when that fails.
var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "sockaccel-docs-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "sockaccel")
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", path, "github.com/sockaccel/sockaccel/cmd/sockaccel")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		os.RemoveAll(dir)
		return string(out), err
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := built(); err == nil {
		os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// tool runs the tool, which must succeed, and returns its stdout.
func tool(tb testing.TB, args ...string) string {
	tb.Helper()
	bin, err := built()
	if err != nil {
		tb.Fatalf("build sockaccel: %v: %s", err, bin)
	}
	out, err := exec.Command(bin, args...).Output()
	if err != nil {
		tb.Fatalf("sockaccel %s: %v", strings.Join(args, " "), err)
	}
	return string(out)
}

var flagInHelp = regexp.MustCompile(`(?m)^   (--[a-z0-9-]+)(?:, (-[a-z]))?`)

// flagsOf returns the flags that the help of a command lists; "" is the
// global help, "bench run" that of a command's command.
func flagsOf(tb testing.TB, command string) map[string]bool {
	tb.Helper()
	args := append(strings.Fields(command), "--help")
	flags := make(map[string]bool)
	for _, m := range flagInHelp.FindAllStringSubmatch(tool(tb, args...), -1) {
		flags[m[1]] = true
		if m[2] != "" {
			flags[m[2]] = true
		}
	}
	if !flags["--help"] {
		tb.Fatalf("no flags found in the help of %q", command)
	}
	return flags
}

// commands returns the commands that the help lists, those of commands
// included: "bench", "bench run".
func commands(tb testing.TB) map[string]bool {
	tb.Helper()
	found := make(map[string]bool)
	for name := range listed(tb, tool(tb, "--help")) {
		found[name] = true
		for sub := range listed(tb, tool(tb, name, "--help")) {
			found[name+" "+sub] = true
		}
	}
	if len(found) < 8 || !found["bench run"] {
		tb.Fatalf("the help lists %v", found)
	}
	return found
}

// listed returns the commands that a help lists.
func listed(tb testing.TB, help string) map[string]bool {
	tb.Helper()
	found := make(map[string]bool)
	_, list, _ := strings.Cut(help, "COMMANDS:\n")
	list, _, _ = strings.Cut(list, "\n\n")
	for line := range strings.Lines(list) {
		if fields := strings.Fields(line); len(fields) > 0 {
			found[fields[0]] = true
		}
	}
	return found
}
