package demo

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/sockaccel/sockaccel/bench/record"
	"github.com/sockaccel/sockaccel/bench/runner"
)

// WantRedirected is the share of messages below which a demonstration is not
// one of acceleration.
const WantRedirected = 0.95

// Report is the outcome, also in JSON: keys are added but never renamed.
type Report struct {
	Version         string     `json:"version"`
	Rounds          int        `json:"rounds"`
	DurationSeconds float64    `json:"duration_seconds"`
	FIONREAD        string     `json:"fionread"`
	AcceptedRisks   []string   `json:"accepted_risks"`
	Workloads       []Workload `json:"workloads"`
	// Counted is what status counted while acceleration was measured, in all.
	Counted Counted `json:"counted"`
}

// Workload is a row of the table.
type Workload struct {
	Name        string `json:"name"`
	Kind        string `json:"kind"`
	Connections int    `json:"connections"`
	Before      Side   `json:"before"`
	After       Side   `json:"after"`
	// Ratio is the median of the ratios of the blocks.
	Ratio            float64 `json:"ratio"`
	RatioMin         float64 `json:"ratio_min"`
	RatioMax         float64 `json:"ratio_max"`
	RedirectedShare  float64 `json:"redirected_share"`
	MessagesSent     uint64  `json:"messages_sent"` // while acceleration was on
	MessagesRedirect uint64  `json:"messages_redirected"`
	// Spread is the fastest round without acceleration over the slowest.
	Spread float64 `json:"spread_before"`
}

// Side is a workload without or with acceleration: medians of the rounds.
type Side struct {
	RequestsPerSecond float64   `json:"requests_per_second"`
	P50               float64   `json:"p50_us"`
	P99               float64   `json:"p99_us"`
	Rounds            []float64 `json:"rounds_requests_per_second"`
}

// Counted sums over the rounds with acceleration, warm-up of the measured
// connections included.
type Counted struct {
	PairedTotal        uint64 `json:"paired_total"`
	AdoptedTotal       uint64 `json:"adopted_total"`
	HandedOverTotal    uint64 `json:"handed_over_total"`
	MessagesRedirected uint64 `json:"messages_redirected"`
	MessagesTCP        uint64 `json:"messages_tcp"`
	BytesRedirected    uint64 `json:"bytes_redirected"`
}

func newReport(o Options, r runner.Risks, samples []record.Sample) *Report {
	report := &Report{
		Version: o.Version, Rounds: o.Rounds, DurationSeconds: o.Duration.Seconds(),
		FIONREAD: r.FIONREAD, AcceptedRisks: r.Names(),
	}
	for _, w := range workloads {
		of := byMode(samples, w.Name)
		report.Workloads = append(report.Workloads, newWorkload(w, of[record.ModeOff], of[record.ModeOn]))
		for _, x := range of[record.ModeOn] {
			report.Counted.add(x.Counted)
		}
	}
	return report
}

// byMode returns the samples of a workload by mode, in the order of the blocks.
func byMode(samples []record.Sample, workload string) map[string][]record.Sample {
	of := make(map[string][]record.Sample)
	for _, x := range samples {
		if x.Scenario == workload {
			of[x.Mode] = append(of[x.Mode], x)
		}
	}
	return of
}

func newWorkload(w workload, off, on []record.Sample) Workload {
	out := Workload{
		Name: w.Name, Kind: w.kind, Connections: w.Cases[0].Connections,
		Before: newSide(off), After: newSide(on),
	}
	ratios := make([]float64, len(on))
	for block := range ratios {
		ratios[block] = out.After.Rounds[block] / out.Before.Rounds[block]
	}
	out.Ratio, out.RatioMin, out.RatioMax = median(ratios), slices.Min(ratios), slices.Max(ratios)
	out.Spread = slices.Max(out.Before.Rounds) / slices.Min(out.Before.Rounds)
	for _, x := range on {
		out.MessagesSent += uint64(x.SentMessages)
		out.MessagesRedirect += x.Counted.Redirected
	}
	out.RedirectedShare = float64(out.MessagesRedirect) / float64(out.MessagesSent)
	return out
}

