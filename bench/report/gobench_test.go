package report

import (
	"bytes"
	"encoding/csv"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/perf/benchfmt"

	"github.com/sockaccel/sockaccel/bench/record"
)

// Every sample is a line that the format's own reader takes, with the mode in
// its configuration.
func TestGobenchFormat(t *testing.T) {
	for name, recording := range recordings {
		t.Run(name, func(t *testing.T) {
			rec := recording()
			var text bytes.Buffer
			if err := WriteGobench(&text, rec); err != nil {
				t.Fatal(err)
			}
			counts := map[string]int{}
			for reader := benchfmt.NewReader(&text, name); reader.Scan(); {
				switch x := reader.Result().(type) {
				case *benchfmt.SyntaxError:
					t.Error(x)
				case *benchfmt.Result:
					counts[x.GetConfig("accel")]++
					if x.GetConfig("goos") != "linux" || x.GetConfig("cpu") == "" {
						t.Errorf("configuration is missing: %v", x.Config)
					}
				}
			}
			for _, s := range rec.Samples {
				counts[s.Mode]--
			}
			for mode, n := range counts {
				if n != 0 {
					t.Errorf("%q has %d lines more than samples", mode, n)
				}
			}
		})
	}
}

// Cases have different names, which say all of their settings.
func TestGobenchNames(t *testing.T) {
	redis := record.Case{Scenario: "redis", Name: "P16", Connections: 50, Size: 64, Pipeline: 16}
	rated := rr("64B x16 10k/s")
	rated.Rate = 1e6
	for _, x := range []struct {
		c    record.Case
		want string
	}{
		{rr("64B x16"), "RR/case=64B_x16/size=64/conns=16-2"},
		{rated, "RR/case=64B_x16_10k_s/size=64/conns=16/rate=1000000-2"},
		{redis, "Redis/case=P16/size=64/conns=50/pipeline=16-2"},
		{record.Case{Scenario: "http-lb-keepalive", Connections: 100, Size: 1024}, "HTTPLBKeepalive/size=1024/conns=100-2"},
		{record.Case{Scenario: "ü\n", Name: "a b\tc/-3"}, "__/case=a_b_c__3/size=0/conns=0-2"},
	} {
		if got := gobenchName(&x.c, 2).String(); got != x.want {
			t.Errorf("%s, want %s", got, x.want)
		}
	}
}

// A line without a number would be none of the format.
func TestGobenchWithoutNumbers(t *testing.T) {
	y := newSynthetic(1)
	y.add(stream("x", 64), offOn(even, even))
	y.Samples[0].Operations, y.Samples[0].AllOperations, y.Samples[0].Seconds = 0, 0, 1e-308
	var text strings.Builder
	if err := WriteGobench(&text, &y.Recording); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(text.String(), "Benchmark"); got != 1 {
		t.Errorf("%d lines, want that of the other sample:\n%s", got, text.String())
	}
}

// benchstatNotes are about the cases, not about the format.
var benchstatNotes = regexp.MustCompile(`(?m)^[A-Z]+[0-9]+: (benchmark set differs from baseline; geomeans may not be comparable|all samples are equal)\n`)

// benchstat reads the file without a complaint, and its medians are ours.
func TestBenchstat(t *testing.T) {
	if testing.Short() {
		t.Skip("builds benchstat")
	}
	for name, recording := range recordings {
		t.Run(name, func(t *testing.T) {
			rec := recording()
			if rec.Environment.Rounds < minRounds {
				t.Skip("benchstat says what it has to say about few samples")
			}
			var text bytes.Buffer
			if err := WriteGobench(&text, rec); err != nil {
				t.Fatal(err)
			}
			medians := benchstat(t, text.Bytes())
			compared := 0
			for _, c := range New(rec).Cases {
				row := gobenchName(&c.Case, rec.Environment.Host.CPUs).String()
				for _, m := range c.Modes {
					for unit, want := range map[string]float64{c.Unit: m.Throughput.Median, unitCPU: m.CPUSecondsPerMillion.Median} {
						compared++
						if got, ok := medians[row+" "+m.Mode+" "+unit]; !ok || !near(got, want) {
							t.Errorf("%s, %s: %g %s (%t), want %g", row, m.Mode, got, unit, ok, want)
						}
					}
				}
			}
			if compared == 0 {
				t.Error("nothing was compared")
			}
		})
	}
}

// benchstat returns its medians by row, mode and unit.
func benchstat(t *testing.T, text []byte) map[string]float64 {
	t.Helper()
	cmd := exec.Command("go", "tool", "benchstat", "-col", "accel", "-format", "csv", "/dev/stdin")
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(text), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("benchstat: %v: %s", err, &stderr)
	}
	if notes := benchstatNotes.ReplaceAllString(stderr.String(), ""); notes != "" {
		t.Errorf("benchstat says %q", notes)
	}
	medians := map[string]float64{}
	// A table for each unit, an empty line between them: the modes in its
	// first line, units in the next.
	for block := range strings.SplitSeq(stdout.String(), "\n\n") {
		reader := csv.NewReader(strings.NewReader(block))
		reader.FieldsPerRecord, reader.LazyQuotes = -1, true
		rows, err := reader.ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for len(rows) > 0 && rows[0][0] != "" {
			rows = rows[1:] // the configuration
		}
		for _, row := range rows[2:] {
			for i := 1; i < len(row); i++ {
				mode, unit := cell(rows[0], i), cell(rows[1], i)
				if v, err := strconv.ParseFloat(row[i], 64); err == nil && mode != "" {
					medians[row[0]+" "+mode+" "+unit] = v
				}
			}
		}
	}
	return medians
}

func cell(row []string, i int) string {
	if i < len(row) {
		return row[i]
	}
	return ""
}
