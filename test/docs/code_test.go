package docs_test

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/sockaccel/sockaccel/bpf"
	"github.com/sockaccel/sockaccel/internal/drain"
	"github.com/sockaccel/sockaccel/internal/engine"
	"github.com/sockaccel/sockaccel/internal/probe"
	"github.com/sockaccel/sockaccel/internal/state"
)

// docs/architecture.md lists exactly the programs and maps of the object.
func TestProgramsAndMaps(t *testing.T) {
	spec, err := bpf.LoadAccel()
	if err != nil {
		t.Fatal(err)
	}
	_, text, ok := strings.Cut(pages(t)["docs/architecture.md"], "## Programs and maps")
	text, _, ok2 := strings.Cut(text, "\n## ")
	if !ok || !ok2 {
		t.Fatal("docs/architecture.md has no section on programs and maps")
	}
	listed := make(map[string]bool)
	for line := range strings.Lines(text) {
		if cells := strings.Split(line, "|"); len(cells) > 2 {
			for _, m := range quoted.FindAllStringSubmatch(cells[1], -1) {
				listed[m[1]] = true
			}
		}
	}
	have := make(map[string]bool)
	for name := range spec.Programs {
		have[name] = true
	}
	for name := range spec.Maps {
		if !strings.HasPrefix(name, ".") { // .bss and .rodata
			have[name] = true
		}
	}
	for name := range have {
		if !listed[name] {
			t.Errorf("docs/architecture.md does not list %s", name)
		}
	}
	for name := range listed {
		if !have[name] {
			t.Errorf("docs/architecture.md lists %s, which does not exist", name)
		}
	}
}

// Numbers in the text are those of the code.
func TestNumbers(t *testing.T) {
	all := pages(t)
	queue := read(t, filepath.Join(root, "bpf/src/queue.h"))
	maps := read(t, filepath.Join(root, "bpf/src/maps.h"))
	pair := read(t, filepath.Join(root, "bpf/src/pair.h"))
	adopt := read(t, filepath.Join(root, "bpf/src/adopt.c"))
	sidecar := read(t, filepath.Join(root, "internal/sidecar/sidecar.go"))
	disable := read(t, filepath.Join(root, "internal/engine/disable.go"))
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(read(t, filepath.Join(root, "go.mod")))
	if version == nil {
		t.Fatal("go.mod names no version of Go")
	}
	for _, c := range []struct{ page, phrase, source, code string }{
		{"docs/architecture.md", fmt.Sprintf("%d MiB and %d messages", state.LimitBytes>>20, state.LimitMessages), "", ""},
		{"docs/known-issues.md", fmt.Sprintf("%d MiB and %d messages", state.LimitBytes>>20, state.LimitMessages), "", ""},
		{"docs/architecture.md", "64 KiB and 32 messages", queue, "CREDIT_BYTES (64 << 10)\n#define CREDIT_MSGS 32"},
		{"docs/known-issues.md", "64 KiB or 32 messages", queue, "CREDIT_BYTES (64 << 10)\n#define CREDIT_MSGS 32"},
		{"docs/architecture.md", fmt.Sprintf("sweep after %s", words(int(drain.Unmatched.Seconds()))), "", ""},
		{"docs/architecture.md", "Four reads", maps, "reads_needed = 4;"},
		{"README.md", "four reads", maps, "reads_needed = 4;"},
		{"docs/architecture.md", "`TCP_KEEPIDLE` 300 s", pair, "KEEPALIVE_IDLE 300"},
		{"docs/known-issues.md", "`TCP_KEEPIDLE` of 300 seconds", pair, "KEEPALIVE_IDLE 300"},
		{"docs/architecture.md", "entered sixty-four times", adopt, "MAX_TRIES 64\n"},
		{"docs/architecture.md", "every 500 ms", sidecar, "beatEvery = 500 * time.Millisecond"},
		{"docs/architecture.md", "another 2 s", sidecar, "deadAfter = 2 * time.Second"},
		{"docs/architecture.md", "turned for 10 s", sidecar, "stuckAfter = 10 * time.Second"},
		{"docs/architecture.md", "one tenth of a processor after a burst of 250 ms", sidecar, "passShare = 10\n\tpassBurst = 250 * time.Millisecond"},
		{"docs/architecture.md", "after 200 ms", disable, "softDrain = 200 * time.Millisecond"},
		{"README.md", "Go " + version[1] + " or", "", ""},
	} {
		if !strings.Contains(strings.Join(strings.Fields(all[c.page]), " "), c.phrase) {
			t.Errorf("%s does not say %q", c.page, c.phrase)
		}
		if !strings.Contains(c.source, c.code) {
			t.Errorf("%s says %q, but the code has no %q", c.page, c.phrase, c.code)
		}
	}
}

func words(n int) string {
	return [...]string{"zero", "one", "two", "three", "four", "five"}[n] + " seconds"
}

// Risks and the ways of FIONREAD are explained by the names they have.
func TestNames(t *testing.T) {
	all := pages(t)
	for _, risk := range []string{engine.RiskSplice, engine.RiskFIONREAD, engine.RiskBlocking} {
		for _, page := range []string{"README.md", "docs/cli.md", "docs/known-issues.md"} {
			if !strings.Contains(all[page], "`"+risk+"`") {
				t.Errorf("%s does not name the risk %s", page, risk)
			}
		}
	}
	for _, mode := range []string{probe.FIONREADRight, probe.FIONREADBlindTCP, probe.FIONREADBlindQueue} {
		if !strings.Contains(all["docs/cli.md"], "`"+mode+"`") {
			t.Errorf("docs/cli.md does not name FIONREAD %q", mode)
		}
	}
}

var testName = regexp.MustCompile("`(Test[A-Za-z0-9_]+)`")

// The tests that the documentation names exist.
func TestTestsExist(t *testing.T) {
	exist := make(map[string]bool)
	declared := regexp.MustCompile(`(?m)^func (Test[A-Za-z0-9_]+)\(`)
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, "_test.go") {
			for _, m := range declared.FindAllStringSubmatch(read(t, path), -1) {
				exist[m[1]] = true
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for page, text := range pages(t) {
		for _, m := range testName.FindAllStringSubmatch(text, -1) {
			if !exist[m[1]] {
				t.Errorf("%s names %s, which does not exist", page, m[1])
			}
		}
	}
	if len(testName.FindAllString(pages(t)["docs/safety.md"], -1)) < 50 {
		t.Error("docs/safety.md names hardly any test")
	}
}
