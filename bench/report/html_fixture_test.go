package report

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/sockaccel/sockaccel/bench/record"
)

// htmlFixture makes reports that look like those of a machine, but do not come
// from recordings: any state can be had.
type htmlFixture struct {
	Report
	random *rand.Rand
}

func newHTMLFixture() *htmlFixture {
	return &htmlFixture{random: rand.New(rand.NewPCG(1, 2)), Report: Report{
		Environment: record.Environment{
			Version: "0.3.0", Revision: "9d1e52c4f0", Rounds: 10, DurationSeconds: 2, WarmupSeconds: 0.5, Seed: 8231094717,
			Args:    []string{"bench", "run", "--baseline", "--rounds", "10", "--out", "recording.jsonl"},
			Started: time.Date(2026, 3, 14, 15, 9, 26, 0, time.UTC), AcceptedRisks: []string{"splice", "fionread"},
			Host: record.Host{
				Kernel: "6.18.44 #1 SMP PREEMPT_DYNAMIC", Arch: "amd64", CPU: "Intel(R) Xeon(R) Processor @ 2.80GHz", CPUs: 2,
				Virtualisation: "kvm", MemoryBytes: 8 << 30, Governor: "unknown", Clocksource: "kvm-clock", LoopbackMTU: 65536,
				FIONREAD: "blind to TCP bytes", LoadAverage: 0.31,
				Mitigations: map[string]string{
					"spectre_v2": "Mitigation: Enhanced / Automatic IBRS; IBPB: conditional; PBRSB-eIBRS: SW sequence; BHI: BHI_DIS_S",
					"meltdown":   "Not affected", "mds": "Not affected", "retbleed": "Mitigation: Enhanced IBRS",
				},
				Sysctls: map[string]string{"net.ipv4.tcp_rmem": "4096 131072 6291456", "net.ipv4.tcp_congestion_control": "cubic"},
			},
			Programs: map[string]string{"wrk": "4.1.0", "nginx": "1.22.1"},
		},
		Skips: []record.Skip{{Scenario: "redis", Reason: "redis-benchmark is not there: apt-get install redis-tools"}},
	}}
}

func htmlInterval(median, spread float64) Interval {
	lo, hi := median-spread, median+spread
	return Interval{median, &lo, &hi}
}

// add adds a case that does rate when off, and in each mode changes by percent.
func (f *htmlFixture) add(scenario, name string, rate float64, modes []string, percent ...float64) *Case {
	f.Cases = append(f.Cases, Case{
		Case: record.Case{
			Scenario: scenario, Name: name, Connections: 16, Size: 64, Pipeline: 1,
			Unit: record.UnitRequests, Operation: "request",
		},
		NoisePercent: 1 + 4*f.random.Float64(),
	})
	c := &f.Cases[len(f.Cases)-1]
	if name == "" {
		c.Connections, c.Size = 100, 1024
	}
	c.ID = c.Case.ID()
	if rate > 1e7 {
		c.Unit, c.Operation = record.UnitBytes, "write"
	}
	for i, mode := range modes {
		change := 0.0
		if i > 0 {
			change = percent[i-1]
		}
		c.Modes = append(c.Modes, f.mode(mode, rate, change))
	}
	return c
}

func (f *htmlFixture) mode(name string, rate, change float64) Mode {
	factor := 1 + change/100
	p50 := 16e6 / rate / factor
	if rate > 1e7 {
		p50 = 1e10 / rate / factor
	}
	m := Mode{
		Mode: name, N: f.Environment.Rounds, Throughput: htmlInterval(rate*factor, rate*(0.01+0.03*f.random.Float64())),
		CPUSecondsPerMillion: htmlInterval(28/factor, 0.6),
		Latency: &Latency{
			P50: p50, P90: p50 * 1.4, P99: p50 * (2.2 + f.random.Float64()), P999: p50 * (4 + 8*f.random.Float64()), Operations: 400_000,
		},
	}
	if name == record.ModeOn {
		share := 0.99 + 0.01*f.random.Float64()
		m.RedirectedShare = &share
	}
	if name != record.ModeOff {
		m.Difference = f.difference(change)
		m.CPUDifference = f.difference(100/factor - 100)
		m.P99Difference = f.difference(90/factor - 90)
	}
	return m
}

func (f *htmlFixture) difference(percent float64) *Difference {
	spread := 0.8 + 0.1*percent*f.random.Float64() + 2*f.random.Float64()
	d := &Difference{Percent: htmlInterval(percent, max(spread, -spread)), P: 0.0001, Shown: true}
	if *d.Percent.Lo <= 0 && *d.Percent.Hi >= 0 {
		d.P, d.Shown, d.Why = 0.043+f.random.Float64()/2, false, whyP
		if d.P < Alpha {
			d.Why = whyInterval
		}
	}
	return d
}

