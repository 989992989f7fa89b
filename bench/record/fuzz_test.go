package record

import (
	"bytes"
	"strings"
	"testing"
)

// Whatever is read is either refused in one line, or complete and usable.
func FuzzRead(f *testing.F) {
	text := written(f, small())
	f.Add(text)
	f.Add(text[:len(text)/2])
	f.Add(bytes.Replace(text, []byte(`"rounds":2`), []byte(`"rounds":-2`), 1))
	f.Add(bytes.Replace(text, []byte(`"seconds":1.5`), []byte(`"seconds":1e-308`), 1))
	f.Add([]byte("null\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		rec, err := Read(bytes.NewReader(text))
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("%q", err)
			}
			return
		}
		if len(rec.Samples) != rec.planned() {
			t.Errorf("%d of %d samples", len(rec.Samples), rec.planned())
		}
		merged := NewHistogram()
		for i := range rec.Samples {
			s := &rec.Samples[i]
			s.Rate(UnitBytes)
			s.Share()
			if s.Latency != nil {
				s.Latency.Quantile(0.99)
				merged.Merge(s.Latency)
			}
		}
		merged.Quantile(0.99)
	})
}
