package report

import (
	"fmt"
	"math"
	"slices"

	"github.com/sockaccel/sockaccel/bench/record"
)

// rows adds the rows of a case to a table, its name in the first only.
func (t *table) rows(c *Case, cells func(*Mode) []string) {
	name := c.ID
	for i := range c.Modes {
		t.add(append([]string{name, c.Modes[i].Mode}, cells(&c.Modes[i])...)...)
		name = ""
	}
}

func (p *printer) throughput(r *Report, unit string) {
	scale, name, decimals := throughputUnit(r, unit)
	t := table{{"throughput", "", name, "[95 %]", "diff %", "[95 %]", "p", "redir %"}}
	for i := range r.Cases {
		c := &r.Cases[i]
		if c.Unit != unit {
			continue
		}
		t.rows(c, func(m *Mode) []string {
			number := func(v float64) string { return fmt.Sprintf("%.*f", decimals, v/scale) }
			median, share := number(m.Throughput.Median), ""
			if m.Errors > 0 {
				median = "!" + median
			}
			if m.RedirectedShare != nil {
				share = floorPercent(*m.RedirectedShare)
			}
			diff, bounds, prob := differenceCells(m.Difference)
			return []string{median, bracket(m.Throughput, number), diff, bounds, prob, share}
		})
	}
	p.table(t)
}

// throughputUnit chooses one for the table: the smallest number decides.
func throughputUnit(r *Report, unit string) (scale float64, name string, decimals int) {
	least := math.Inf(1)
	for _, c := range r.Cases {
		for _, m := range c.Modes {
			if c.Unit == unit && m.Throughput.Median > 0 {
				least = min(least, m.Throughput.Median)
			}
		}
	}
	switch {
	case unit == record.UnitBytes && least >= 1e9:
		return 1e9, "GB/s", 2
	case unit == record.UnitBytes:
		return 1e6, "MB/s", 1
	case least < 100:
		return 1, unit, 1
	}
	return 1, unit, 0
}

// enough is how many operations a percentile of 99.9 takes: ten beyond it.
const enough = 10_000

func (p *printer) latency(r *Report) {
	t := table{{"latency in us", "", "p50", "p90", "p99", "p99.9", "p99 diff %", "[95 %]", "p"}}
	for i := range r.Cases {
		c := &r.Cases[i]
		if !slices.ContainsFunc(c.Modes, func(m Mode) bool { return m.Latency != nil }) {
			continue
		}
		t.rows(c, func(m *Mode) []string {
			if m.Latency == nil {
				return []string{"-", "-", "-", "-", "", "", ""}
			}
			number := func(v float64) string { return fmt.Sprintf("%.1f", v) }
			last := "-"
			if m.Latency.Operations >= enough {
				last = number(m.Latency.P999)
			}
			diff, bounds, prob := differenceCells(m.P99Difference)
			return []string{number(m.Latency.P50), number(m.Latency.P90), number(m.Latency.P99), last, diff, bounds, prob}
		})
	}
	p.table(t)
}

func (p *printer) cpu(r *Report) {
	t := table{{"CPU seconds", "", "per million", "[95 %]", "diff %", "[95 %]", "p"}}
	for i := range r.Cases {
		t.rows(&r.Cases[i], func(m *Mode) []string {
			number := func(v float64) string { return fmt.Sprintf("%.2f", v) }
			diff, bounds, prob := differenceCells(m.CPUDifference)
			return []string{number(m.CPUSecondsPerMillion.Median), bracket(m.CPUSecondsPerMillion, number), diff, bounds, prob}
		})
	}
	p.table(t)
}

// table prints a table that has rows.
func (p *printer) table(t table) {
	if len(t) > 1 {
		p.line("")
		t.print(p)
	}
}

// differenceCells are a difference, its interval and p. What is not shown has
// an interval all the same if it may be judged: a narrow one says that there
// is not much of a difference, a wide one that nothing is known.
func differenceCells(d *Difference) (diff, bounds, p string) {
	switch {
	case d == nil:
		return "", "", ""
	case d.Shown:
		return signed(d.Percent.Median), bracket(d.Percent, signed), probability(d.P)
	case d.Why == whyP || d.Why == whyInterval:
		return "~", bracket(d.Percent, signed), probability(d.P)
	}
	return "~", d.Why, ""
}

func bracket(i Interval, number func(float64) string) string {
	if i.Lo == nil || i.Hi == nil {
		return ""
	}
	return "[" + number(*i.Lo) + ", " + number(*i.Hi) + "]"
}

// signed keeps as many decimals as say something, and more where one would
// say 0.
func signed(v float64) string {
	switch size := math.Abs(v); {
	case size >= 100:
		return fmt.Sprintf("%+.0f", v)
	case size < 0.05:
		return fmt.Sprintf("%+.2f", v)
	}
	return fmt.Sprintf("%+.1f", v)
}

func probability(p float64) string {
	if p < 0.001 {
		return "<0.001"
	}
	return fmt.Sprintf("%.3f", p)
}

// floorPercent does not round up to what was not reached.
func floorPercent(share float64) string { return fmt.Sprintf("%.1f", math.Floor(share*1000)/10) }
