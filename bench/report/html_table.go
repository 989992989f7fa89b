package report

// htmlTable has every number of a scenario.
type htmlTable struct {
	Scenario *htmlScenario
	Rounds   int
	Cases    []htmlTableCase
}

type htmlTableCase struct {
	Name, Settings, Unit string
	Noise                string // how off differs among its rounds
	Rows                 []htmlTableRow
}

// htmlTableRow is a mode; what is not there is "".
type htmlTableRow struct {
	Mode, Kind    string
	N             int
	Throughput    htmlValue
	Difference    htmlLabel
	P             string
	Share         string
	CPU           htmlValue
	CPUDifference htmlLabel
	Latency       []string
	P99Difference htmlLabel
	Errors        int64
	FirstError    string
}

// htmlValue is a median with its interval.
type htmlValue struct{ Text, Range string }

func htmlMedian(i Interval, scale float64) htmlValue {
	return htmlValue{htmlNumber(i.Median * scale), htmlRange(i, scale)}
}

func htmlNumbers(s *htmlScenario, rounds int) htmlTable {
	t := htmlTable{Scenario: s, Rounds: rounds}
	for _, c := range s.Cases {
		scale, unit := htmlUnit(c.Unit)
		row := htmlTableCase{Name: htmlCaseName(c), Unit: unit, Noise: htmlDecimals(c.NoisePercent, 1) + htmlSpace + "%"}
		if c.Name != "" {
			row.Settings = htmlSettings(c)
		}
		for i := range c.Modes {
			row.Rows = append(row.Rows, htmlTableMode(&c.Modes[i], scale))
		}
		t.Cases = append(t.Cases, row)
	}
	return t
}

func htmlTableMode(m *Mode, scale float64) htmlTableRow {
	row := htmlTableRow{
		Mode: m.Mode, Kind: htmlKind(m.Mode), N: m.N,
		Throughput: htmlMedian(m.Throughput, scale), CPU: htmlMedian(m.CPUSecondsPerMillion, 1),
		Latency: htmlLatencyNumbers(m.Latency), Errors: m.Errors, FirstError: m.FirstError,
	}
	if m.Difference != nil {
		row.Difference = htmlThroughput.label(m.Difference)
		switch m.Difference.Why {
		case "", whyInterval:
			row.P = htmlP(m.Difference.P)
		case whyP:
			row.P, row.Difference.Why = htmlP(m.Difference.P), "" // said once
		}
	}
	if m.CPUDifference != nil {
		row.CPUDifference = htmlCPU.label(m.CPUDifference)
	}
	if m.P99Difference != nil {
		row.P99Difference = htmlP99.label(m.P99Difference)
	}
	if m.RedirectedShare != nil {
		row.Share = htmlShare(*m.RedirectedShare)
	}
	return row
}
