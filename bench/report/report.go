// Package report makes of a recording what a reader can judge: medians with
// their intervals, differences with theirs, and what can not be said.
package report

import "github.com/sockaccel/sockaccel/bench/record"

// Confidence of all intervals, and the level below which p counts.
const (
	Confidence = 0.95
	Alpha      = 1 - Confidence
)

// Report is also the schema of `bench report --format json`: keys are added
// but never renamed, zeros are printed, what is not there is null.
type Report struct {
	Environment record.Environment `json:"environment"`
	Cases       []Case             `json:"cases"` // in the order of the recording
	Skips       []record.Skip      `json:"skips"`
	// Warnings are what whoever reads the numbers has to know, a sentence
	// each: noise, few rounds, a share of redirected messages that is small.
	Warnings []string `json:"warnings"`
}

// Case is a line of the table.
type Case struct {
	record.Case
	ID    string `json:"id"`
	Modes []Mode `json:"modes"` // shadows the names; off first
	// Noisy says that the runs without acceleration differ so much among
	// themselves that nothing can be said about any difference.
	Noisy bool `json:"noisy"`
	// NoisePercent is the interquartile range of the throughput when off,
	// in % of its median.
	NoisePercent float64 `json:"noise_percent"`
}

// Mode is a case in one mode.
type Mode struct {
	Mode       string   `json:"mode"`
	N          int      `json:"n"`
	Throughput Interval `json:"throughput"` // in the unit of the case
	// Latency over all rounds; null where the load has none.
	Latency *Latency `json:"latency"`
	// CPUSecondsPerMillion operations.
	CPUSecondsPerMillion Interval `json:"cpu_seconds_per_million"`
	// RedirectedShare of the messages, from 0 to 1; null when not on.
	RedirectedShare *float64 `json:"redirected_share"`
	Errors          int64    `json:"errors"`
	FirstError      string   `json:"first_error"`
	// Differences to off; null for off itself.
	Difference *Difference `json:"difference"`
	// CPUDifference is that of CPUSecondsPerMillion.
	CPUDifference *Difference `json:"cpu_difference"`
	// P99Difference is that of the rounds' 99th percentile of latency.
	P99Difference *Difference `json:"p99_difference"`
}

// Interval is a median with its confidence interval; Lo and Hi are null if
// there are too few samples for one.
type Interval struct {
	Median float64  `json:"median"`
	Lo     *float64 `json:"lo"`
	Hi     *float64 `json:"hi"`
}

// Latency are percentiles in µs of all measured operations of all rounds.
type Latency struct {
	P50  float64 `json:"p50_us"`
	P90  float64 `json:"p90_us"`
	P99  float64 `json:"p99_us"`
	P999 float64 `json:"p999_us"`
	// Operations is how many there are; P999 needs some thousands.
	Operations int64 `json:"operations"`
}

// Difference of a mode to off within the same blocks.
type Difference struct {
	// Percent is the median over the blocks, with its interval.
	Percent Interval `json:"percent"`
	// P is that of a two-sided Mann-Whitney U test.
	P float64 `json:"p"`
	// Shown is whether there is a difference: P is below Alpha, the
	// interval excludes 0, and the machine was quiet enough. Otherwise the
	// text says "~".
	Shown bool `json:"shown"`
	// Why says in a word or two why it is not shown: "errors" (of either
	// mode), "few rounds", "noise", "p", "interval"; "" if it is.
	Why string `json:"why"`
}
