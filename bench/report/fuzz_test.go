package report

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/perf/benchfmt"

	"github.com/sockaccel/sockaccel/bench/record"
)

// Whatever is a recording has a report in every format.
func FuzzReport(f *testing.F) {
	text, err := os.ReadFile("testdata/few.jsonl")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	for _, seconds := range []string{"0", "-1", "1e-308", "1e308"} {
		f.Add(bytes.ReplaceAll(text, []byte(`"seconds":1,`), []byte(`"seconds":`+seconds+",")))
		// Once, so that rounds differ by hundreds of orders of magnitude.
		f.Add(bytes.Replace(text, []byte(`"seconds":1,`), []byte(`"seconds":`+seconds+","), 1))
	}
	f.Add(bytes.ReplaceAll(text, []byte(`"all_operations":`), []byte(`"all_operations":0,"x":`)))
	f.Add(bytes.ReplaceAll(text, []byte(`"operations":`), []byte(`"operations":-9,"x":`)))
	f.Fuzz(func(t *testing.T, text []byte) {
		rec, err := record.Read(bytes.NewReader(text))
		if err != nil {
			t.Skip()
		}
		r := New(rec)
		for _, write := range []func(io.Writer) error{r.WriteText, r.WriteJSON} {
			if err := write(io.Discard); err != nil {
				t.Error(err)
			}
		}
		var gobench strings.Builder
		if err := WriteGobench(&gobench, rec); err != nil {
			t.Error(err)
		}
		for reader := benchfmt.NewReader(strings.NewReader(gobench.String()), "gobench"); reader.Scan(); {
			if bad, ok := reader.Result().(*benchfmt.SyntaxError); ok {
				t.Errorf("%v in\n%s", bad, gobench.String())
			}
		}
	})
}
