// Package stream provides deterministic byte streams whose content is a
// function of the offset, so that a reader can verify any piece of one
// without having seen the rest.
package stream

import (
	"bytes"
	"encoding/binary"
)

const (
	block = 8 // bytes produced by one step of the generator

	// The increment of splitmix64, and its inverse modulo 2^64.
	gamma        = 0x9e3779b97f4a7c15
	gammaInverse = 0xf1de83e19937733d
)

// Stream is an infinite stream of bytes; equal seeds give equal streams.
type Stream uint64

// New returns the stream of seed.
func New(seed uint64) Stream { return Stream(seed) }

// Fill writes the bytes at [off, off+len(p)) of the stream to p.
func (s Stream) Fill(p []byte, off int64) {
	i, skip := uint64(off)/block, int(off%block)
	if skip != 0 {
		var b [block]byte
		binary.LittleEndian.PutUint64(b[:], s.at(i))
		p, i = p[copy(p, b[skip:]):], i+1
	}
	for ; len(p) >= block; p, i = p[block:], i+1 {
		binary.LittleEndian.PutUint64(p, s.at(i))
	}
	if len(p) > 0 {
		var b [block]byte
		binary.LittleEndian.PutUint64(b[:], s.at(i))
		copy(p, b[:])
	}
}

// Bytes returns n bytes of the stream from off.
func (s Stream) Bytes(off int64, n int) []byte {
	p := make([]byte, n)
	s.Fill(p, off)
	return p
}

// Check compares p with the bytes at off. The error is a *Mismatch that says
// where the first wrong byte is and, if it can tell, where it belongs.
func (s Stream) Check(p []byte, off int64) error {
	if at := s.firstWrong(p, off); at >= 0 {
		return s.diagnose(p[at:], off+int64(at))
	}
	return nil
}

// firstWrong returns the index of the first wrong byte in p, or -1.
func (s Stream) firstWrong(p []byte, off int64) int {
	n := 0
	for n < len(p) {
		i, skip := uint64(off+int64(n))/block, int((off+int64(n))%block)
		if skip == 0 {
			for len(p)-n >= block && binary.LittleEndian.Uint64(p[n:]) == s.at(i) {
				n, i = n+block, i+1
			}
		}
		var b [block]byte
		binary.LittleEndian.PutUint64(b[:], s.at(i))
		want := b[skip:]
		got := p[n:min(len(p), n+len(want))]
		for j := range got {
			if got[j] != want[j] {
				return n + j
			}
		}
		n += len(got)
	}
	return -1
}

// at returns block i.
func (s Stream) at(i uint64) uint64 { return mix(uint64(s) + (i+1)*gamma) }

// locate finds the offset of p in the stream. It needs 15 bytes for certain:
// the generator can be run backwards, but only from an aligned block.
func (s Stream) locate(p []byte) (off int64, ok bool) {
	// Larger than any stream of a test, and far from matching by accident.
	const limit = 1 << 36
	for skip := 0; skip < block && skip+block <= len(p); skip++ {
		x := unmix(binary.LittleEndian.Uint64(p[skip:]))
		i := (x-uint64(s))*gammaInverse - 1
		if i >= limit/block {
			continue
		}
		off := int64(i)*block - int64(skip)
		if off < 0 {
			continue
		}
		// One aligned block is 64 bits of evidence; the bytes around it are
		// tested as far as the next seam, which may be anywhere.
		if skip > 0 && !bytes.Equal(p[:skip], s.Bytes(off, skip)) {
			continue
		}
		return off, true
	}
	return 0, false
}

func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// unmix is the inverse of mix.
func unmix(z uint64) uint64 {
	z = (z ^ z>>31 ^ z>>62) * 0x319642b2d24d8ec3
	z = (z ^ z>>27 ^ z>>54) * 0x96de1b173f119089
	return z ^ z>>30 ^ z>>60
}

// commonPrefix returns how many bytes a and b share at their beginning.
func commonPrefix(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// wrongRun returns the length of the run of wrong bytes at the beginning of p
// if the stream is right again behind it, else 0.
func (s Stream) wrongRun(p []byte, off int64) int {
	// Sixteen right bytes in a row are no accident.
	const enough = 16
	want := s.Bytes(off, len(p))
	for n := 1; n+enough <= len(p) && n <= 4096; n++ {
		if bytes.Equal(p[n:n+enough], want[n:n+enough]) {
			return n
		}
	}
	return 0
}

// foreign reports the seed of another stream that p comes from. Only small
// seeds are tried: tests number their streams from zero.
func (s Stream) foreign(p []byte) (seed uint64, off int64, ok bool) {
	for seed := range uint64(4096) {
		if off, ok := Stream(seed).locate(p); ok && Stream(seed) != s {
			return seed, off, true
		}
	}
	return 0, 0, false
}
