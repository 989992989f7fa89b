package testkit

import "github.com/sockaccel/sockaccel/internal/stream"

// Stream is a deterministic infinite stream of bytes that can be verified at
// any offset.
type Stream = stream.Stream

// Mismatch is the error of Stream.Check.
type Mismatch = stream.Mismatch

// NewStream returns the stream of seed.
func NewStream(seed uint64) Stream { return stream.New(seed) }
