package demo

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sockaccel/sockaccel/bench/load"
	"github.com/sockaccel/sockaccel/internal/probe"
	"github.com/sockaccel/sockaccel/internal/status"
)

func TestSchedule(t *testing.T) {
	firsts := map[bool]int{}
	for range 50 {
		plan := schedule(3, 2)
		if len(plan) != 12 {
			t.Fatalf("%d steps", len(plan))
		}
		seen := map[step]bool{}
		for i, s := range plan {
			seen[s] = true
			if s.block != i/4 {
				t.Errorf("step %d is in block %d", i, s.block)
			}
			if i%2 == 1 && (plan[i-1].workload != s.workload || plan[i-1].on == s.on) {
				t.Errorf("off and on are not next to each other: %v", plan)
			}
		}
		if len(seen) != 12 {
			t.Errorf("a step comes twice: %v", plan)
		}
		firsts[plan[0].on]++
	}
	if len(firsts) != 2 {
		t.Errorf("off and on always come in the same order")
	}
}

// report makes one of rates per block, off and on alike for both workloads.
func report(off, on []float64, redirected float64) *Report {
	s := newSamples()
	for block := range off {
		for w := range workloads {
			for _, isOn := range []bool{false, true} {
				rate := off[block]
				if isOn {
					rate = on[block]
				}
				x := sample{Result: load.Result{Messages: int64(rate), AllMessages: int64(rate), ElapsedSeconds: 1, P50: 100, P99: 200}}
				if isOn {
					x.redirected, x.counted = uint64(redirected*2*rate), new(status.Status)
				}
				s.add(step{block, w, isOn}, x)
			}
		}
	}
	return newReport(Options{Rounds: len(off)}, risks{probe.FIONREADRight}, s)
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
		if i < len(workloads) && !strings.HasPrefix(lines[2+i], workloads[i].name+"  ") {
			t.Errorf("row without its name:\n%s", &out)
		}
	}
	if len(lines[0]) == 0 || len(strings.TrimRight(lines[1], " ")) != len(strings.TrimRight(lines[2], " ")) {
		t.Errorf("not aligned:\n%s", &out)
	}
}

// Wrong content, or a client that dies, ends the demonstration.
func TestLoadReportsErrors(t *testing.T) {
	for script, want := range map[string]string{
		`read c; echo '{"kind":"rr","errors":2,"first_error":"wrong response","messages":9,"all_messages":9}'; read c`: "2 of 16 connections failed or received wrong content: wrong response",
		`read c; echo '{"error":"unknown kind of load"}'; read c`:                                                      "unknown kind of load",
		`read c; echo 'sockaccel: out of luck' >&2; exit 1`:                                                            "load client ended: sockaccel: out of luck",
	} {
		exe := filepath.Join(t.TempDir(), "client")
		if err := os.WriteFile(exe, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		client, err := load.StartClient(exe, nil)
		if err != nil {
			t.Fatal(err)
		}
		b := &sandbox{client: client}
		_, err = b.load(t.Context(), load.Command{Kind: load.KindRR, Connections: 16})
		client.Stop()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", script, err)
		}
	}
}

func TestProgress(t *testing.T) {
	var out bytes.Buffer
	p := newProgress(&out, true)
	p.show("a long line")
	p.show("short")
	p.note("stays")
	if lines := strings.Split(out.String(), "\n"); len(lines) != 2 || !strings.HasSuffix(lines[0], "\rstays") {
		t.Errorf("%q", out.String())
	}
}
