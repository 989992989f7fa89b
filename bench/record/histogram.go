package record

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

const (
	// shortest and longest are what a histogram tells apart, in ns, with
	// three significant digits; what is longer counts as the longest.
	shortest = 100
	longest  = int64(time.Minute)
	digits   = 3
)

// Histogram of latencies in ns. In JSON it is HdrHistogram's compressed form
// (V2) in base64, which that project's other tools read as well.
//
// HdrHistogram is what the field compares latencies with, in constant space;
// its Go version is kept by the project itself.
type Histogram struct{ h *hdrhistogram.Histogram }

// NewHistogram returns an empty histogram.
func NewHistogram() *Histogram { return &Histogram{hdrhistogram.New(shortest, longest, digits)} }

// Add counts n latencies of d.
func (h *Histogram) Add(d time.Duration, n int64) {
	// It fails only outside of the range.
	_ = h.h.RecordValues(min(max(int64(d), 0), longest), n)
}

// Merge adds what other counted.
func (h *Histogram) Merge(other *Histogram) { h.h.Merge(other.h) }

// Count is the number of latencies.
func (h *Histogram) Count() int64 { return h.h.TotalCount() }

// Quantile returns the latency that the fraction q, from 0 to 1, does not
// exceed; 0 if there is none.
func (h *Histogram) Quantile(q float64) time.Duration {
	return time.Duration(h.h.ValueAtQuantile(q * 100))
}

// MarshalJSON implements [json.Marshaler].
func (h *Histogram) MarshalJSON() ([]byte, error) {
	text, err := h.h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		return nil, fmt.Errorf("encode histogram: %w", err)
	}
	return json.Marshal(string(text))
}

// UnmarshalJSON implements [json.Unmarshaler].
func (h *Histogram) UnmarshalJSON(p []byte) error {
	var text string
	if err := json.Unmarshal(p, &text); err != nil {
		return err
	}
	decoded, err := hdrhistogram.Decode([]byte(text))
	if err != nil {
		return fmt.Errorf("decode histogram: %w", err)
	}
	h.h = decoded
	return nil
}
