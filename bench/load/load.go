// Package load is a small server and client that put a verified load on local
// TCP connections. The two run in processes of their own, driven by JSON lines
// on their standard input and output: [RunServer] and [ServeCommands].
//
// All sockets are non-blocking and are read with recv only.
package load

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Kinds of load.
const (
	KindHTTP    = "http"    // HTTP/1.1 keep-alive
	KindRR      = "rr"      // 64-byte requests and responses
	KindConnect = "connect" // a connection for each 64-byte exchange, one at a time
)

// Command asks a client for a round. It opens its connections for the round.
type Command struct {
	Kind        string  `json:"kind"`
	Addr        string  `json:"addr"`
	Connections int     `json:"connections"` // 1 if zero
	Seconds     float64 `json:"seconds"`     // 1 if zero
	// WarmupSeconds is load on the same connections before the measurement.
	WarmupSeconds float64 `json:"warmup_seconds"` // 0.1 if zero, none if negative
	Size          int     `json:"size"`           // of an HTTP body, 1024 if zero
}

// Result is the outcome of a round. Messages are verified exchanges of a
// request and a response that ended within the measurement, Bytes what was
// received in them. Each half of an exchange is sent by one system call, but
// for responses that do not fit the HTTP server's buffer of 4 KiB.
type Result struct {
	Kind     string `json:"kind"`
	Messages int64  `json:"messages"`
	// AllMessages also counts warm-up and what ended after the measurement.
	AllMessages    int64   `json:"all_messages"`
	Bytes          int64   `json:"bytes"`
	Errors         int64   `json:"errors"` // at most one for each connection
	FirstError     string  `json:"first_error"`
	ElapsedSeconds float64 `json:"elapsed_seconds"`
	P50            float64 `json:"p50_us"`
	P99            float64 `json:"p99_us"`
}

// stall is how long an answer may take before the connection counts as failed.
const stall = 5 * time.Second

// Run runs a round. An error is one of the command; what goes wrong with
// connections is in the result.
func Run(ctx context.Context, c Command) (Result, error) {
	if c.Connections < 0 || c.Seconds < 0 || c.Size < 0 || c.Size > maxBody {
		return Result{}, fmt.Errorf("command out of range: %d connections, %g seconds, %d bytes",
			c.Connections, c.Seconds, c.Size)
	}
	c.Connections = orDefault(c.Connections, 1)
	c.Seconds = orDefault(c.Seconds, 1)
	c.WarmupSeconds = orDefault(c.WarmupSeconds, 0.1)
	c.Size = orDefault(c.Size, 1024)
	switch c.Kind {
	case KindHTTP:
		return runHTTP(ctx, c)
	case KindRR:
		return runRR(ctx, c)
	case KindConnect:
		return runConnect(ctx, c)
	}
	return Result{}, fmt.Errorf("unknown kind of load %q", c.Kind)
}

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

// round is the measurement of one command.
type round struct {
	kind       string
	start, end time.Time // of what is measured

	mu         sync.Mutex
	all        int64
	bytes      int64
	errors     int64
	firstError error
	latency    histogram
}

// newRound begins the warm-up.
func newRound(c Command) *round {
	start := time.Now().Add(seconds(max(c.WarmupSeconds, 0)))
	return &round{kind: c.Kind, start: start, end: start.Add(seconds(c.Seconds))}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// message counts an exchange, and measures it if its answer came in time.
func (r *round) message(sent, received time.Time, bytes int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all++
	if received.Before(r.start) || received.After(r.end) {
		return
	}
	r.bytes += int64(bytes)
	r.latency.add(received.Sub(sent))
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
func (r *round) result() Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	res := Result{
		Kind:           r.kind,
		Messages:       r.latency.total,
		AllMessages:    r.all,
		Bytes:          r.bytes,
		Errors:         r.errors,
		ElapsedSeconds: max(0, min(r.end.Sub(r.start), time.Since(r.start)).Seconds()),
		P50:            micros(r.latency.quantile(0.50)),
		P99:            micros(r.latency.quantile(0.99)),
	}
	if r.firstError != nil {
		res.FirstError = r.firstError.Error()
	}
	return res
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
