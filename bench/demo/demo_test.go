package demo

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/sockaccel/sockaccel/bench/record"
	"github.com/sockaccel/sockaccel/bench/runner"
	"github.com/sockaccel/sockaccel/internal/probe"
)

// report makes one of rates per block, off and on alike for both workloads.
func report(off, on []float64, redirected float64) *Report {
	var samples []record.Sample
	for block := range off {
		for _, w := range workloads {
			for mode, rate := range map[string]float64{record.ModeOff: off[block], record.ModeOn: on[block]} {
				h := record.NewHistogram()
				h.Add(100*time.Microsecond, int64(rate))
				x := record.Sample{
					Scenario: w.Name, Mode: mode, Block: block, SentMessages: int64(2 * rate),
					Measurement: record.Measurement{Operations: int64(rate), AllOperations: int64(rate), Seconds: 1, Latency: h},
				}
				if mode == record.ModeOn {
					x.Counted = &record.Counted{Redirected: uint64(redirected * 2 * rate)}
				}
				samples = append(samples, x)
			}
		}
	}
	return newReport(Options{Rounds: len(off)}, runner.Risks{Result: probe.Result{FIONREAD: probe.FIONREADRight}}, samples)
}

func TestReport(t *testing.T) {
	for _, x := range []struct {
		name       string
		off, on    []float64
		redirected float64
		ratio      float64
		mark       bool
		warning    string
	}{
		{"faster", []float64{1000, 1010, 1020}, []float64{1500, 1515, 1632}, 1, 1.5, false, ""},
		{"undecided", []float64{1000, 1010, 1020}, []float64{1500, 1010, 918}, 1, 1, true, ""},
		{"noisy", []float64{1000, 2000, 1000}, []float64{3000, 3000, 3000}, 1, 3, false, "2.00-fold"},
		{"not redirected", []float64{1000}, []float64{1500}, 0.9499, 1.5, false, "only 94.9 %"},
		{"slower", []float64{1000, 1000}, []float64{800, 900}, 1, 0.85, false, "slower"},
	} {
		t.Run(x.name, func(t *testing.T) {
			r := report(x.off, x.on, x.redirected)
			if got := r.Workloads[0].Ratio; math.Abs(got-x.ratio) > 1e-9 {
				t.Errorf("ratio %g, want %g", got, x.ratio)
			}
			var out bytes.Buffer
			if err := r.WriteText(&out); err != nil {
				t.Fatal(err)
			}
			if got := strings.Contains(out.String(), "~"); got != x.mark {
				t.Errorf("marked as undecided: %t\n%s", got, &out)
			}
			warnings := strings.Join(r.Warnings(), "\n")
			if (x.warning == "") != (warnings == "") || !strings.Contains(warnings, x.warning) {
				t.Errorf("warnings %q, want %q", warnings, x.warning)
			}
		})
	}
}

// Columns stay apart and within the width for the largest numbers, and names
// are at the left.
func TestReportTable(t *testing.T) {
	var out bytes.Buffer
	if err := report([]float64{999_999}, []float64{999_999}, 1).WriteText(&out); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	for i, line := range lines {
		if len(line) >= 100 {
			t.Errorf("%d columns: %s", len(line), line)
		}
		if i < len(workloads) && !strings.HasPrefix(lines[2+i], workloads[i].Name+"  ") {
			t.Errorf("row without its name:\n%s", &out)
		}
	}
	if len(lines[0]) == 0 || len(strings.TrimRight(lines[1], " ")) != len(strings.TrimRight(lines[2], " ")) {
		t.Errorf("not aligned:\n%s", &out)
	}
}
