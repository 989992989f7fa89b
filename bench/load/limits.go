package load

import (
	"fmt"
	"slices"
)

// limits of a kind of load.
type limits struct {
	kind             string
	connections      int
	minSize, maxSize int
	defaultSize      int
	rate             bool
}

var kinds = []limits{
	{KindHTTP, 1024, 1, maxBody, 1024, false},
	{KindRR, 256, 64, 64 << 10, 64, true},
	{KindStream, 16, 64, maxMessage, 64, false},
	{KindConnect, 256, 64, 64 << 10, 64, false},
}

const (
	maxSeconds = 24 * 60 * 60
	maxRate    = 10_000_000
)

// complete returns c with its defaults, or what is wrong with it.
func (c Command) complete() (Command, error) {
	i := slices.IndexFunc(kinds, func(l limits) bool { return l.kind == c.Kind })
	if i < 0 {
		return c, fmt.Errorf("unknown kind of load %q: must be http, rr, stream or connect", c.Kind)
	}
	l := kinds[i]
	c.Connections = orDefault(c.Connections, 1)
	c.Seconds = orDefault(c.Seconds, 1)
	c.WarmupSeconds = max(0, orDefault(c.WarmupSeconds, 0.1))
	c.Size = orDefault(c.Size, l.defaultSize)
	switch {
	case c.Connections < 1 || c.Connections > l.connections:
		return c, fmt.Errorf("%s load of %d connections: must be from 1 to %d", c.Kind, c.Connections, l.connections)
	case c.Size < l.minSize || c.Size > l.maxSize:
		return c, fmt.Errorf("%s load of %d bytes: must be from %d to %d", c.Kind, c.Size, l.minSize, l.maxSize)
	case !(c.Seconds > 0 && c.Seconds+c.WarmupSeconds <= maxSeconds): // NaN as well
		return c, fmt.Errorf("%s load of %g s after %g s: must be more than 0 and at most %d in all",
			c.Kind, c.Seconds, c.WarmupSeconds, maxSeconds)
	case c.Rate != 0 && !l.rate:
		return c, fmt.Errorf("%s load at a rate: only %s has one", c.Kind, KindRR)
	case !(c.Rate >= 0 && c.Rate <= maxRate):
		return c, fmt.Errorf("%s load of %g requests per second: must be from 0 to %d", c.Kind, c.Rate, maxRate)
	}
	return c, nil
}

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}
