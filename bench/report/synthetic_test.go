package report

import (
	"math/rand/v2"
	"time"

	"github.com/sockaccel/sockaccel/bench/record"
)

// synthetic makes recordings whose truth is known.
type synthetic struct {
	record.Recording
	random *rand.Rand
}

func newSynthetic(rounds int) *synthetic {
	return &synthetic{
		Recording: record.Recording{Environment: environment(rounds), Ended: started.Add(time.Hour)},
		random:    rand.New(rand.NewPCG(3, uint64(rounds))),
	}
}

var started = time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)

func environment(rounds int) record.Environment {
	return record.Environment{
		Version: "0.3", Revision: "0123abc", Args: []string{"bench", "run"},
		Started: started, Rounds: rounds, DurationSeconds: 1, WarmupSeconds: 0.3, Seed: 3,
		AcceptedRisks: []string{"splice", "fionread"},
		Host: record.Host{
			Kernel: "6.18.44 #1 SMP synthetic", Arch: "amd64", CPU: "Synthetic CPU @ 3.00GHz", CPUs: 2,
			Virtualisation: "kvm", MemoryBytes: 8 << 30, Governor: "unknown", Clocksource: "tsc",
			Mitigations: map[string]string{"spectre_v2": "Mitigation"}, Sysctls: map[string]string{"net.ipv4.tcp_rmem": "1"},
			LoopbackMTU: 65536, FIONREAD: "blind to tcp", LoadAverage: 0.25,
		},
		Programs: map[string]string{"wrk": "4.1.0", "nginx": "1.22.1"},
	}
}

// truth is what a mode does: relative to plain TCP, but for the share.
type truth struct {
	rate, latency, cpu float64
	spread             float64 // of the rounds, to each side
	share              float64 // redirected
	failed             map[int]string
}

// even is a mode that is as plain TCP, in rounds that differ by 2 %.
var even = truth{rate: 1, latency: 1, cpu: 1, spread: 0.02, share: 1}

func (t truth) faster(by float64) truth {
	t.rate, t.latency, t.cpu = t.rate*by, t.latency/by, t.cpu/by
	return t
}

const (
	plainRate    = 50_000.0 // operations per second
	plainLatency = 80 * time.Microsecond
	plainCPU     = 20.0 // seconds per million operations
)

// add adds a case with a sample for each round and mode.
func (y *synthetic) add(c record.Case, truths map[string]truth) {
	for _, mode := range modes {
		if _, ok := truths[mode]; ok {
			c.Modes = append(c.Modes, mode)
		}
	}
	y.Environment.Cases = append(y.Environment.Cases, c)
	for block := range y.Environment.Rounds {
		for _, mode := range c.Modes {
			s := y.sample(c, mode, truths[mode])
			s.Block, s.Position = block, len(y.Samples)
			if why, ok := truths[mode].failed[block]; ok {
				s.Errors, s.FirstError = 2, why
			}
			y.Samples = append(y.Samples, s)
		}
	}
}

func (y *synthetic) sample(c record.Case, mode string, t truth) record.Sample {
	luck := 1 + t.spread*(2*y.random.Float64()-1)
	rate := plainRate * t.rate * luck
	if c.Rate > 0 {
		rate = min(rate, c.Rate)
	}
	s := record.Sample{Scenario: c.Scenario, Case: c.Name, Mode: mode}
	s.Operations, s.Seconds = int64(rate), 1
	s.AllOperations = s.Operations + s.Operations/4
	s.Bytes = s.Operations * int64(c.Size)
	s.CPUSeconds = float64(s.AllOperations) * plainCPU * t.cpu / luck / 1e6
	if c.Unit == record.UnitRequests {
		s.Latency = record.NewHistogram()
		rest := s.Operations
		for _, part := range []struct{ of, times float64 }{{0.5, 1}, {0.4, 1.5}, {0.09, 3}, {0.0095, 8}, {0.0005, 40}} {
			n := int64(part.of * float64(s.Operations))
			s.Latency.Add(time.Duration(float64(plainLatency)*t.latency*part.times/luck), min(n, rest))
			rest -= n
		}
	}
	if mode == record.ModeOn {
		s.SentMessages = 2 * s.AllOperations
		redirected := uint64(float64(s.SentMessages) * t.share)
		s.Counted = &record.Counted{
			Redirected: redirected, TCP: uint64(s.SentMessages) - redirected, Paired: 16,
			NotAccelerated: map[string]uint64{"no_evidence": 4, "blocking": 0, "remote": 0},
			StayedOnTCP:    map[string]uint64{"bulk": uint64(s.SentMessages) - redirected, "limit": 0},
		}
	}
	return s
}

