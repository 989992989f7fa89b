package load

import (
	"sync"
	"time"

	"github.com/sockaccel/sockaccel/bench/record"
)

// round is the measurement of one command.
type round struct {
	begin      time.Time // of the warm-up
	start, end time.Time // of what is measured

	mu              sync.Mutex
	operations, all int64
	bytes, allBytes int64
	unanswered      int64
	errors          int64
	firstError      error
	latency         *record.Histogram
}

// newRound begins the warm-up.
func newRound(c Command) *round {
	begin := time.Now()
	start := begin.Add(seconds(c.WarmupSeconds))
	return &round{begin: begin, start: start, end: start.Add(seconds(c.Seconds)), latency: record.NewHistogram()}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// measures reports whether t is in the measured time.
func (r *round) measures(t time.Time) bool { return !t.Before(r.start) && t.Before(r.end) }

// exchange counts a verified exchange that was due and ended at these times.
func (r *round) exchange(due, ended time.Time, bytes int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all++
	if r.measures(ended) {
		r.operations++
		r.bytes += int64(bytes)
	}
	if r.measures(due) {
		r.latency.Add(ended.Sub(due), 1)
	}
}

// received counts verified bytes of a stream.
func (r *round) received(bytes int, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.allBytes += int64(bytes)
	if r.measures(at) {
		r.bytes += int64(bytes)
	}
}

// missed counts a request that was due and for whose response nobody waits
// any more.
func (r *round) missed(due, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.measures(due) {
		r.unanswered++
		r.latency.Add(now.Sub(due), 1)
	}
}

func (r *round) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errors++
	if r.firstError == nil {
		r.firstError = err
	}
}

// result ends the measurement, which a done context cuts short.
func (r *round) result(c Command) Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	res := Result{
		Measurement: record.Measurement{
			Operations:    r.operations,
			AllOperations: r.all,
			Bytes:         r.bytes,
			Seconds:       max(0, min(r.end.Sub(r.start), time.Since(r.start)).Seconds()),
			Errors:        r.errors,
			Latency:       r.latency,
		},
		SentMessages: 2 * r.all, // what comes before the first request is sent with it
		Unanswered:   r.unanswered,
	}
	if c.Kind == KindStream {
		size := int64(c.Size)
		res.Operations, res.AllOperations, res.Latency = r.bytes/size, r.allBytes/size, nil
		res.SentMessages = res.AllOperations + int64(c.Connections) // with what asks for the stream
	}
	if r.firstError != nil {
		res.FirstError = r.firstError.Error()
	}
	return res
}
