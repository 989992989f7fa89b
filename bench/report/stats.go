package report

import (
	"maps"
	"math"
	"slices"

	// What benchstat judges Go benchmarks with: medians with intervals of
	// order statistics, and an exact Mann-Whitney U test.
	"golang.org/x/perf/benchmath"
)

// tooNoisy is the interquartile range of off, in % of its median, above which
// no difference is shown. Intervals and p take the rounds for draws from one
// state of the machine. When the middle half of equal rounds is spread over
// more than a quarter of the median, which is more than most effects that are
// looked for, the machine was in several, and ten rounds do not average them
// out. It is a constant, so that it can not be chosen after looking.
const tooNoisy = 25

// Why a difference is not shown, see [Difference].
const (
	whyErrors   = "errors"
	whyFew      = "few rounds"
	whyNoise    = "noise"
	whyP        = "p"
	whyInterval = "interval"
)

// series holds the values of a mode by block. A block in which there was
// nothing to be measured has none.
type series map[int]float64

// add adds a value that can be one: a damaged recording holds any number, and
// neither sums nor ratios of these can overflow.
func (s series) add(block int, v float64) {
	if v == 0 || (v >= 1e-18 && v <= 1e18) {
		s[block] = v
	}
}

func (s series) sample() *benchmath.Sample {
	return benchmath.NewSample(slices.Collect(maps.Values(s)), &benchmath.DefaultThresholds)
}

// interval returns the median with its interval, which takes six values.
func (s series) interval() Interval {
	if len(s) == 0 {
		return Interval{}
	}
	sum := benchmath.AssumeNothing.Summary(s.sample(), Confidence)
	out := Interval{Median: sum.Center}
	if !math.IsInf(sum.Lo, 0) && !math.IsInf(sum.Hi, 0) {
		out.Lo, out.Hi = &sum.Lo, &sum.Hi
	}
	return out
}

// noise returns the interquartile range in % of the median.
func (s series) noise() float64 {
	x := s.sample().Values
	if len(x) == 0 || quantile(x, 0.5) == 0 {
		return 0
	}
	return (quantile(x, 0.75) - quantile(x, 0.25)) / quantile(x, 0.5) * 100
}

// quantile interpolates between the values next to it, as R does by default.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	lo := int(at)
	hi := min(lo+1, len(sorted)-1)
	return sorted[lo] + (at-float64(lo))*(sorted[hi]-sorted[lo])
}

// difference compares on with off; nil if there is nothing to compare.
func difference(off, on series, noisy, failed bool) *Difference {
	if len(off) == 0 || len(on) == 0 {
		return nil
	}
	ratios := make(series)
	for block, v := range on {
		// What the machine does besides is alike within a block.
		if was := off[block]; was > 0 {
			ratios[block] = (v/was - 1) * 100
		}
	}
	d := &Difference{
		Percent: ratios.interval(),
		P:       benchmath.AssumeNothing.Compare(off.sample(), on.sample()).P,
	}
	switch {
	case failed:
		d.Why = whyErrors
	case d.Percent.Lo == nil:
		d.Why = whyFew
	case noisy:
		d.Why = whyNoise
	case d.P >= Alpha:
		d.Why = whyP
	case *d.Percent.Lo <= 0 && *d.Percent.Hi >= 0:
		d.Why = whyInterval
	}
	d.Shown = d.Why == ""
	return d
}
