package report

import "slices"

// htmlPanel is the chart of a scenario in a part of the page.
type htmlPanel struct {
	Scenario *htmlScenario
	Part     string
	Axis     htmlAxis
	Rows     []htmlRow
}

// htmlRow is a case in a panel, with a lane for each mode.
type htmlRow struct {
	Name, Note string
	Label      htmlLabel // beside the note
	Noise      string    // "" if the machine was quiet enough
	Lanes      []htmlLane
}

// htmlLane is what a mode's line of a chart shows: a picture and its numbers.
type htmlLane struct {
	Mode, Kind string
	Alt        string // the picture in words
	Band       *htmlSpan
	Worse      *htmlSpan // where a mode is worse than off
	Line       *htmlSpan
	Marks      []htmlMark
	Label      htmlLabel
	Numbers    []string
}

type htmlSpan struct{ X, Width, End string }

// span returns the part of the axis between two values, nil if there is none.
func (a htmlAxis) span(lo, hi float64) *htmlSpan {
	from, _ := a.place(lo)
	to, _ := a.place(hi)
	if to <= from {
		return nil
	}
	return &htmlSpan{X: htmlX(from), Width: htmlX(to - from), End: htmlX(to)}
}

// htmlMark is a dot. Modes differ in colour and shape.
type htmlMark struct {
	Kind   string
	X      string
	Hollow bool // without an interval, or rare
	Small  bool
	Edge   int // -1 or 1: the value is outside of the axis
}

// Path draws the mark around 0, 0.
func (m htmlMark) Path() string {
	switch {
	case m.Edge < 0:
		return "M5-5L-4 0 5 5z"
	case m.Edge > 0:
		return "M-5-5L4 0-5 5z"
	}
	return map[string]string{
		"off":      "M-2-5.5h4v11h-4z",
		"on":       "M-4.5 0a4.5 4.5 0 1 1 9 0a4.5 4.5 0 1 1-9 0z",
		"baseline": "M0-5.5L5.5 4h-11z",
		"unix":     "M0-5.5L5.5 0 0 5.5-5.5 0z",
		"other":    "M-4-4h8v8h-8z",
	}[m.Kind]
}

// htmlKind is the class of a mode, which a recording of another version may
// call as it likes.
func htmlKind(mode string) string {
	if slices.Contains([]string{"off", "on", "baseline", "unix"}, mode) {
		return mode
	}
	return "other"
}

// htmlLabel is a difference in words.
type htmlLabel struct {
	Tone  string // "good" or "bad" if it is shown
	Text  string // such as "+12.4 %", or "~"
	Range string
	Why   string // with "~"
}

// Words are the label without markup.
func (l htmlLabel) Words() string {
	text := l.Text
	for _, more := range []string{l.Range, l.Why} {
		if more != "" {
			text += " " + more
		}
	}
	return text
}

// label is never a difference without its interval.
func (m htmlMetric) label(d *Difference) htmlLabel {
	switch {
	case d == nil:
		return htmlLabel{Text: "~", Why: "not compared"}
	case d.Shown && htmlKnown(d.Percent):
		l := htmlLabel{Text: htmlPercent(d.Percent.Median), Range: htmlPercentRange(d.Percent), Tone: "good"}
		if d.Percent.Median*m.sign < 0 {
			l.Tone = "bad"
		}
		return l
	case d.Why == whyP:
		return htmlLabel{Text: "~", Range: htmlPercentRange(d.Percent), Why: "p = " + htmlP(d.P)}
	case d.Why == whyInterval:
		return htmlLabel{Text: "~", Range: htmlPercentRange(d.Percent), Why: "spans 0"}
	}
	return htmlLabel{Text: "~", Why: d.Why}
}
