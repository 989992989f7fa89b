package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// record copies events to a file and prints what concerns people: the verdict
// of each package, and what the tests that failed said.
func record(from io.Reader, to io.Writer, file string) (err error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	f, err := os.Create(file)
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	said := make(map[string]*strings.Builder)
	begun, good := 0, 0 // packages
	err = decode(io.TeeReader(from, f), func(e event) {
		key := e.name()
		switch {
		case e.Action == "start":
			begun++
		case e.Test == "" && e.Output != "PASS\n":
			fmt.Fprint(to, e.Output)
		case e.Action == "output":
			if said[key] == nil {
				said[key] = new(strings.Builder)
			}
			said[key].WriteString(e.Output)
		case e.Action == "fail":
			fmt.Fprint(to, said[key])
		}
		if e.Test == "" && (e.Action == "pass" || e.Action == "skip") {
			good++
		}
	})
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	if good == 0 || good < begun {
		return fmt.Errorf("%d of %d packages did not pass", begun-good, begun)
	}
	return nil
}
