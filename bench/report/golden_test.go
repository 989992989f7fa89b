package report

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sockaccel/sockaccel/bench/record"
)

var update = flag.Bool("update", false, "write the recordings and reports under testdata again")

// formats are the reports of a recording by the extension of their files.
var formats = map[string]func(io.Writer, *record.Recording) error{
	"txt":   func(w io.Writer, rec *record.Recording) error { return New(rec).WriteText(w) },
	"json":  func(w io.Writer, rec *record.Recording) error { return New(rec).WriteJSON(w) },
	"bench": WriteGobench,
}

// Every recording under testdata, made up or real, has its reports beside it.
func TestGolden(t *testing.T) {
	if *update {
		writeRecordings(t)
	}
	files, err := filepath.Glob("testdata/*.jsonl")
	if err != nil || len(files) < len(recordings)-1 {
		t.Fatalf("%d recordings (%v), want at least %d", len(files), err, len(recordings)-1)
	}
	for _, file := range files {
		rec := open(t, file)
		for extension, write := range formats {
			golden := strings.TrimSuffix(file, "jsonl") + extension
			t.Run(filepath.Base(golden), func(t *testing.T) {
				var got bytes.Buffer
				if err := write(&got, rec); err != nil {
					t.Fatal(err)
				}
				if *update {
					if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(golden)
				if err != nil {
					t.Fatal(err)
				}
				if got.String() != string(want) {
					t.Errorf("differs from %s (go test -update writes it again):\n%s", golden, firstDifference(got.String(), string(want)))
				}
			})
		}
	}
}

func open(t *testing.T, file string) *record.Recording {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rec, err := record.Read(f)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return rec
}

func writeRecordings(t *testing.T) {
	t.Helper()
	for name, make := range recordings {
		if name == "hostile" {
			continue // what it holds has no place in a repository
		}
		var text bytes.Buffer
		rec := make()
		w, err := record.NewWriter(&text, rec.Environment)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range rec.Skips {
			if err := w.Skip(s.Scenario, s.Reason); err != nil {
				t.Fatal(err)
			}
		}
		for _, s := range rec.Samples {
			if err := w.Sample(s); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.End(rec.Ended); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join("testdata", name+".jsonl"), text.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// firstDifference is the first line in which two texts differ.
func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return "got  " + g[i] + "\nwant " + w[i]
		}
	}
	return "one ends before the other"
}
