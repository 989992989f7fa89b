// Package load is a server and a client that put a verified load on local
// connections, TCP or AF_UNIX by the same code. The two run in processes of
// their own, driven by JSON lines on their standard input and output:
// [RunServer] and [ServeCommands].
//
// All sockets are non-blocking and are read with recv only. Every byte that
// either end receives is checked.
package load

import (
	"context"
	"fmt"
	"time"

	"github.com/sockaccel/sockaccel/bench/record"
)

// Kinds of load.
const (
	KindHTTP    = "http"    // HTTP/1.1 keep-alive by Go's net/http, TCP only
	KindRR      = "rr"      // requests and responses of one size
	KindStream  = "stream"  // the server writes as fast as it can, the client reads
	KindConnect = "connect" // a connection for each exchange, which the server closes
)

// Command asks a client for a round. It opens its connections for the round.
type Command struct {
	Kind string `json:"kind"`
	// Addr is "ip:port", or "@name" of an abstract AF_UNIX socket.
	Addr        string  `json:"addr"`
	Connections int     `json:"connections"` // at a time; 1 if zero
	Seconds     float64 `json:"seconds"`     // measured; 1 if zero
	// WarmupSeconds is load on the same connections before the measurement.
	WarmupSeconds float64 `json:"warmup_seconds"` // 0.1 if zero, none if negative
	// Size in bytes of an HTTP body (1024 if zero), of a request and of its
	// response, or of a write (64 if zero).
	Size int `json:"size"`
	// Rate makes KindRR send so many requests per second in all, spread
	// evenly over time and connections. With 0 each connection sends its
	// next request when it has the response.
	Rate float64 `json:"rate"`
}

// Result is the outcome of a round.
//
// Operations are verified exchanges that ended within the measured time,
// whenever they began; for KindStream they are Bytes/Size. Latency has every
// exchange that began within that time, whenever it ended. With a rate an
// exchange begins when it was due: one that waits for the response before it
// is late from then on, and none is left out, see Unanswered.
type Result struct {
	record.Measurement // at most one error for each connection
	// SentMessages is the least number of messages that the sockets of both
	// ends sent in AllOperations: large ones may be sent in pieces.
	SentMessages int64 `json:"sent_messages"`
	// Unanswered are requests that a rate made due within the measured time
	// and that had no response when the load gave up. They are no
	// Operations, but count in Latency with as long as they had waited.
	Unanswered int64 `json:"unanswered"`
}

const (
	// stall is how long after the end of a round an answer may take before
	// the connection counts as failed.
	stall = 5 * time.Second
	// catchUp is how long after it requests that are late are still sent.
	// Dropped at the end at once, they would count with less than they
	// would have waited.
	catchUp = time.Second
)

// Run runs a round. An error is one of the command; what goes wrong with
// connections is in the result.
func Run(ctx context.Context, c Command) (Result, error) {
	c, err := c.complete()
	if err != nil {
		return Result{}, err
	}
	var r *round
	if c.Kind == KindHTTP {
		r, err = runHTTP(ctx, c)
	} else {
		r, err = runRaw(ctx, c)
	}
	if err != nil {
		return Result{}, fmt.Errorf("%s load: %w", c.Kind, err)
	}
	return r.result(c), ctx.Err()
}
