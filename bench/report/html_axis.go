package report

import (
	"math"
	"slices"
	"strconv"

	"github.com/sockaccel/sockaccel/bench/record"
)

// htmlAxis is logarithmic: twice as fast and half as fast are equally far from
// equal, so that losses are as visible as gains.
type htmlAxis struct {
	lo, hi float64
	Ticks  []htmlTick
}

// htmlTick is a line of the grid; X is in % of the width, as all coordinates:
// then a chart fits any screen and its text keeps its size.
type htmlTick struct {
	X, Text string
	Main    bool // off
	Fine    bool // without room for its text but on a wide screen
}

// How far labels of an axis have to be apart, in % of the width of a chart on
// a phone, and on a wide screen.
const htmlApart, htmlFineApart = 14.0, 10.0

// place returns where v is, and -1 or 1 if that is before or behind the axis.
func (a htmlAxis) place(v float64) (x float64, outside int) {
	switch {
	case !(v >= a.lo): // also if v is not a number
		return 0, -1
	case v > a.hi:
		return 100, 1
	}
	return 100 * math.Log(v/a.lo) / math.Log(a.hi/a.lo), 0
}

// ticks draws those of the values that have room, the first ones first.
func (a *htmlAxis) ticks(values []float64, text func(float64) string) {
	var at []float64
	for _, apart := range []float64{htmlApart, htmlFineApart} {
		for _, v := range values {
			x, outside := a.place(v)
			crowded := slices.ContainsFunc(at, func(other float64) bool { return math.Abs(x-other) < apart })
			if outside == 0 && !crowded {
				at = append(at, x)
				a.Ticks = append(a.Ticks, htmlTick{X: htmlX(x), Text: text(v), Fine: apart == htmlFineApart})
			}
		}
	}
}

func htmlX(x float64) string { return strconv.FormatFloat(x, 'f', 2, 64) }

// What is farther away from off than this is drawn as an arrow at the edge,
// so that it does not squeeze all others; unless it is the median when on.
const htmlFarthest = 4

// htmlRatioAxis is the one axis of all panels that compare with off.
func htmlRatioAxis(r *Report) htmlAxis {
	a := htmlAxis{lo: 0.8, hi: 1.25}
	include := func(v, farthest float64) {
		if !htmlFinite(v) {
			return
		}
		v = max(min(v, farthest), 1/farthest)
		a.lo, a.hi = min(a.lo, v/1.05), max(a.hi, v*1.05)
	}
	for i := range r.Cases {
		for _, m := range r.Cases[i].Modes {
			for _, metric := range []htmlMetric{htmlThroughput, htmlCPU} {
				ratio, ok := metric.ratio(&r.Cases[i], &m)
				if !ok || m.Mode != record.ModeOff && !metric.draws(m.Mode) {
					continue
				}
				farthest := float64(htmlFarthest)
				if m.Mode == record.ModeOn {
					farthest *= htmlFarthest
				}
				include(ratio.Median, farthest)
				if htmlKnown(ratio) {
					include(*ratio.Lo, htmlFarthest)
					include(*ratio.Hi, htmlFarthest)
				}
			}
		}
	}
	a.ticks([]float64{1, 2, 0.5, 4, 0.25, 1.5, 0.75, 3, 8, 0.125, 1.25, 16, 0.0625}, func(v float64) string {
		return strconv.FormatFloat(100*v, 'f', -1, 64) + htmlSpace + "%"
	})
	a.Ticks[0].Main = true // 100 % is on every axis
	return a
}

// htmlTimeAxis is for latencies in µs.
func htmlTimeAxis(values []float64) htmlAxis {
	var a htmlAxis
	for _, v := range values {
		if !htmlFinite(v) || v <= 0 {
			continue
		}
		if a.lo == 0 {
			a.lo, a.hi = v, v
		}
		a.lo, a.hi = min(a.lo, v), max(a.hi, v)
	}
	if a.lo == 0 {
		return htmlAxis{lo: 1, hi: 10}
	}
	a.lo, a.hi = a.lo/1.15, a.hi*1.15
	var decades, between []float64
	for v := 0.001; v < 1e9; v *= 10 {
		decades = append(decades, v)
		between = append(between, 2*v, 5*v)
	}
	a.ticks(append(decades, between...), htmlTime)
	return a
}

// htmlTime formats a round number of µs for an axis.
func htmlTime(us float64) string {
	unit := "µs"
	switch {
	case us >= 0.99e6:
		us, unit = us/1e6, "s"
	case us >= 0.99e3:
		us, unit = us/1e3, "ms"
	}
	return strconv.FormatFloat(us, 'g', 4, 64) + htmlSpace + unit
}