// realistic is a report of a whole grid: gains, losses, noise, errors, values
// beyond the axis, and everything that is missing sometimes.
func realistic() *Report {
	f := newHTMLFixture()
	three, four := modes[:3], modes
	f.add("http-direct", "", 124_167, three, 71, 74)
	f.add("http-lb", "", 12_979, three, 5.4, 6.8)
	f.add("http-lb-keepalive", "", 21_402, three, 24, 27)
	for _, c := range []struct {
		size        string
		connections int
		rate, on    float64
	}{
		{"64B", 1, 31_000, 64}, {"64B", 16, 78_000, 91}, {"64B", 256, 71_000, 58}, {"1KiB", 16, 74_000, 83},
		{"16KiB", 16, 41_000, 12}, {"64KiB", 1, 9_900, -1.2}, {"64KiB", 16, 14_500, 0.4}, {"64KiB", 256, 11_800, -9.6},
		{"64B", 16, 10_000, 0.02}, {"16KiB", 16, 10_000, 0.01},
	} {
		name := fmt.Sprintf("%s x%d", c.size, c.connections)
		if c.rate == 10_000 {
			name += " 10k/s"
		}
		f.add("rr", name, c.rate, four, c.on, c.on+4, c.on*1.6+25)
	}
	for i, c := range []struct {
		name     string
		rate, on float64
	}{
		{"64B x1", 38e6, 9}, {"1KiB x1", 590e6, -3}, {"16KiB x1", 4.1e9, 0.6}, {"256KiB x1", 7.9e9, -1.1},
		{"64B x16", 61e6, -22}, {"16KiB x16", 4.9e9, 1.4}, {"256KiB x16", 6.2e9, -0.3},
	} {
		on := c.on
		f.add("stream", c.name, c.rate, four, on, []float64{410, -31, -38, -12, -64, 2, -18}[i], []float64{240, 180, 61, 12, 55, 40, 9}[i])
	}
	f.add("connect", "64B x1", 11_200, three, -4.4, -2.6)
	f.add("connect", "64B x16", 19_800, three, -6.1, -3.3)
	for i, name := range []string{"rr 64B x16", "rr 64KiB x16", "stream 1KiB x1", "stream 256KiB x1"} {
		c := f.add("remote", name, []float64{77_000, 14_400, 590e6, 7.9e9}[i], modes[:2], -0.4)
		c.Modes[1].RedirectedShare = new(float64)
	}
	for i := range f.Cases {
		f.exception(&f.Cases[i])
	}
	f.Warnings = append(f.Warnings,
		"rr/64KiB x256: too noisy, no difference is shown: the middle half of the rounds without acceleration spreads over 34 % of their median (at most 25 %); repeat it while nothing else runs, or with longer rounds",
		"stream/1KiB x1: only 41.2 % of the messages were redirected (messages that stayed on TCP: limit 81230, undrained 3321)",
		"connect/64B x16: baseline: 3 errors in 1 of 10 rounds: read: connection reset by peer")
	return &f.Report
}

func (f *htmlFixture) exception(c *Case) {
	switch c.ID {
	case "rr/64KiB x256":
		c.Noisy, c.NoisePercent = true, 34
		c.Modes[0].Throughput = htmlInterval(c.Modes[0].Throughput.Median, c.Modes[0].Throughput.Median/4)
		for _, m := range c.Modes[1:] {
			for _, d := range []*Difference{m.Difference, m.CPUDifference, m.P99Difference} {
				d.Percent, d.Shown, d.Why = htmlInterval(d.Percent.Median, 31), false, whyNoise
			}
		}
	case "stream/1KiB x1":
		*c.Modes[1].RedirectedShare = 0.412
	case "connect/64B x16":
		c.Modes[2].Errors, c.Modes[2].FirstError = 3, "read: connection reset by peer"
		c.Modes[2].Difference = &Difference{Percent: c.Modes[2].Difference.Percent, P: 0.01, Why: whyErrors}
		c.Modes[0].Latency.Operations = 800
	case "connect/64B x1":
		for i := range c.Modes {
			m := &c.Modes[i]
			m.Throughput.Lo, m.Throughput.Hi = nil, nil
			if m.Difference != nil {
				m.Difference = &Difference{Percent: Interval{Median: m.Difference.Percent.Median}, P: 0.33, Why: whyFew}
			}
		}
	case "remote/stream 1KiB x1":
		c.Modes[0].Latency, c.Modes[1].Latency, c.Modes[1].P99Difference = nil, nil, nil
	}
}

const hostileText = "</style></title><script>alert(1)</script><img src=x onerror='alert(2)'>\"' -->\n]]> {{.}} javascript:alert(3) http://example.com/"

// hostile is a report in which all text wants to be more than that.
func hostile() *Report {
	const text = hostileText
	f := newHTMLFixture()
	c := f.add(text, text, 1000, []string{record.ModeOff, record.ModeOn, text}, -5, 5)
	c.Unit, c.Operation = text, text
	for i := range c.Modes {
		c.Modes[i].Errors, c.Modes[i].FirstError = 1, text
	}
	c.Modes[2].Difference = &Difference{Why: text}
	f.add("", "", 1000, modes[:2], 5)
	e := &f.Environment
	e.Version, e.Revision, e.Args = text, text, []string{text}
	e.AcceptedRisks, e.Programs = []string{text}, map[string]string{text: text}
	h := &e.Host
	for _, s := range []*string{&h.Kernel, &h.Arch, &h.CPU, &h.Virtualisation, &h.Governor, &h.Clocksource, &h.FIONREAD} {
		*s = text
	}
	h.SockOps = []string{text}
	h.Mitigations, h.Sysctls = map[string]string{text: text}, map[string]string{text: text}
	f.Warnings = []string{text}
	f.Skips = []record.Skip{{Scenario: text, Reason: text}}
	return &f.Report
}
