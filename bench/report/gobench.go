package report

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode"

	// The format's own writer: what benchstat reads is what its authors write.
	"golang.org/x/perf/benchfmt"

	"github.com/sockaccel/sockaccel/bench/record"
)

// Units of the Go benchmark format besides [record.UnitRequests] and
// [record.UnitBytes].
const (
	unitTime = "ns/op"
	unitP50  = "p50-us"
	unitP99  = "p99-us"
	unitCPU  = "cpu-s/M"
)

// WriteGobench prints a recording in the Go benchmark format, a line for each
// sample: benchstat -col accel compares the modes.
func WriteGobench(w io.Writer, rec *record.Recording) error {
	out := benchfmt.NewWriter(w)
	for _, u := range [][2]string{
		{record.UnitRequests, "higher"}, {record.UnitBytes, "higher"},
		{unitTime, "lower"}, {unitP50, "lower"}, {unitP99, "lower"}, {unitCPU, "lower"},
	} {
		key := benchfmt.UnitMetadataKey{Unit: u[0], Key: "better"}
		if err := out.Write(&benchfmt.UnitMetadata{UnitMetadataKey: key, OrigUnit: u[0], Value: u[1]}); err != nil {
			return err
		}
	}
	config := gobenchConfig(&rec.Environment)
	accel := len(config)
	config = append(config, benchfmt.Config{Key: "accel", File: true})
	for _, mode := range modes {
		config[accel].Value = []byte(mode)
		for _, c := range rec.Environment.Cases {
			for i := range rec.Samples {
				s := &rec.Samples[i]
				if s.Mode != mode || s.ID() != c.ID() {
					continue
				}
				values := gobenchValues(&c, s)
				if len(values) == 0 {
					continue
				}
				name := gobenchName(&c, rec.Environment.Host.CPUs)
				if err := out.Write(&benchfmt.Result{Config: config, Name: name, Iters: 1, Values: values}); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// gobenchConfig is what is the same for all samples.
func gobenchConfig(e *record.Environment) []benchfmt.Config {
	var out []benchfmt.Config
	add := func(key, value string) {
		if value = strings.TrimSpace(printable(value)); value != "" {
			out = append(out, benchfmt.Config{Key: key, Value: []byte(value), File: true})
		}
	}
	add("goos", "linux")
	add("goarch", e.Host.Arch)
	add("cpu", e.Host.CPU)
	add("kernel", e.Host.Kernel)
	add("virtualisation", e.Host.Virtualisation)
	add("fionread", e.Host.FIONREAD)
	add("version", e.Version)
	add("revision", e.Revision)
	add("sample", seconds(e.DurationSeconds))
	for _, name := range slices.Sorted(maps.Keys(e.Programs)) {
		add("program-"+gobenchWord(strings.ToLower(name)), e.Programs[name])
	}
	return out
}

// gobenchName names a case: "RR/case=64B_x16/size=64/conns=16-2".
func gobenchName(c *record.Case, cpus int) benchfmt.Name {
	var name strings.Builder
	for word := range strings.SplitSeq(c.Scenario, "-") {
		if word = gobenchWord(word); word == "rr" || word == "http" || word == "lb" {
			word = strings.ToUpper(word)
		} else if word != "" {
			word = strings.ToUpper(word[:1]) + word[1:]
		}
		name.WriteString(word)
	}
	if c.Name != "" {
		name.WriteString("/case=" + gobenchWord(c.Name))
	}
	fmt.Fprintf(&name, "/size=%d/conns=%d", c.Size, c.Connections)
	if c.Rate > 0 {
		fmt.Fprintf(&name, "/rate=%.0f", c.Rate)
	}
	if c.Pipeline > 1 {
		fmt.Fprintf(&name, "/pipeline=%d", c.Pipeline)
	}
	fmt.Fprintf(&name, "-%d", cpus)
	return benchfmt.Name(name.String())
}

// gobenchWord replaces what has a meaning in the format.
func gobenchWord(s string) string {
	return strings.Map(func(r rune) rune {
		if r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r) || r == '.') {
			return r
		}
		return '_'
	}, s)
}

func gobenchValues(c *record.Case, s *record.Sample) []benchfmt.Value {
	var out []benchfmt.Value
	add := func(v float64, unit string) {
		if !math.IsInf(v, 0) && !math.IsNaN(v) {
			out = append(out, benchfmt.Value{Value: v, Unit: unit})
		}
	}
	add(s.Seconds/float64(s.Operations)*1e9, unitTime)
	if c.Unit == record.UnitBytes {
		add(s.Rate(record.UnitBytes), record.UnitBytes)
	} else {
		add(s.Rate(record.UnitRequests), record.UnitRequests)
	}
	if s.Latency != nil && s.Latency.Count() > 0 {
		add(micros(s.Latency, 0.5), unitP50)
		add(micros(s.Latency, 0.99), unitP99)
	}
	add(s.CPUSeconds/float64(s.AllOperations)*1e6, unitCPU)
	return out
}