func newSide(rounds []record.Sample) Side {
	var p50, p99 []float64
	side := Side{}
	for _, x := range rounds {
		side.Rounds = append(side.Rounds, x.Rate(record.UnitRequests))
		p50, p99 = append(p50, micros(x, 0.5)), append(p99, micros(x, 0.99))
	}
	side.RequestsPerSecond, side.P50, side.P99 = median(side.Rounds), median(p50), median(p99)
	return side
}

func micros(x record.Sample, q float64) float64 {
	return float64(x.Latency.Quantile(q)) / float64(time.Microsecond)
}

func (c *Counted) add(x *record.Counted) {
	c.PairedTotal += x.Paired
	c.AdoptedTotal += x.Adopted
	c.HandedOverTotal += x.HandedOver
	c.MessagesRedirected += x.Redirected
	c.MessagesTCP += x.TCP
	c.BytesRedirected += x.RedirectedBytes
}

func median(x []float64) float64 {
	x = slices.Sorted(slices.Values(x))
	n := len(x)
	if n == 0 {
		return 0
	}
	return (x[(n-1)/2] + x[n/2]) / 2
}

// WriteText prints the table.
func (r *Report) WriteText(w io.Writer) error {
	var table strings.Builder
	t := tabwriter.NewWriter(&table, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\treq/s\treq/s\tratio\tp50 us\tp50 us\tp99 us\tp99 us\tredirected\t")
	fmt.Fprintln(t, "workload\tbefore\tafter\t(min-max)\tbefore\tafter\tbefore\tafter\tmessages\t")
	for _, x := range r.Workloads {
		fmt.Fprintf(t, "%s\t%.0f\t%.0f\t%s%.2f (%.2f-%.2f)\t%.0f\t%.0f\t%.0f\t%.0f\t%s\t\n", x.Name,
			x.Before.RequestsPerSecond, x.After.RequestsPerSecond, x.undecided(), x.Ratio, x.RatioMin, x.RatioMax,
			x.Before.P50, x.After.P50, x.Before.P99, x.After.P99, percent(x.RedirectedShare))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	c := r.Counted
	_, err := fmt.Fprintf(w, "%sstatus counted: %d messages redirected, %d by TCP; %d pairs (%d adopted, %d handed over)\n",
		alignFirst(table.String()), c.MessagesRedirected, c.MessagesTCP, c.PairedTotal, c.AdoptedTotal, c.HandedOverTotal)
	return err
}

// undecided marks a ratio whose blocks do not agree on faster or slower.
func (x Workload) undecided() string {
	if x.RatioMin <= 1 && x.RatioMax >= 1 {
		return "~"
	}
	return ""
}

// percent does not round up to what was not reached.
func percent(share float64) string { return fmt.Sprintf("%.1f %%", float64(int(share*1000))/10) }

// alignFirst moves the first column of a table, whose columns are aligned to
// the right, to the left: it holds names.
func alignFirst(table string) string {
	lines := strings.SplitAfter(table, "\n")
	width := 0
	for _, x := range workloads {
		width = max(width, len(x.Name))
	}
	for i, line := range lines {
		if len(line) < width+2 {
			continue
		}
		// tabwriter puts its padding of two before the cell.
		name := strings.TrimSpace(line[:width+2])
		lines[i] = fmt.Sprintf("%-*s%s", width, name, line[width+2:])
	}
	return strings.Join(lines, "")
}

// Warnings are what whoever reads the table has to know.
func (r *Report) Warnings() []string {
	const tooMuch = 1.5
	var out []string
	for _, x := range r.Workloads {
		// Nothing can be said when rounds that should be equal differ by
		// more than what was to be shown.
		if x.Spread > tooMuch || (x.undecided() != "" && x.Spread > 1.1) {
			out = append(out, fmt.Sprintf(
				"%s: rounds without acceleration differ %.2f-fold among themselves: something else is busy on this machine, the ratio says little",
				x.Name, x.Spread))
		}
		if x.RedirectedShare < WantRedirected {
			out = append(out, fmt.Sprintf("%s: only %s of the messages were redirected, expected at least %.0f %%",
				x.Name, percent(x.RedirectedShare), 100*WantRedirected))
		}
		if x.RatioMax < 1 {
			out = append(out, fmt.Sprintf("%s: slower with acceleration in every block", x.Name))
		}
	}
	return out
}
