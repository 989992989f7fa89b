package driver

import (
	"cmp"
	"errors"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sockaccel/sockaccel/bench/record"
)

var (
	redisCompleted    = regexp.MustCompile(`(?m)^\s*(\d+) requests completed in `)
	redisThroughput   = regexp.MustCompile(`(?m)^\s*throughput summary: ([0-9.]+) requests per second`)
	redisDistribution = regexp.MustCompile(`(?m)^[0-9.]+% <= ([0-9.]+) milliseconds \(cumulative count (\d+)\)`)
	redisPercentiles  = regexp.MustCompile(`(?m)^\s*avg\s+min\s+p50\s+p95\s+p99\s+max\s*\n\s*[0-9.]+\s+[0-9.]+\s+([0-9.]+)\s+([0-9.]+)\s+([0-9.]+)\s`)

	errRedisSummary = errors.New("redis-benchmark: its output is not understood: it must be 6.2 or newer")
)

// parseRedis reads what redis-benchmark prints from 6.2 on. There are no errors
// to count: it gives up at the first.
func parseRedis(out string) (record.Measurement, error) {
	// Its progress is one line written again and again.
	out = strings.ReplaceAll(out, "\r", "\n")
	completed, throughput := redisCompleted.FindStringSubmatch(out), redisThroughput.FindStringSubmatch(out)
	if completed == nil || throughput == nil {
		return record.Measurement{}, errRedisSummary
	}
	n, err := strconv.ParseInt(completed[1], 10, 64)
	rate := number(throughput[1])
	if err != nil || n <= 0 || rate <= 0 {
		return record.Measurement{}, errRedisSummary
	}
	m := record.Measurement{
		Operations: n, AllOperations: n, Bytes: n * ValueSize,
		// The time that it shows has only two digits.
		Seconds: float64(n) / rate,
	}
	if m.Latency = redisLatency(out, n); m.Latency == nil {
		return record.Measurement{}, errRedisSummary
	}
	return m, nil
}

// bound says that count latencies are at most as long as most.
type bound struct {
	most  time.Duration
	count int64
}

// redisLatency puts the two distributions that redis-benchmark shows and its
// percentiles together, nil if they do not cover all n latencies. Each latency
// counts as the next longer one that is shown: at most 0.1 ms too much up to
// 2 ms, 1 ms above. With a pipeline all requests that were sent together have
// the latency of the first reply to them.
func redisLatency(out string, n int64) *record.Histogram {
	var bounds []bound
	for _, found := range redisDistribution.FindAllStringSubmatch(out, -1) {
		count, _ := strconv.ParseInt(found[2], 10, 64)
		bounds = append(bounds, bound{milliseconds(found[1]), count})
	}
	if found := redisPercentiles.FindStringSubmatch(out); found != nil {
		for i, q := range []float64{0.50, 0.95, 0.99} {
			bounds = append(bounds, bound{milliseconds(found[1+i]), int64(math.Ceil(q * float64(n)))})
		}
	}
	slices.SortFunc(bounds, func(a, b bound) int { return cmp.Compare(a.most, b.most) })
	h := record.NewHistogram()
	for _, b := range bounds {
		if more := b.count - h.Count(); more > 0 {
			h.Add(b.most, more)
		}
	}
	if h.Count() != n {
		return nil
	}
	return h
}

// number is 0 for what is none.
func number(text string) float64 {
	n, _ := strconv.ParseFloat(text, 64)
	return n
}

func milliseconds(text string) time.Duration {
	return time.Duration(math.Round(number(text) * float64(time.Millisecond)))
}
