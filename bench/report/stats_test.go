package report

import (
	"math"
	"testing"
)

func values(v ...float64) series {
	s := series{}
	for i, x := range v {
		s[i] = x
	}
	return s
}

func upTo(n int) series {
	s := series{}
	for i := range n {
		s[i] = float64(n - i) // in no order
	}
	return s
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*max(1, math.Abs(b)) }

// The bounds are the order statistics of the binomial distribution, such as
// those of table A.11 in Hollander and Wolfe.
func TestInterval(t *testing.T) {
	for _, x := range []struct {
		n              int
		median, lo, hi float64
	}{
		{6, 3.5, 1, 6}, // 96.9 %
		{7, 4, 1, 7},   // 98.4 %
		{9, 5, 2, 8},   // 96.1 %
		{10, 5.5, 2, 9},
		{12, 6.5, 3, 10}, // 96.1 %
		{20, 10.5, 6, 15},
		{30, 15.5, 10, 21},
	} {
		got := upTo(x.n).interval()
		if got.Lo == nil || got.Hi == nil {
			t.Errorf("%d values have no interval", x.n)
		} else if got.Median != x.median || *got.Lo != x.lo || *got.Hi != x.hi {
			t.Errorf("%d values: %g [%g, %g], want %g [%g, %g]", x.n, got.Median, *got.Lo, *got.Hi, x.median, x.lo, x.hi)
		}
	}
	for n := 1; n < minRounds; n++ {
		got := upTo(n).interval()
		if got.Median != float64(n+1)/2 || got.Lo != nil || got.Hi != nil {
			t.Errorf("%d values: %+v, want the median and no interval", n, got)
		}
	}
	if got := (series{}).interval(); got != (Interval{}) {
		t.Errorf("nothing: %+v", got)
	}
}

func TestMannWhitney(t *testing.T) {
	for _, x := range []struct {
		name    string
		off, on series
		p       float64
	}{
		// The number of ways in which n values can all be below n others is 1
		// of 2n over n, at each side.
		{"n=4 apart", values(1, 2, 3, 4), values(5, 6, 7, 8), 2.0 / 70},
		{"n=5 apart", values(1, 2, 3, 4, 5), values(6, 7, 8, 9, 10), 2.0 / 252},
		{"n=10 apart", upTo(10), values(11, 12, 13, 14, 15, 16, 17, 18, 19, 20), 2.0 / 184756},
		// U = 2 of 16: 1 + 1 + 2 of the 70 orders have at most that.
		{"n=4 U=2", values(1, 2, 3, 6), values(4, 5, 7, 8), 8.0 / 70},
		{"equal", values(1, 1, 1), values(1, 1, 1), 1},
		// Hollander and Wolfe, permeability of membranes, as in R's help of
		// wilcox.test: W = 35, two-sided.
		{
			"membranes", values(0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46),
			values(1.15, 0.88, 0.90, 0.74, 1.21), 0.2544122544122544,
		},
	} {
		t.Run(x.name, func(t *testing.T) {
			for _, got := range []float64{difference(x.off, x.on, false, false).P, difference(x.on, x.off, false, false).P} {
				if !near(got, x.p) {
					t.Errorf("p = %.16g, want %.16g", got, x.p)
				}
			}
		})
	}
}

func TestDifference(t *testing.T) {
	quiet := values(100, 101, 102, 103, 104, 105, 106, 107, 108, 109)
	times := func(s series, by float64) series {
		out := series{}
		for block, v := range s {
			out[block] = v * by
		}
		return out
	}
	doubling := values(1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
	// Two blocks were twice as fast without acceleration, by luck.
	lucky := values(100, 101, 102, 103, 104, 105, 106, 107, 300, 301)
	luckier := values(150, 151, 152, 153, 154, 155, 156, 157, 158, 159)
	for _, x := range []struct {
		name          string
		off, on       series
		noisy, failed bool
		median        float64
		why           string
	}{
		{"faster", quiet, times(quiet, 1.5), false, false, 50, ""},
		{"slower", quiet, times(quiet, 0.5), false, false, -50, ""},
		{"the same", quiet, times(quiet, 1.001), false, false, 0.1, whyP},
		{"drift", doubling, times(doubling, 1.1), false, false, 10, whyP},
		{"two lucky blocks", lucky, luckier, false, false, (154.0/104 + 155.0/105 - 2) * 50, whyInterval},
		{"noise", quiet, times(quiet, 3), true, false, 200, whyNoise},
		{"errors", quiet, times(quiet, 3), false, true, 200, whyErrors},
		{"few", values(1, 2, 3, 4, 5), values(11, 12, 13, 14, 15), false, false, 333.3333333333333, whyFew},
		{"few blocks in both", quiet, series{0: 200, 1: 202, 12: 1}, false, false, 100, whyFew},
		{"off did nothing", values(0, 0, 0, 0, 0, 0), values(1, 2, 3, 4, 5, 6), false, false, 0, whyFew},
	} {
		t.Run(x.name, func(t *testing.T) {
			d := difference(x.off, x.on, x.noisy, x.failed)
			if !near(d.Percent.Median, x.median) || d.Why != x.why || d.Shown != (x.why == "") {
				t.Errorf("%+v, want %g %q", d, x.median, x.why)
			}
		})
	}
	for _, x := range [][2]series{{quiet, {}}, {{}, quiet}} {
		if d := difference(x[0], x[1], false, false); d != nil {
			t.Errorf("a difference to nothing: %+v", d)
		}
	}
}

func TestNoise(t *testing.T) {
	for _, x := range []struct {
		values series
		want   float64
	}{
		{values(1, 2, 3, 4, 5), 200.0 / 3},    // quartiles 2 and 4
		{upTo(10), (7.75 - 3.25) / 5.5 * 100}, // as R's IQR
		{values(7, 7, 7, 100), 332.1428571428571},
		{values(7), 0},
		{values(0, 0), 0},
		{series{}, 0},
	} {
		if got := x.values.noise(); !near(got, x.want) {
			t.Errorf("%v: %.16g, want %.16g", x.values, got, x.want)
		}
	}
}

// A rate of nothing in no time, and the like.
func TestValuesThatAreNone(t *testing.T) {
	s := series{}
	for i, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), -1, 1e300, 1e-300} {
		s.add(i, v)
	}
	if s.add(9, 3); len(s) != 1 || s[9] != 3 {
		t.Errorf("%v", s)
	}
}
