package bench_test

import (
	"fmt"
	"math"
	"os"
	"testing"
	"text/tabwriter"
)

// row is a program, ours beside the usual one; NaN where there is none.
type row struct {
	metric, name, load string
	runs               uint64
	ours, usual        float64
	target             string
}

type table []row

// newTable takes the medians of the rounds' means. What the meter costs by
// itself is subtracted from what it measured; what keeping statistics costs is
// in all of the kernel's numbers and stated in the last row.
func newTable(rounds map[string][]round) table {
	of := func(setup string, mean func(round) float64) float64 {
		var means []float64
		for _, r := range rounds[setup] {
			means = append(means, mean(r))
		}
		return median(means)
	}
	runs := func(count func(round) cost) (n uint64) {
		for _, r := range rounds["ours"] {
			n += count(r).runs
		}
		return n
	}
	var t table
	add := func(metric, name, load, target string, usual bool, get func(round) cost) {
		mean := func(r round) float64 { return get(r).mean() }
		x := row{metric, name, load, runs(get), of("ours", mean), math.NaN(), target}
		if usual {
			x.usual = of("baseline", mean)
		}
		t = append(t, x)
	}
	add("verdict", "verdict: stub + tail call", "64 B", fmt.Sprintf("+%d", verdictMore), true,
		func(r round) cost { return r.verdict })
	metered := len(t)
	most := fmt.Sprintf("<= %d", callbackMost)
	active, passive := func(r round) cost { return r.active }, func(r round) cost { return r.passive }
	add("active", "sock_ops: active established", "connect", most, true, active)
	add("passive", "sock_ops: passive established", "connect", most, true, passive)
	for i, get := range []func(round) cost{active, passive} {
		empty := of("nothing", func(r round) float64 { return get(r).mean() })
		t[metered+i].ours -= empty
		t[metered+i].usual -= empty
	}
	add("sockops", "sock_ops: any callback", "connect", "", true, func(r round) cost { return r.sockops })
	whole := func(r round) float64 { return float64(r.sockops.ns) / float64(r.connections) }
	t = append(t, row{"connection", "sock_ops: all of a connection", "connect", runs(active),
		of("ours", whole), of("baseline", whole), ""})
	add("setsockopt", "setsockopt hook", "connect", "", false, func(r round) cost { return r.setsockopt })
	add("outofscope", "tracepoint, out of scope", "64 B", "", false, func(r round) cost { return r.outOfScope })
	add("inscope", "tracepoint, in scope, on TCP", "64 B", "", false, func(r round) cost { return r.inScope })
	return append(t, row{"empty", "an empty program", "connect", 0,
		of("nothing", func(r round) float64 { return r.sockops.mean() }), math.NaN(), ""})
}

func (t table) print(b *testing.B) {
	b.Helper()
	fmt.Printf("\nmean ns per run, the kernel's statistics: medians of %d rounds in random order\n\n", benchRounds)
	w := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "program\tload\truns\tours\t4-tuple\tdifference\ttarget")
	for _, x := range t {
		usual, difference := "-", "-"
		if !math.IsNaN(x.usual) {
			usual, difference = fmt.Sprintf("%.0f", x.usual), fmt.Sprintf("%+.0f", x.ours-x.usual)
			b.ReportMetric(x.usual, x.metric+"-4tuple-ns")
		}
		b.ReportMetric(x.ours, x.metric+"-ns")
		fmt.Fprintf(w, "%s\t%s\t%d\t%.0f\t%s\t%s\t%s\n", x.name, x.load, x.runs, x.ours, usual, difference, x.target)
	}
	w.Flush()
	fmt.Println()
}
