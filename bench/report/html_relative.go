package report

import "github.com/sockaccel/sockaccel/bench/record"

// htmlMetric is something that is shown relative to off.
type htmlMetric struct {
	name string
	// sign is 1 where more is better and -1 where less is.
	sign       float64
	value      func(*Mode) Interval
	difference func(*Mode) *Difference
	all        bool // draw all modes, not only on
	note       func(*Case) string
}

var (
	htmlThroughput = htmlMetric{
		name: "Throughput", sign: 1, all: true,
		value:      func(m *Mode) Interval { return m.Throughput },
		difference: func(m *Mode) *Difference { return m.Difference },
		note: func(c *Case) string {
			scale, unit := htmlUnit(c.Unit)
			return "off " + htmlNumber(c.mode(record.ModeOff).Throughput.Median*scale) + " " + unit
		},
	}
	htmlCPU = htmlMetric{
		name: "CPU time per operation", sign: -1,
		value:      func(m *Mode) Interval { return m.CPUSecondsPerMillion },
		difference: func(m *Mode) *Difference { return m.CPUDifference },
		note: func(c *Case) string {
			return htmlNumber(c.mode(record.ModeOff).CPUSecondsPerMillion.Median) + " → " +
				htmlNumber(c.mode(record.ModeOn).CPUSecondsPerMillion.Median) + " s"
		},
	}
	// htmlP99 only has labels.
	htmlP99 = htmlMetric{sign: -1}
)

// htmlRelativePanel shows a metric in all modes relative to off.
func htmlRelativePanel(s *htmlScenario, metric htmlMetric, axis htmlAxis) htmlPanel {
	p := htmlPanel{Axis: axis}
	for _, c := range s.Cases {
		off, ok := metric.ratio(c, c.mode(record.ModeOff))
		if !ok {
			continue
		}
		row := htmlRow{Name: htmlCaseName(c)}
		for i := range c.Modes {
			m := &c.Modes[i]
			if ratio, ok := metric.ratio(c, m); ok && metric.draws(m.Mode) {
				row.Lanes = append(row.Lanes, metric.lane(m, ratio, off, axis))
			}
		}
		if len(row.Lanes) == 0 {
			continue
		}
		row.Note = metric.note(c)
		if c.Noisy {
			row.Noise = htmlDecimals(c.NoisePercent, 0) + htmlSpace + "%"
		}
		p.Rows = append(p.Rows, row)
	}
	return p
}

// draws reports whether a mode has a lane of its own: off is the band behind
// the others.
func (m htmlMetric) draws(mode string) bool {
	return mode == record.ModeOn || m.all && mode != record.ModeOff
}

// ratio is a mode relative to off, 1 if equal: the difference, where it is
// known, because that is what the label says. It is false if off is nothing.
func (m htmlMetric) ratio(c *Case, mode *Mode) (Interval, bool) {
	off := c.mode(record.ModeOff)
	if off == nil || mode == nil {
		return Interval{}, false
	}
	unit := m.value(off).Median
	if !htmlFinite(unit) || unit <= 0 {
		return Interval{}, false
	}
	i, scale, shift := m.value(mode), 1/unit, 0.0
	if d := m.difference(mode); d != nil {
		i, scale, shift = d.Percent, 0.01, 1
	}
	ratio := Interval{Median: shift + i.Median*scale}
	if htmlKnown(i) {
		lo, hi := shift+*i.Lo*scale, shift+*i.Hi*scale
		ratio.Lo, ratio.Hi = &lo, &hi
	}
	return ratio, htmlFinite(ratio.Median)
}

func (m htmlMetric) lane(mode *Mode, ratio, off Interval, axis htmlAxis) htmlLane {
	kind := htmlKind(mode.Mode)
	x, edge := axis.place(ratio.Median)
	lane := htmlLane{
		Mode: mode.Mode, Kind: kind,
		Label: m.label(m.difference(mode)),
		Marks: []htmlMark{{Kind: kind, X: htmlX(x), Edge: edge, Hollow: !htmlKnown(ratio)}},
	}
	if m.sign > 0 {
		lane.Worse = axis.span(0, 1)
	} else {
		lane.Worse = axis.span(1, axis.hi)
	}
	if htmlKnown(off) {
		lane.Band = axis.span(*off.Lo, *off.Hi)
	}
	if htmlKnown(ratio) {
		lane.Line = axis.span(*ratio.Lo, *ratio.Hi)
	}
	lane.Alt = m.name + ", " + mode.Mode + " against off: " + lane.Label.Words()
	return lane
}
