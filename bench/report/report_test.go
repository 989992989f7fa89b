package report

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/sockaccel/sockaccel/bench/record"
)

func caseOf(t *testing.T, r *Report, id string) *Case {
	t.Helper()
	for i := range r.Cases {
		if r.Cases[i].ID == id {
			return &r.Cases[i]
		}
	}
	t.Fatalf("no case %s", id)
	return nil
}

// The report says of each recording what is true of it.
func TestReport(t *testing.T) {
	for _, x := range []struct {
		recording, id, mode string
		difference, p99     string // shown as "+" or "-", else why not
		warning             string // "" for none about the case
	}{
		{"grid", "rr/win", record.ModeOn, "+", "-", ""},
		{"grid", "rr/win", record.ModeBaseline, "+", "-", ""},
		{"grid", "rr/win", record.ModeUnix, "+", "-", ""},
		{"grid", "rr/loss", record.ModeOn, "-", "+", ""},
		{"grid", "rr/undecided", record.ModeOn, whyP, whyP, ""},
		{"grid", "rr/low share", record.ModeOn, whyP, whyP, "only 59.9 % of the messages were redirected (connections not accelerated: no_evidence 40; messages"},
		{"grid", "rr/10k/s", record.ModeOn, whyP, "-", ""},
		{"grid", "rr/100k/s", record.ModeOn, "+", "-", "off: 49819 of 100000 operations per second were reached"},
		{"grid", "stream/64B x1", record.ModeOn, "+", "", ""},
		{"grid", "stream/256KiB x1", record.ModeOn, "-", "", ""},
		{"grid", "remote/rr 64B x16", record.ModeOn, whyP, whyP, ""},
		{"grid", "remote/stream 256KiB x1", record.ModeOn, whyP, whyP, "although the server is out of scope"},
		{"noisy", "rr/wild", record.ModeOn, whyNoise, whyNoise, "spreads over 63 % of their median"},
		{"noisy", "rr/quiet", record.ModeOn, "+", "-", ""},
		{"few", "rr/64B x16", record.ModeOn, whyFew, whyFew, ""},
		{"errors", "rr/64B x16", record.ModeOn, "+", "-", "baseline: 4 errors in 2 of 10 rounds: wrong response"},
		{"errors", "rr/64B x16", record.ModeBaseline, whyErrors, whyErrors, "baseline: 4 errors in 2 of 10 rounds: wrong response"},
		{"errors", "rr/64B x256", record.ModeOn, whyErrors, whyErrors, "on: 4 errors in 2 of 10 rounds: wrong response"},
	} {
		t.Run(x.recording+" "+x.id+" "+x.mode, func(t *testing.T) {
			r := New(recordings[x.recording]())
			c := caseOf(t, r, x.id)
			if off := c.Modes[0]; off.Mode != record.ModeOff || off.Difference != nil || off.P99Difference != nil || off.RedirectedShare != nil {
				t.Errorf("off is compared with itself, or not first: %+v", off)
			}
			m := c.mode(x.mode)
			if m == nil || m.N != r.Environment.Rounds {
				t.Fatalf("mode %s: %+v", x.mode, m)
			}
			if got := outcome(m.Difference); got != x.difference {
				t.Errorf("difference %q, want %q", got, x.difference)
			}
			if got := outcome(m.P99Difference); got != x.p99 {
				t.Errorf("difference of p99 %q, want %q", got, x.p99)
			}
			warnings := ""
			for _, w := range r.Warnings {
				if strings.HasPrefix(w, x.id+": ") {
					warnings += w
				}
			}
			if (warnings == "") != (x.warning == "") || !strings.Contains(warnings, x.warning) {
				t.Errorf("warnings %q, want %q", warnings, x.warning)
			}
		})
	}
}

func outcome(d *Difference) string {
	switch {
	case d == nil:
		return ""
	case !d.Shown:
		return d.Why
	case d.Percent.Median > 0:
		return "+"
	}
	return "-"
}

func TestFewRoundsWarning(t *testing.T) {
	if r := New(recordings["few"]()); len(r.Warnings) != 1 || !strings.HasPrefix(r.Warnings[0], "only 5 rounds") {
		t.Errorf("%q", r.Warnings)
	}
}

// All differences of all reports that are not shown are "~", those that are
// shown have an interval that excludes 0.
func TestDifferencesHaveIntervals(t *testing.T) {
	for name, recording := range recordings {
		for _, c := range New(recording()).Cases {
			for _, m := range c.Modes {
				for _, d := range []*Difference{m.Difference, m.CPUDifference, m.P99Difference} {
					if d == nil {
						continue
					}
					diff, bounds, _ := differenceCells(d)
					if !d.Shown && diff != "~" {
						t.Errorf("%s: %s: %q is printed", name, c.ID, diff)
					}
					if d.Shown && (!strings.HasPrefix(bounds, "[") || *d.Percent.Lo**d.Percent.Hi <= 0 || d.P >= Alpha || c.Noisy) {
						t.Errorf("%s: %s: %q %q is shown", name, c.ID, diff, bounds)
					}
				}
			}
		}
	}
}

func TestVerdict(t *testing.T) {
	scores, losses := New(recordings["grid"]()).Verdict()
	want := []Score{{"throughput", 3, 2, 5, 10}, {"p99 latency", 3, 1, 4, 8}, {"CPU per operation", 3, 2, 5, 10}}
	for i := range want {
		if scores[i] != want[i] {
			t.Errorf("%+v, want %+v", scores[i], want[i])
		}
	}
	var got []string
	for _, l := range losses {
		got = append(got, l.ID+" "+l.Name)
	}
	wantLosses := "rr/loss throughput, stream/256KiB x1 throughput, rr/loss p99 latency, " +
		"rr/loss CPU per operation, stream/256KiB x1 CPU per operation"
	if strings.Join(got, ", ") != wantLosses {
		t.Errorf("losses %q", got)
	}
}

