package report

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sockaccel/sockaccel/bench/record"
)

func renderHTML(t *testing.T, r *Report) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := r.WriteHTML(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestHTML(t *testing.T) {
	many := newHTMLFixture()
	for i := range 35 {
		many.add(fmt.Sprintf("scenario %d", i/5), fmt.Sprintf("case %d", i), 1000, modes, float64(i-17), 3, 60)
	}
	for _, x := range []struct {
		name   string
		report *Report
		plots  int // lanes of throughput, latency and CPU time, with an axis for each panel
	}{
		{"no case", &newHTMLFixture().Report, 0},
		{"nothing at all", &Report{}, 0},
		{"one case", one(func(*Case) {}), 3 + 4 + 1 + 3},
		{"35 cases", &many.Report, 35*(3+4+1) + 7*3},
		{"off only", one(func(c *Case) { c.Modes = c.Modes[:1] }), 1 + 1},
		{"no off", one(func(c *Case) { c.Modes = c.Modes[1:] }), 3 + 1},
		{"no latency", one(each(func(m *Mode) { m.Latency, m.P99Difference = nil, nil })), 3 + 1 + 2},
		{"no intervals", one(each(noIntervals)), 3 + 4 + 1 + 3},
		{"no differences", one(each(func(m *Mode) { m.Difference, m.CPUDifference, m.P99Difference = nil, nil, nil })), 3 + 4 + 1 + 3},
		{"nothing done", one(each(func(m *Mode) { *m = Mode{Mode: m.Mode} })), 0},
		{"not a number", one(each(func(m *Mode) { spoil(m, math.NaN()) })), 4 + 1},
		{"infinite", one(each(func(m *Mode) { spoil(m, math.Inf(1)) })), 4 + 1},
		{"unknown mode", one(each(func(m *Mode) { m.Mode = strings.Replace(m.Mode, "unix", "tls", 1) })), 3 + 4 + 1 + 3},
	} {
		t.Run(x.name, func(t *testing.T) {
			page := renderHTML(t, x.report)
			checkHTML(t, page)
			if n := bytes.Count(page, []byte(`<svg class="plot`)); n != x.plots {
				t.Errorf("%d pictures, want %d", n, x.plots)
			}
		})
	}
}

// one is a report of a case that change has changed.
func one(change func(*Case)) *Report {
	f := newHTMLFixture()
	change(f.add("rr", "64B x1", 1000, modes, 50, 60, 70))
	return &f.Report
}

func each(change func(*Mode)) func(*Case) {
	return func(c *Case) {
		for i := range c.Modes {
			change(&c.Modes[i])
		}
	}
}

func noIntervals(m *Mode) {
	all := []*Interval{&m.Throughput, &m.CPUSecondsPerMillion}
	for _, d := range []*Difference{m.Difference, m.CPUDifference, m.P99Difference} {
		if d != nil {
			d.Shown, d.Why = false, whyFew
			all = append(all, &d.Percent)
		}
	}
	for _, i := range all {
		i.Lo, i.Hi = nil, nil
	}
}

func spoil(m *Mode, v float64) {
	m.Throughput, m.CPUSecondsPerMillion = htmlInterval(v, v), htmlInterval(v, v)
	m.RedirectedShare = &v
	m.Latency = &Latency{v, v, v, v, enough}
	for _, d := range []*Difference{m.Difference, m.CPUDifference, m.P99Difference} {
		if d != nil {
			d.Percent, d.P = htmlInterval(v, v), v
		}
	}
}

// Whatever a recording says is text and nothing else.
func TestHTMLEscapes(t *testing.T) {
	d := checkHTML(t, renderHTML(t, hostile()))
	// With the case twice in charts and once in the numbers, in 14 lines of
	// the environment, in 4 of mitigations and sysctls, in 3 of warnings and
	// skips, as an error and as a reason.
	if n := strings.Count(d.text, hostileText); n < 30 {
		t.Errorf("the text is there %d times only", n)
	}
}

// What is lost is said as loudly as what is gained, nothing without its interval.
func TestHTMLSays(t *testing.T) {
	d := checkHTML(t, renderHTML(t, realistic()))
	text := strings.ReplaceAll(d.text, htmlSpace, "_")
	for _, want := range []string{
		"Faster in 9 of 26 cases, slower in 3, undecided in 14; 99.3_% of the messages were redirected in the median case, 41.2_% in the lowest.",
		"stream/64B x16 −22.0_% [−22.1, −21.9]", "noise 34_%", "few rounds", "~ errors", "spans 0", "~ [−0.8, +0.9] p = 0.388",
		"124_167", "<0.001", "3 errors: read: connection reset by peer",
		"10 rounds, a number that was fixed beforehand", "Of 77 comparisons", "910 runs were measured",
		"redis: redis-benchmark is not there", "Mitigation: Enhanced IBRS", "4096 131072 6291456", "8231094717",
		"bench run --baseline --rounds 10", "the usual 4-tuple redirect: fast and unsafe",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	for _, c := range realistic().Cases {
		want := 3
		if c.Modes[0].Latency != nil {
			want = 4
		}
		if c.Name != "" && strings.Count(text, c.Name) < want {
			t.Errorf("%s is not in throughput, latency, CPU time and numbers", c.ID)
		}
	}
	for i, e := range d.elements {
		if tone := e.attribute("class"); e.name() == "b" && (tone == "good" || tone == "bad") {
			if d.elements[i+1].attribute("class") != "range" {
				t.Errorf("difference without interval: %s", e.text)
			}
		}
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("disk is full") }

func TestHTMLWriteError(t *testing.T) {
	if err := realistic().WriteHTML(brokenWriter{}); err == nil || err.Error() != "write page: disk is full" {
		t.Error(err)
	}
}

// Reports of recordings are pages as well.
func TestHTMLOfRecordings(t *testing.T) {
	files, err := filepath.Glob("testdata/*.jsonl")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings: %v", err)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			f, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			rec, err := record.Read(f)
			if err != nil {
				t.Fatal(err)
			}
			r := New(rec)
			d := checkHTML(t, renderHTML(t, r))
			for _, w := range r.Warnings {
				if !strings.Contains(d.text, w) {
					t.Errorf("the page does not warn: %s", w)
				}
			}
		})
	}
}
