package stream

import (
	"bytes"
	"errors"
	"testing"
)

// FuzzCheck: a piece passes when it is the stream's, and otherwise the first
// wrong byte is found and described.
func FuzzCheck(f *testing.F) {
	f.Add(uint64(1), int64(0), New(1).Bytes(0, 100))
	f.Add(uint64(1), int64(5), New(1).Bytes(6, 100))
	f.Add(uint64(2), int64(9), New(3).Bytes(100, 40))
	f.Add(uint64(2), int64(1)<<40, []byte{0})
	f.Fuzz(func(t *testing.T, seed uint64, off int64, p []byte) {
		if off < 0 || off > 1<<50 {
			return
		}
		s := New(seed)
		want := s.Bytes(off, len(p))
		err := s.Check(p, off)
		if bytes.Equal(p, want) {
			if err != nil {
				t.Errorf("right, but %v", err)
			}
			return
		}
		var m *Mismatch
		if !errors.As(err, &m) {
			t.Fatalf("wrong, but %v", err)
		}
		at := int(m.Off - off)
		if at < 0 || at >= len(p) || !bytes.Equal(p[:at], want[:at]) || p[at] == want[at] || m.Error() == "" {
			t.Errorf("first wrong byte at %d of %d: %v", at, len(p), err)
		}
	})
}
