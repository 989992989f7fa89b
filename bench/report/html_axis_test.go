package report

import (
	"math"
	"strings"
	"testing"
)

func TestHTMLAxis(t *testing.T) {
	a := htmlAxis{lo: 0.25, hi: 4}
	for _, x := range []struct {
		v, at   float64
		outside int
	}{
		{0.25, 0, 0}, {0.5, 25, 0}, {1, 50, 0}, {2, 75, 0}, {4, 100, 0},
		{0.2, 0, -1}, {0, 0, -1}, {-1, 0, -1}, {math.NaN(), 0, -1}, {4.1, 100, 1}, {math.Inf(1), 100, 1},
	} {
		if at, outside := a.place(x.v); math.Abs(at-x.at) > 1e-9 || outside != x.outside {
			t.Errorf("%g is at %g, %d; want %g, %d", x.v, at, outside, x.at, x.outside)
		}
	}
}

// A whisker is where the label says, off is the band, and a loss is as far
// from the line as a gain.
func TestHTMLRelative(t *testing.T) {
	r := one(func(c *Case) {
		c.Modes[0].Throughput = htmlInterval(1000, 100)
		c.Modes[1].Difference = &Difference{Percent: htmlInterval(-50, 10), Shown: true}
		c.Modes[2].Difference = &Difference{Percent: htmlInterval(100, 20), Shown: true}
		c.Modes[3].Difference = &Difference{Percent: Interval{Median: 900}, Shown: true}
	})
	axis := htmlRatioAxis(r)
	at := func(v float64) string { x, _ := axis.place(v); return htmlX(x) }
	lanes := htmlRelativePanel(&htmlScenarios(r)[0], htmlThroughput, axis).Rows[0].Lanes
	one, _ := axis.place(1)
	half, _ := axis.place(0.5)
	twice, _ := axis.place(2)
	if math.Abs((one-half)-(twice-one)) > 1e-9 {
		t.Errorf("half is at %g, one at %g, twice at %g", half, one, twice)
	}
	on, baseline, unix := lanes[0], lanes[1], lanes[2]
	if on.Marks[0].X != at(0.5) || on.Line.X != at(0.4) || on.Line.End != at(0.6) || on.Label.Tone != "bad" || on.Marks[0].Hollow {
		t.Errorf("on: %+v", on)
	}
	if baseline.Marks[0].X != at(2) || baseline.Band.X != at(0.9) || baseline.Band.End != at(1.1) || baseline.Label.Tone != "good" {
		t.Errorf("baseline: %+v", baseline)
	}
	if m := unix.Marks[0]; m.Edge != 1 || m.X != "100.00" || !m.Hollow || unix.Line != nil {
		t.Errorf("unix, beyond the axis and without interval: %+v", unix)
	}
	if axis.Ticks[0].Text != "100"+htmlSpace+"%" || !axis.Ticks[0].Main || axis.Ticks[0].X != at(1) {
		t.Errorf("ticks %+v", axis.Ticks)
	}
	if tone := htmlCPU.label(&Difference{Percent: htmlInterval(-5, 1), Shown: true}).Tone; tone != "good" {
		t.Errorf("less CPU time is %q", tone)
	}
}

// Where nothing can be said, p does not say it either, and nothing is a
// difference without its interval.
func TestHTMLUndecided(t *testing.T) {
	for _, x := range []struct {
		d        Difference
		words, p string
	}{
		{Difference{Percent: htmlInterval(9, 1), P: 0.002, Shown: true}, "+9.0_% [+8.0, +10.0]", "0.002"},
		{Difference{Percent: htmlInterval(9, 1), P: 0.2, Why: whyP}, "~ [+8.0, +10.0]", "0.200"},
		{Difference{Percent: htmlInterval(1, 2), P: 0.04, Why: whyInterval}, "~ [−1.0, +3.0] spans 0", "0.040"},
		{Difference{Percent: htmlInterval(9, 1), P: 0.002, Why: whyNoise}, "~ noise", ""},
		{Difference{Percent: Interval{Median: 9}, P: 0.002, Why: whyFew}, "~ few rounds", ""},
		{Difference{Percent: Interval{Median: 9}, P: 0.002, Shown: true}, "~", "0.002"},
	} {
		row := htmlTableMode(&Mode{Difference: &x.d}, 1)
		if got := strings.ReplaceAll(row.Difference.Words(), htmlSpace, "_"); got != x.words || row.P != x.p {
			t.Errorf("%+v: %q, p %q", x.d, got, row.P)
		}
	}
}

// A median when on is never beyond the axis, whatever the others are.
func TestHTMLAxisReachesOn(t *testing.T) {
	r := one(func(c *Case) { c.Modes[1].Difference.Percent = htmlInterval(700, 1) })
	if _, outside := htmlRatioAxis(r).place(8); outside != 0 {
		t.Error("on is outside")
	}
}

func TestHTMLFormat(t *testing.T) {
	for _, x := range []struct{ got, want string }{
		{htmlNumber(0), "0"}, {htmlNumber(0.0512), "0.051"}, {htmlNumber(1.234), "1.23"}, {htmlNumber(12.34), "12.3"},
		{htmlNumber(123.4), "123"}, {htmlNumber(1234), "1_234"}, {htmlNumber(1234567), "1_234_567"},
		{htmlNumber(-1234.5), "−1_234"}, {htmlNumber(-0.0001), "0.000"}, {htmlNumber(math.Inf(-1)), "–"},
		{htmlPercent(12.44), "+12.4_%"}, {htmlPercent(-8.2), "−8.2_%"}, {htmlPercent(130.4), "+130_%"},
		{htmlPercent(math.NaN()), "–_%"},
		{htmlRange(htmlInterval(2000, 1.5), 1), "[1_998, 2_002]"}, {htmlRange(htmlInterval(2e6, 1e5), 1e-6), "[1.90, 2.10]"},
		{htmlRange(Interval{Median: 1}, 1), ""}, {htmlPercentRange(htmlInterval(-1, 2)), "[−3.0, +1.0]"},
		{htmlShare(0.99999), "99.9_%"}, {htmlShare(1), "100.0_%"}, {htmlP(0.0002), "<0.001"}, {htmlP(0.25), "0.250"},
		{htmlTime(0.5), "0.5_µs"}, {htmlTime(200), "200_µs"}, {htmlTime(5000), "5_ms"}, {htmlTime(1e6), "1_s"},
	} {
		if got := strings.ReplaceAll(x.got, htmlSpace, "_"); got != x.want {
			t.Errorf("%q, want %q", got, x.want)
		}
	}
}
