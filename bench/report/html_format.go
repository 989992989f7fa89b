package report

import (
	"math"
	"strconv"
	"strings"

	"github.com/sockaccel/sockaccel/bench/record"
)

const (
	// htmlSpace is narrow and does not break: between digits and before "%".
	htmlSpace = "\u202f"
	htmlNone  = "–"
)

func htmlFinite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// htmlNumber formats v with about three significant digits, integers in full.
func htmlNumber(v float64) string { return htmlDecimals(v, htmlPlaces(v)) }

// htmlPlaces is how many decimals tell about three significant digits.
func htmlPlaces(v float64) int {
	switch v = math.Abs(v); {
	case v == 0 || v >= 100:
		return 0
	case v >= 10:
		return 1
	case v >= 1:
		return 2
	}
	return 3
}

func htmlDecimals(v float64, places int) string {
	if !htmlFinite(v) {
		return htmlNone
	}
	text := strconv.FormatFloat(math.Abs(v), 'f', places, 64)
	whole, fraction, _ := strings.Cut(text, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + htmlSpace + whole[i:]
	}
	if fraction != "" {
		whole += "." + fraction
	}
	if v < 0 && strings.Trim(text, "0.") != "" {
		return "−" + whole
	}
	return whole
}

// htmlRange is an interval beside its median; "" if there is none.
func htmlRange(i Interval, scale float64) string {
	if !htmlKnown(i) {
		return ""
	}
	places := htmlPlaces(i.Median * scale)
	return "[" + htmlDecimals(*i.Lo*scale, places) + ", " + htmlDecimals(*i.Hi*scale, places) + "]"
}

func htmlKnown(i Interval) bool {
	return i.Lo != nil && i.Hi != nil && htmlFinite(*i.Lo) && htmlFinite(*i.Hi)
}

// htmlPercent formats a difference.
func htmlPercent(v float64) string { return htmlSigned(v) + htmlSpace + "%" }

func htmlSigned(v float64) string {
	if !htmlFinite(v) {
		return htmlNone
	}
	return strings.Replace(signed(v), "-", "−", 1)
}

func htmlPercentRange(i Interval) string {
	if !htmlKnown(i) {
		return ""
	}
	return "[" + htmlSigned(*i.Lo) + ", " + htmlSigned(*i.Hi) + "]"
}

func htmlShare(share float64) string {
	if !htmlFinite(share) {
		return htmlNone
	}
	return floorPercent(share) + htmlSpace + "%"
}

func htmlP(p float64) string {
	if !htmlFinite(p) {
		return htmlNone
	}
	return probability(p)
}

// htmlUnit is in what, and with which factor, throughput is shown.
func htmlUnit(unit string) (scale float64, name string) {
	if unit == record.UnitBytes {
		return 1e-6, "MB/s"
	}
	return 1, unit
}
