package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sockaccel/sockaccel/bench/record"
)

// addCounted adds what was sent and counted in s to total.
func addCounted(total, s *record.Sample) {
	c := s.Counted
	if c == nil {
		return
	}
	if total.Counted == nil {
		total.Counted = &record.Counted{NotAccelerated: map[string]uint64{}, StayedOnTCP: map[string]uint64{}}
	}
	total.SentMessages += s.SentMessages
	total.Counted.Redirected += c.Redirected
	total.Counted.TCP += c.TCP
	for reason, n := range c.NotAccelerated {
		total.Counted.NotAccelerated[reason] += n
	}
	for reason, n := range c.StayedOnTCP {
		total.Counted.StayedOnTCP[reason] += n
	}
}

// reasons lists why messages were not redirected, the most frequent first.
func reasons(total *record.Sample) string {
	var out []string
	if list := most(total.Counted.NotAccelerated); list != "" {
		out = append(out, "connections not accelerated: "+list)
	}
	if list := most(total.Counted.StayedOnTCP); list != "" {
		out = append(out, "messages that stayed on TCP: "+list)
	}
	if len(out) == 0 {
		return "no reason was counted"
	}
	return strings.Join(out, "; ")
}

// most lists the three largest counts.
func most(counts map[string]uint64) string {
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	var out []string
	for _, name := range names[:min(3, len(names))] {
		if counts[name] > 0 {
			out = append(out, fmt.Sprintf("%s %d", name, counts[name]))
		}
	}
	return strings.Join(out, ", ")
}