// Medians, share and percentiles of a case that can be computed by hand.
func TestModeNumbers(t *testing.T) {
	y := newSynthetic(6)
	c := rr("x")
	c.Modes = []string{record.ModeOn}
	y.Environment.Cases = []record.Case{c}
	for block := range 6 {
		s := record.Sample{Scenario: c.Scenario, Case: c.Name, Mode: record.ModeOn, Block: block}
		s.Operations, s.AllOperations, s.Seconds = int64(100*(block+1)), 1000, 0.5
		s.CPUSeconds = 0.01 * float64(block+1)
		s.Latency = record.NewHistogram()
		s.Latency.Add(1e6, 998) // 1 ms
		s.Latency.Add(1e7, 2)   // 10 ms
		s.SentMessages = 2000
		s.Counted = &record.Counted{Redirected: uint64(300 * block)}
		y.Samples = append(y.Samples, s)
	}
	m := New(&y.Recording).Cases[0].Modes[0]
	if m.Throughput.Median != 700 || *m.Throughput.Lo != 200 || *m.Throughput.Hi != 1200 {
		t.Errorf("throughput %+v", m.Throughput)
	}
	if !near(m.CPUSecondsPerMillion.Median, 35) {
		t.Errorf("CPU %+v", m.CPUSecondsPerMillion)
	}
	if *m.RedirectedShare != 4500.0/12000 {
		t.Errorf("share %g", *m.RedirectedShare)
	}
	l := m.Latency
	if l.Operations != 6000 || math.Abs(l.P50-1000) > 1 || math.Abs(l.P99-1000) > 1 || math.Abs(l.P999-10_000) > 10 {
		t.Errorf("latency %+v", l)
	}
}

// No line is wider than a terminal, apart from sentences, and none holds what
// a terminal obeys; a recording can not add lines.
func TestText(t *testing.T) {
	lines := map[string]int{}
	for name, recording := range recordings {
		var out bytes.Buffer
		if err := New(recording()).WriteText(&out); err != nil {
			t.Fatal(err)
		}
		text := out.String()
		lines[name] = strings.Count(text, "\n")
		if strings.ContainsFunc(text, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) {
			t.Errorf("%s: control characters:\n%q", name, text)
		}
		tables, _, _ := strings.Cut(text, "\nskipped\n")
		tables, _, _ = strings.Cut(tables, "\nwarnings\n")
		for line := range strings.SplitSeq(tables, "\n") {
			if name != "hostile" && utf8.RuneCountInString(line) > 100 {
				t.Errorf("%s: %d columns: %s", name, utf8.RuneCountInString(line), line)
			}
		}
	}
	y := newSynthetic(6)
	y.add(rr("a"), offOn(even, truth{rate: 1, latency: 1, cpu: 1, spread: 0.02, share: 1, failed: map[int]string{0: "b"}}))
	y.add(rr("c"), offOn(even, even))
	y.Environment.Host.SockOps = []string{"d"}
	y.Skips = []record.Skip{{Scenario: "e", Reason: "f"}}
	var harmless bytes.Buffer
	if err := New(&y.Recording).WriteText(&harmless); err != nil {
		t.Fatal(err)
	}
	if want := strings.Count(harmless.String(), "\n"); lines["hostile"] != want {
		t.Errorf("%d lines of a hostile recording, %d of a harmless one", lines["hostile"], want)
	}
}

// Columns end where their headers end.
func TestTablesLineUp(t *testing.T) {
	var p printer
	tab := table{{"what", "", "req/s", "µ"}, {"a", "off", "1", "22222"}, {"", "baseline", "!12345678", ""}}
	tab.print(&p)
	want := "" +
		"what                req/s      µ\n" +
		"a     off               1  22222\n" +
		"      baseline  !12345678\n"
	if p.text.String() != want {
		t.Errorf("\n%swant\n%s", p.text.String(), want)
	}
}

func TestCells(t *testing.T) {
	for _, x := range [][2]string{
		{signed(123.4), "+123"},
		{signed(12.34), "+12.3"},
		{signed(-0.04), "-0.04"},
		{signed(0.05), "+0.1"},
		{probability(0.00099), "<0.001"},
		{probability(0.0494), "0.049"},
		{floorPercent(0.99999), "99.9"},
		{floorPercent(1), "100.0"},
		{seconds(0.3), "300ms"},
	} {
		if x[0] != x[1] {
			t.Errorf("%q, want %q", x[0], x[1])
		}
	}
}

// Bytes per second have one unit for a table.
func TestThroughputUnit(t *testing.T) {
	for _, x := range []struct {
		medians []float64
		want    string
	}{
		{[]float64{3e6, 13e9}, "MB/s"},
		{[]float64{2e9, 13e9}, "GB/s"},
		{[]float64{0, 13e9}, "GB/s"},
	} {
		r := &Report{Cases: []Case{{Case: stream("x", 1)}}}
		for _, v := range x.medians {
			r.Cases[0].Modes = append(r.Cases[0].Modes, Mode{Throughput: Interval{Median: v}})
		}
		if _, got, _ := throughputUnit(r, record.UnitBytes); got != x.want {
			t.Errorf("%v in %s, want %s", x.medians, got, x.want)
		}
	}
}

// What is empty is [], what is not there is null, zeros are there.
func TestJSONSchema(t *testing.T) {
	var out bytes.Buffer
	if err := New(&record.Recording{}).WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	var got map[string]json.RawMessage
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"cases", "skips"} {
		if string(got[key]) != "[]" {
			t.Errorf("%s is %s, want []", key, got[key])
		}
	}
}
