package driver

import (
	"math"
	"strings"
	"testing"
)

func TestParseRedis(t *testing.T) {
	for name, want := range map[string]struct {
		seconds   float64
		quantiles map[float64]float64 // in ms, as redis-benchmark shows them
	}{
		"redis-7.0.15.txt":          {0.239, map[float64]float64{0.5: 0.055, 0.95: 0.103, 0.99: 0.175, 0.999: 0.303, 1: 1.559}},
		"redis-7.0.15-pipeline.txt": {0.016, map[float64]float64{0.5: 0.071, 0.95: 0.143, 0.99: 0.199, 1: 0.375}},
	} {
		m, err := parseRedis(readTestdata(t, name))
		if err != nil {
			t.Fatal(err)
		}
		const n = 20_000
		if m.Operations != n || m.AllOperations != n || m.Bytes != n*ValueSize || math.Abs(m.Seconds-want.seconds) > 1e-6 || m.Latency.Count() != n {
			t.Errorf("%s: got %+v", name, m)
		}
		for q, ms := range want.quantiles {
			// The histogram has three digits.
			if got := m.Latency.Quantile(q).Seconds() * 1000; math.Abs(got-ms) > ms/1000 {
				t.Errorf("%s: quantile %g: got %g ms, want %g", name, q, got, ms)
			}
		}
	}
}

func TestParseRedisDamaged(t *testing.T) {
	out := readTestdata(t, "redis-7.0.15.txt")
	for name, out := range map[string]string{
		"nothing":         "",
		"cut":             out[:len(out)/2],
		"no throughput":   strings.ReplaceAll(out, "throughput summary", ""),
		"no latencies":    strings.ReplaceAll(out, "cumulative count", ""),
		"not all latency": strings.ReplaceAll(out, "(cumulative count 20000)", "(cumulative count 19999)"),
	} {
		if _, err := parseRedis(out); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