func rr(name string) record.Case {
	return record.Case{
		Scenario: "rr", Name: name, Connections: 16, Size: 64, Pipeline: 1,
		Unit: record.UnitRequests, Operation: "request",
	}
}

func stream(name string, size int) record.Case {
	return record.Case{
		Scenario: "stream", Name: name, Connections: 1, Size: size, Pipeline: 1, Unit: record.UnitBytes, Operation: "write",
	}
}

func offOn(off, on truth) map[string]truth {
	return map[string]truth{record.ModeOff: off, record.ModeOn: on}
}

// recordings by name. All but the hostile one are under testdata.
var recordings = map[string]func() *record.Recording{
	"grid": func() *record.Recording {
		y := newSynthetic(10)
		all := offOn(even, even.faster(1.7))
		all[record.ModeBaseline], all[record.ModeUnix] = even.faster(1.75), even.faster(2)
		y.add(rr("win"), all)
		y.add(rr("loss"), offOn(even, even.faster(0.8)))
		y.add(rr("undecided"), offOn(even, even))
		partly := even
		partly.share = 0.6
		y.add(rr("low share"), offOn(even, partly))
		rated := rr("10k/s")
		rated.Rate = 10_000
		quicker := even
		quicker.latency = 0.5
		y.add(rated, offOn(even, quicker))
		rated.Name, rated.Rate = "100k/s", 100_000
		y.add(rated, offOn(even, even.faster(3)))
		y.add(stream("64B x1", 64), offOn(even, even.faster(1.3)))
		y.add(stream("256KiB x1", 256<<10), offOn(even, even.faster(0.9)))
		none := even
		none.share = 0
		c := rr("rr 64B x16")
		c.Scenario = remote
		y.add(c, offOn(even, none))
		c.Name = "stream 256KiB x1"
		some := even
		some.share = 0.01
		y.add(c, offOn(even, some))
		y.Skips = []record.Skip{{Type: "skip", Scenario: "redis", Reason: "redis-server is missing: scripts/setup bench installs it"}}
		return &y.Recording
	},
	"noisy": func() *record.Recording {
		y := newSynthetic(10)
		wild := even
		wild.spread = 0.6
		y.add(rr("wild"), offOn(wild, wild.faster(3)))
		y.add(rr("quiet"), offOn(even, even.faster(3)))
		return &y.Recording
	},
	"few": func() *record.Recording {
		y := newSynthetic(5)
		y.add(rr("64B x16"), offOn(even, even.faster(3)))
		return &y.Recording
	},
	"errors": func() *record.Recording {
		y := newSynthetic(10)
		broken := even.faster(3)
		broken.failed = map[int]string{3: "wrong response", 7: "connection reset"}
		y.add(rr("64B x16"), map[string]truth{
			record.ModeOff: even, record.ModeOn: even.faster(2), record.ModeBaseline: broken,
		})
		y.add(rr("64B x256"), offOn(even, broken))
		return &y.Recording
	},
	"hostile": func() *record.Recording {
		const bad = "a\nBenchmarkX 1 1 ns/op\x1b[2J\u009b2J\u202eb"
		y := newSynthetic(6)
		y.Environment.Version, y.Environment.Revision = bad, bad
		y.Environment.Host.Kernel, y.Environment.Host.CPU, y.Environment.Host.Arch = bad, bad, bad
		y.Environment.Host.SockOps = []string{bad}
		y.Environment.Programs = map[string]string{bad: bad, "W R:K": "1"}
		y.Environment.AcceptedRisks = []string{bad}
		broken := even
		broken.failed = map[int]string{0: bad}
		y.add(rr(bad), offOn(even, broken))
		c := rr("x")
		c.Scenario = bad
		y.add(c, offOn(even, even))
		y.Skips = []record.Skip{{Type: "skip", Scenario: bad, Reason: bad}}
		return &y.Recording
	},
}
