package record

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// Quantiles are those of the sorted values, to three digits.
func TestQuantiles(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	h := NewHistogram()
	var sorted []float64
	for range 10_000 {
		d := time.Duration(1e5 * math.Exp(2*random.NormFloat64())) // around 100 us
		h.Add(d, 1)
		sorted = append(sorted, float64(d))
	}
	slices.Sort(sorted)
	if h.Count() != int64(len(sorted)) {
		t.Errorf("count %d", h.Count())
	}
	for _, q := range []float64{0.0001, 0.01, 0.5, 0.9, 0.99, 0.999, 0.9999, 1} {
		want := sorted[int(math.Round(q*float64(len(sorted))))-1]
		// Of small values the histogram tells 64 ns apart.
		if got := float64(h.Quantile(q)); math.Abs(got-want) > max(64, want/1000) {
			t.Errorf("quantile %g is %g, want %g", q, got, want)
		}
	}
}

func TestHistogramRange(t *testing.T) {
	h := NewHistogram()
	if h.Count() != 0 || h.Quantile(0.5) != 0 {
		t.Errorf("empty: %d, median %s", h.Count(), h.Quantile(0.5))
	}
	h.Add(-time.Second, 1)
	h.Add(0, 1)
	h.Add(time.Hour, 3)
	if h.Count() != 5 {
		t.Errorf("%d of 5 latencies are counted", h.Count())
	}
	if got := h.Quantile(0.4); got > 64 {
		t.Errorf("nothing takes %s", got)
	}
	if got := h.Quantile(1); got < time.Minute || got > time.Minute*1001/1000 {
		t.Errorf("the longest is %s, want a minute", got)
	}
}

func TestMerge(t *testing.T) {
	a, b := NewHistogram(), NewHistogram()
	a.Add(time.Millisecond, 10)
	b.Add(time.Second, 90)
	a.Merge(b)
	if a.Count() != 100 || b.Count() != 90 {
		t.Errorf("%d and %d latencies", a.Count(), b.Count())
	}
	for q, want := range map[float64]time.Duration{0.1: time.Millisecond, 0.11: time.Second, 1: time.Second} {
		if got := a.Quantile(q); (got - want).Abs() > want/1000 {
			t.Errorf("quantile %g is %s, want %s", q, got, want)
		}
	}
}

func TestHistogramJSON(t *testing.T) {
	want := NewHistogram()
	for d := time.Microsecond; d < time.Minute; d *= 3 {
		want.Add(d, int64(d.Microseconds()))
	}
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got := &Histogram{}
	if err := json.Unmarshal(text, got); err != nil {
		t.Fatal(err)
	}
	if got.Count() != want.Count() {
		t.Errorf("%d latencies, want %d", got.Count(), want.Count())
	}
	for q := 0.0; q <= 1; q += 0.001 {
		if got.Quantile(q) != want.Quantile(q) {
			t.Fatalf("quantile %g is %s, want %s", q, got.Quantile(q), want.Quantile(q))
		}
	}
	got.Add(time.Second, 1)
	if got.Count() != want.Count()+1 {
		t.Error("one that was read can not count")
	}
	for _, bad := range []string{`""`, `"AAAA"`, `"HISTFAAAAA=="`, `{}`, `1`, `"` + string(text[1:len(text)/2]) + `"`} {
		if err := json.Unmarshal([]byte(bad), &Histogram{}); err == nil {
			t.Errorf("%s is a histogram", bad)
		}
	}
}
