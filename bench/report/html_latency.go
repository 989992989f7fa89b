package report

import "github.com/sockaccel/sockaccel/bench/record"

// htmlLatencyPanel shows percentiles of latency.
func htmlLatencyPanel(s *htmlScenario) htmlPanel {
	var values []float64
	for _, c := range s.Cases {
		for _, m := range c.Modes {
			if m.Latency != nil {
				values = append(values, htmlPercentiles(m.Latency)...)
			}
		}
	}
	p := htmlPanel{Axis: htmlTimeAxis(values)}
	for _, c := range s.Cases {
		row := htmlRow{Name: htmlCaseName(c)}
		for i := range c.Modes {
			if m := &c.Modes[i]; m.Latency != nil {
				row.Lanes = append(row.Lanes, htmlLatencyLane(m, p.Axis))
			}
		}
		if len(row.Lanes) == 0 {
			continue
		}
		if on := c.mode(record.ModeOn); on != nil && on.P99Difference != nil {
			row.Note, row.Label = "p99", htmlP99.label(on.P99Difference)
		}
		p.Rows = append(p.Rows, row)
	}
	return p
}

// htmlPercentiles are those that have enough operations to be shown.
func htmlPercentiles(l *Latency) []float64 {
	all := []float64{l.P50, l.P90, l.P99, l.P999}
	if l.Operations < enough {
		all = all[:3]
	}
	return all
}

func htmlLatencyLane(m *Mode, axis htmlAxis) htmlLane {
	lane := htmlLane{Mode: m.Mode, Kind: htmlKind(m.Mode), Alt: "Latency, " + m.Mode + ":", Numbers: htmlLatencyNumbers(m.Latency)}
	values := htmlPercentiles(m.Latency)
	for i, v := range values {
		x, edge := axis.place(v)
		lane.Marks = append(lane.Marks, htmlMark{Kind: lane.Kind, X: htmlX(x), Edge: edge, Small: i > 0, Hollow: i == 3})
	}
	for i, name := range []string{"p50", "p90", "p99", "p99.9"} {
		lane.Alt += " " + name + " " + lane.Numbers[i]
	}
	lane.Alt += " µs"
	lane.Line = axis.span(values[0], values[len(values)-1])
	return lane
}

// htmlLatencyNumbers are the four percentiles; all dashes if there are none.
func htmlLatencyNumbers(l *Latency) []string {
	text := []string{htmlNone, htmlNone, htmlNone, htmlNone}
	if l != nil {
		for i, v := range htmlPercentiles(l) {
			text[i] = htmlNumber(v)
		}
	}
	return text
}
