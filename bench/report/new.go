package report

import (
	"slices"

	"github.com/sockaccel/sockaccel/bench/record"
)

// New makes the report of a recording.
func New(rec *record.Recording) *Report {
	r := &Report{Environment: rec.Environment, Cases: []Case{}, Skips: []record.Skip{}, Warnings: []string{}}
	r.Skips = append(r.Skips, rec.Skips...)
	r.warnRounds()
	for _, c := range rec.Environment.Cases {
		runs := map[string][]*record.Sample{}
		for i := range rec.Samples {
			if s := &rec.Samples[i]; s.ID() == c.ID() {
				runs[s.Mode] = append(runs[s.Mode], s)
			}
		}
		r.add(c, runs)
	}
	return r
}

// modes is the order in which a case shows its modes.
var modes = []string{record.ModeOff, record.ModeOn, record.ModeBaseline, record.ModeUnix}

// add adds a case with its samples by mode, and warns about it.
func (r *Report) add(c record.Case, runs map[string][]*record.Sample) {
	out := Case{Case: c, ID: c.ID(), Modes: []Mode{}}
	off := measure(c, runs[record.ModeOff])
	out.NoisePercent = off.throughput.noise()
	out.Noisy = out.NoisePercent > tooNoisy
	for _, name := range modes {
		if !slices.Contains(c.Modes, name) {
			continue
		}
		m := off
		if name != record.ModeOff {
			m = measure(c, runs[name])
			m.compare(off, out.Noisy)
		}
		m.Mode.Mode = name
		out.Modes = append(out.Modes, m.Mode)
		r.warnMode(&out, &m)
	}
	r.warnNoise(&out)
	r.Cases = append(r.Cases, out)
}

// measured is a mode with the values of its rounds.
type measured struct {
	Mode
	throughput, operations, cpu, p99 series
	total                            record.Sample // sums what was counted
	failedRounds                     int
}

func measure(c record.Case, samples []*record.Sample) measured {
	m := measured{throughput: series{}, operations: series{}, cpu: series{}, p99: series{}}
	latency := record.NewHistogram()
	for _, s := range samples {
		m.throughput.add(s.Block, s.Rate(c.Unit))
		m.operations.add(s.Block, s.Rate(record.UnitRequests))
		if s.AllOperations > 0 {
			m.cpu.add(s.Block, s.CPUSeconds/float64(s.AllOperations)*1e6)
		}
		if s.Latency != nil && s.Latency.Count() > 0 {
			m.p99.add(s.Block, micros(s.Latency, 0.99))
			latency.Merge(s.Latency)
		}
		m.addErrors(s)
		addCounted(&m.total, s)
	}
	m.N = len(samples)
	m.Throughput, m.CPUSecondsPerMillion = m.throughput.interval(), m.cpu.interval()
	if n := latency.Count(); n > 0 {
		m.Latency = &Latency{
			P50: micros(latency, 0.5), P90: micros(latency, 0.9), P99: micros(latency, 0.99), P999: micros(latency, 0.999),
			Operations: n,
		}
	}
	if share, ok := m.total.Share(); ok {
		m.RedirectedShare = &share
	}
	return m
}

func (m *measured) addErrors(s *record.Sample) {
	if s.Errors <= 0 {
		return
	}
	m.failedRounds++
	m.Errors += s.Errors
	if m.FirstError == "" {
		m.FirstError = s.FirstError
	}
}

func micros(h *record.Histogram, q float64) float64 { return float64(h.Quantile(q)) / 1e3 }

// compare sets the differences to off.
func (m *measured) compare(off measured, noisy bool) {
	// What failed did not do the same work.
	failed := m.Errors+off.Errors > 0
	m.Difference = difference(off.throughput, m.throughput, noisy, failed)
	m.CPUDifference = difference(off.cpu, m.cpu, noisy, failed)
	m.P99Difference = difference(off.p99, m.p99, noisy, failed)
}
