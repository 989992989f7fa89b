package report

// htmlTable has every number of a scenario.
type htmlTable struct {
	Scenario *htmlScenario
	Cases    []htmlTableCase
}

type htmlTableCase struct {
	Name  string
	Facts string // what tells the case from others, in words
	Noise string // how off differs among its rounds
	Rows  []htmlTableRow
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

func htmlNumbers(s *htmlScenario) htmlTable {
	t := htmlTable{Scenario: s}
	for _, c := range s.Cases {
		row := htmlTableCase{Name: htmlCaseName(c), Facts: htmlFacts(c), Noise: htmlNumber(c.NoisePercent) + htmlSpace + "%"}
		scale, _ := htmlUnit(c.Unit)
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
		row.Difference, row.P = htmlThroughput.label(m.Difference), htmlP(m.Difference.P)
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
