package driver

import (
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// readTestdata returns what a program really printed.
func readTestdata(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// correct is what wrk does before it shows latencies: stats_correct.
func correct(counts map[int64]int64, expected int64) {
	for _, latency := range slices.Sorted(maps.Keys(counts)) {
		for added := latency - expected; added > expected; added -= expected {
			counts[added] += counts[latency]
		}
	}
}

func TestMeasured(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		const connections = 7
		counts := make(map[int64]int64)
		s := &wrkSummary{Duration: 1_000_000, Requests: 1 + r.Int64N(5000)}
		for range s.Requests {
			counts[1+int64(r.ExpFloat64()*300)]++
		}
		want := maps.Clone(counts)
		if rounds := s.Requests / connections; rounds > 0 {
			correct(counts, s.Duration/rounds)
		}
		for _, latency := range slices.Sorted(maps.Keys(counts)) {
			s.Latency = append(s.Latency, [2]int64{latency, counts[latency]})
		}
		got, err := s.measured(connections)
		if err != nil {
			t.Fatal(err)
		}
		maps.DeleteFunc(got, func(_, n int64) bool { return n == 0 })
		if !maps.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
		s.Latency[0][1]++
		if _, err := s.measured(connections); err == nil {
			t.Fatal("a latency too many is not noticed")
		}
	}
}

// 4 connections to a server that mostly answers in 1 ms, but now and then after
// 50 ms: of 5 such latencies wrk makes 133.
func TestParseWrk(t *testing.T) {
	s, err := parseWrk(readTestdata(t, "wrk.txt"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.measurement(4, 2)
	if err != nil {
		t.Fatal(err)
	}
	if m.Operations != 418 || m.AllOperations != 418 || m.Bytes != 836 || m.Seconds != 0.19968 || m.Errors != 0 || m.FirstError != "" {
		t.Errorf("got %+v", m)
	}
	if n := m.Latency.Count(); n != 418 {
		t.Errorf("%d latencies", n)
	}
	for q, want := range map[float64]time.Duration{
		0.5:         1197 * time.Microsecond,
		413.0 / 418: 1443 * time.Microsecond,
		414.0 / 418: 51276 * time.Microsecond,
		1:           52252 * time.Microsecond,
	} {
		// The histogram has three digits.
		if got := m.Latency.Quantile(q); math.Abs(float64(got-want)) > float64(want)/1000 {
			t.Errorf("quantile %g: got %s, want %s", q, got, want)
		}
	}
}

func TestParseWrkDamaged(t *testing.T) {
	out := readTestdata(t, "wrk.txt")
	for name, out := range map[string]string{
		"nothing":   "",
		"cut":       out[:len(out)-20],
		"no script": out[:strings.Index(out, "{")],
	} {
		if _, err := parseWrk(out); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
