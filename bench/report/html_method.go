package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sockaccel/sockaccel/bench/record"
)

// htmlFact is a line of the environment.
type htmlFact struct{ Name, Text string }

func htmlHost(e *record.Environment) []htmlFact {
	h := &e.Host
	var programs []string
	for _, name := range slices.Sorted(maps.Keys(e.Programs)) {
		programs = append(programs, name+" "+e.Programs[name])
	}
	return htmlSaid([]htmlFact{
		{"Kernel", h.Kernel + ", " + h.Arch},
		{"CPU", fmt.Sprintf("%s, %d CPUs, governor %s", h.CPU, h.CPUs, h.Governor)},
		{"Virtualisation", h.Virtualisation},
		{"Memory", htmlDecimals(float64(h.MemoryBytes)/(1<<30), 1) + " GiB"},
		{"Clocksource", h.Clocksource},
		{"Loopback MTU", fmt.Sprint(h.LoopbackMTU)},
		{"FIONREAD", h.FIONREAD},
		{"Load before the start", htmlDecimals(h.LoadAverage, 2) + " (average of a minute)"},
		{"Other sock_ops programs", htmlList(h.SockOps, "none")},
		{"Programs", htmlList(programs, "")},
	})
}

func htmlRun(e *record.Environment) []htmlFact {
	return htmlSaid([]htmlFact{
		{"Started", e.Started.UTC().Format("2006-01-02 15:04:05 MST")},
		{"Rounds", fmt.Sprint(e.Rounds)},
		{"Measured", seconds(e.DurationSeconds) + " a run, after " + seconds(e.WarmupSeconds) + " of warm-up"},
		{"Seed of the order", fmt.Sprint(e.Seed)},
		{"Accepted risks", htmlList(e.AcceptedRisks, "none")},
		{"sockaccel", e.Version + ", revision " + e.Revision},
		{"Arguments", strings.Join(e.Args, " ")},
	})
}

// htmlSaid leaves out what says nothing.
func htmlSaid(facts []htmlFact) []htmlFact {
	return slices.DeleteFunc(facts, func(f htmlFact) bool { return f.Text == "" })
}

func htmlList(list []string, none string) string {
	if len(list) == 0 {
		return none
	}
	return strings.Join(list, ", ")
}
