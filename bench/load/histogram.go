package load

import (
	"math/bits"
	"time"
)

// subBits gives a histogram 32 buckets for each power of two: 3 % resolution.
const subBits = 5

// histogram counts durations in constant space.
type histogram struct {
	counts [(64 - subBits + 1) << subBits]uint32
	total  int64
}

func (h *histogram) add(d time.Duration) {
	h.counts[bucket(uint64(max(d, 0)))]++
	h.total++
}

func bucket(ns uint64) int {
	exp := max(0, bits.Len64(ns)-subBits-1)
	return exp<<subBits + int(ns>>exp)
}

// middle returns the middle of a bucket.
func middle(bucket int) time.Duration {
	exp := max(0, bucket>>subBits-1)
	low := uint64(bucket-exp<<subBits) << exp
	return time.Duration(low + 1<<exp/2)
}

// quantile returns the duration that the fraction q does not exceed, or 0 if
// there is none.
func (h *histogram) quantile(q float64) time.Duration {
	if h.total == 0 {
		return 0
	}
	rank := int64(q * float64(h.total-1))
	for i, n := range h.counts {
		if rank -= int64(n); rank < 0 {
			return middle(i)
		}
	}
	return 0
}
