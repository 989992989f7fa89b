package report

import (
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sockaccel/sockaccel/bench/record"
)

// WriteText prints the report for people, whose terminal it does not trust the
// recording with.
func (r *Report) WriteText(w io.Writer) error {
	var p printer
	p.environment(&r.Environment)
	p.throughput(r, record.UnitRequests)
	p.throughput(r, record.UnitBytes)
	p.latency(r)
	p.cpu(r)
	p.line("")
	p.line("[a, b] is an interval of %.0f %% confidence. Differences are to off, within the same rounds.", Confidence*100)
	p.line("~: none is shown, as p is not below %.2g, the interval contains 0, or for what stands beside it.", Alpha)
	p.line("redir %%: messages that were redirected. !: errors, see the warnings.")
	p.list("skipped", len(r.Skips), func(i int) string { return r.Skips[i].Scenario + ": " + r.Skips[i].Reason })
	p.list("warnings", len(r.Warnings), func(i int) string { return r.Warnings[i] })
	p.verdict(r)
	_, err := io.WriteString(w, p.text.String())
	return err
}

func (p *printer) environment(e *record.Environment) {
	p.line("sockaccel bench %s, revision %s, %s", e.Version, e.Revision, e.Started.UTC().Format("2006-01-02 15:04 MST"))
	p.line("")
	p.line("measured  %d rounds, in each every case in every mode for %s after %s of warm-up", e.Rounds,
		seconds(e.DurationSeconds), seconds(e.WarmupSeconds))
	if longer := longest(e.Cases); longer > e.DurationSeconds {
		p.line("          real programs for %s, as their clients cannot be warmed up", seconds(longer))
	}
	h := &e.Host
	p.line("kernel    %s %s, FIONREAD %s, clocksource %s", h.Kernel, h.Arch, h.FIONREAD, h.Clocksource)
	p.line("CPU       %s, %d CPUs, governor %s, load average %.2f", h.CPU, h.CPUs, h.Governor, h.LoadAverage)
	p.line("          virtualisation %s, memory %.1f GiB", h.Virtualisation, float64(h.MemoryBytes)/(1<<30))
	var programs []string
	for _, name := range slices.Sorted(maps.Keys(e.Programs)) {
		programs = append(programs, name+" "+e.Programs[name])
	}
	p.optional("programs", programs)
	p.optional("accepted", e.AcceptedRisks)
	p.optional("sock_ops", h.SockOps)
}

// longest is what is measured of a sample at most, in seconds.
func longest(cases []record.Case) (s float64) {
	for _, c := range cases {
		s = max(s, c.DurationSeconds)
	}
	return s
}

// optional prints a list that may be empty.
func (p *printer) optional(name string, list []string) {
	if len(list) > 0 {
		p.line("%-9s %s", name, strings.Join(list, ", "))
	}
}

func (p *printer) list(title string, n int, item func(int) string) {
	if n == 0 {
		return
	}
	p.line("")
	p.line("%s", title)
	for i := range n {
		p.line("  %s", item(i))
	}
}

func (p *printer) verdict(r *Report) {
	scores, losses := r.Verdict()
	p.line("")
	p.line("verdict on acceleration")
	compared := 0
	for _, s := range scores {
		if s.Of > 0 {
			p.line("  %-18s %d better, %d worse, %d undecided of %d", s.Name+":", s.Better, s.Worse, s.Undecided, s.Of)
		}
		compared += s.Of
	}
	for _, l := range losses {
		diff, bounds, _ := differenceCells(&l.Difference)
		p.line("  worse: %s: %s %s %s %%", l.ID, l.Name, diff, bounds)
	}
	for _, c := range r.Cases {
		on, off := c.mode(record.ModeOn), c.mode(record.ModeOff)
		if on != nil && off != nil && on.Errors > off.Errors {
			p.line("  worse: %s: %d errors, %d without acceleration", c.ID, on.Errors, off.Errors)
		}
	}
	if compared == 0 {
		p.line("  nothing was compared")
		return
	}
	p.line("  %d comparisons at the level of %.2g: where acceleration changes nothing, up to one in twenty", compared, Alpha)
	p.line("  shows a difference by chance.")
}

// seconds formats a time as the command line takes it.
func seconds(s float64) string { return time.Duration(s * float64(time.Second)).String() }
