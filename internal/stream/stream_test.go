package stream

import (
	"bytes"
	"errors"
	"slices"
	"testing"
)

func TestFillIsAFunctionOfTheOffset(t *testing.T) {
	s := New(7)
	whole := s.Bytes(0, 300)
	for off := range 40 {
		for n := range 40 {
			p := s.Bytes(int64(off), n)
			if !bytes.Equal(p, whole[off:off+n]) {
				t.Fatalf("bytes at %d, length %d differ from the whole", off, n)
			}
			if err := s.Check(p, int64(off)); err != nil {
				t.Fatalf("right bytes at %d, length %d: %v", off, n, err)
			}
		}
	}
}

func TestSeedsDiffer(t *testing.T) {
	if bytes.Equal(New(1).Bytes(0, 8), New(2).Bytes(0, 8)) {
		t.Error("two seeds give the same stream")
	}
}

func TestCheckFindsEveryDamage(t *testing.T) {
	const size = 1000
	s := New(3)
	for _, start := range []int64{0, 5, 1 << 33} {
		good := s.Bytes(start, size)
		for at := 0; at < size-64; at += 13 {
			off := start + int64(at)
			for _, x := range []struct {
				name  string
				bad   []byte
				from  int64
				wrong int
			}{
				{"flipped", edit(good, func(p []byte) []byte { p[at] ^= 1; return p }), -1, 1},
				{"swapped", edit(good, func(p []byte) []byte {
					p[at], p[at+1] = p[at+1], p[at]
					return p
				}), -1, 2},
				{"missing", slices.Delete(slices.Clone(good), at, at+1), off + 1, 0},
				{"missing many", slices.Delete(slices.Clone(good), at, at+33), off + 33, 0},
				{"duplicated", slices.Insert(slices.Clone(good), at+1, good[at]), off, 0},
			} {
				m := check(t, s, x.bad, start)
				if m == nil {
					// Equal neighbours: nothing was damaged.
					if !bytes.Equal(x.bad[:size-33], good[:size-33]) {
						t.Fatalf("%s at %d: not found", x.name, at)
					}
					continue
				}
				first := start + int64(commonPrefix(x.bad, good))
				if m.Off != first {
					t.Fatalf("%s at %d: reported at %d, want %d", x.name, at, m.Off, first)
				}
				if first != off && x.name != "duplicated" || good[at] == good[at+1] {
					continue // equal neighbours make the position ambiguous
				}
				if m.From != x.from || m.Foreign || m.Wrong != x.wrong {
					t.Fatalf("%s at %d: %+v, want from %d, wrong %d", x.name, at, *m, x.from, x.wrong)
				}
			}
		}
	}
}

func TestCheckIdentifiesOtherStream(t *testing.T) {
	m := check(t, New(3), New(44).Bytes(12345, 100), 700)
	if !m.Foreign || m.Seed != 44 || m.From != 12345 || m.Run != 100 {
		t.Errorf("got %+v", *m)
	}
	t.Log(m)
}

func TestCheckReportsUnknownBytes(t *testing.T) {
	m := check(t, New(3), make([]byte, 100), 700)
	if m.From != -1 || m.Off != 700 {
		t.Errorf("got %+v", *m)
	}
}

func TestUnmixInvertsMix(t *testing.T) {
	for i := range uint64(1000) {
		x := i * 0x123456789abcdef1
		if unmix(mix(x)) != x {
			t.Fatalf("unmix(mix(%#x)) = %#x", x, unmix(mix(x)))
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	s := New(1)
	p := s.Bytes(0, 1<<16)
	b.SetBytes(int64(len(p)))
	for b.Loop() {
		if err := s.Check(p, 0); err != nil {
			b.Fatal(err)
		}
	}
}

func edit(p []byte, fn func([]byte) []byte) []byte { return fn(slices.Clone(p)) }

func check(t *testing.T, s Stream, p []byte, off int64) *Mismatch {
	t.Helper()
	err := s.Check(p, off)
	if err == nil {
		return nil
	}
	var m *Mismatch
	if !errors.As(err, &m) {
		t.Fatalf("error is a %T", err)
	}
	return m
}
