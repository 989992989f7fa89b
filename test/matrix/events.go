package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// event is what go test -json prints, as far as it matters here.
type event struct {
	Action, Package, Test, Output string
	Elapsed                       float64 // seconds
}

// name of a test: the package's path in the module, and the test's.
func (e event) name() string {
	path := e.Package
	if parts := strings.SplitN(path, "/", 4); len(parts) == 4 {
		path = parts[3]
	}
	return path + " " + e.Test
}

// decode calls f for every event. Lines that are none are passed on as output
// of no package.
func decode(r io.Reader, f func(event)) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			e = event{Action: "output", Output: lines.Text() + "\n"}
		}
		f(e)
	}
	return lines.Err()
}

// result of one test on one kernel.
type result struct {
	action  string // pass, fail or skip; empty: it never ended
	why     string // of a skip
	seconds float64
}

// results of one kernel, by test.
type results struct {
	kernel string
	order  []string
	tests  map[string]*result
}

// where is what a test's own output begins with.
var where = regexp.MustCompile(`^ +\w+\.go:\d+: `)

func load(file string) (*results, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("read results: %w", err)
	}
	defer f.Close()
	r := &results{
		kernel: strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)),
		tests:  make(map[string]*result),
	}
	err = decode(f, func(e event) {
		if e.Test == "" {
			return
		}
		t := r.tests[e.name()]
		if t == nil {
			t = &result{}
			r.tests[e.name()] = t
			r.order = append(r.order, e.name())
		}
		switch e.Action {
		case "pass", "fail", "skip":
			t.action, t.seconds = e.Action, e.Elapsed
		case "output":
			if m := where.FindString(e.Output); m != "" {
				t.why = strings.TrimSpace(e.Output[len(m):])
			}
		}
	})
	if err != nil {
		return nil, fmt.Errorf("read results: %s: %w", file, err)
	}
	return r, nil
}
