package scenario

import (
	"fmt"
	"strings"

	"github.com/sockaccel/sockaccel/bench/driver"
	"github.com/sockaccel/sockaccel/bench/load"
	"github.com/sockaccel/sockaccel/bench/record"
)

const wrkConnections = 100 // of the reference experiment

var (
	baseline     = []string{record.ModeBaseline}
	baselineUnix = []string{record.ModeBaseline, record.ModeUnix}
	httpPrograms = []string{driver.NameWrk, driver.NameNginx}
)

// All are the scenarios in the order in which they are listed.
var All = []Scenario{
	{
		Name: "http-direct", Load: "wrk -> nginx, keep-alive, 1 KiB bodies",
		Needs: httpPrograms, Beside: baseline, Cases: []record.Case{web()}, start: startDirect,
	},
	{
		Name: "http-lb", Load: "wrk -> nginx load balancer -> 2 nginx, no keep-alive upstream",
		Needs: httpPrograms, Beside: baseline, Cases: []record.Case{web()}, start: startBalanced(false),
	},
	{
		Name: "http-lb-keepalive", Load: "the same with keep-alive upstream",
		Needs: httpPrograms, Beside: baseline, Cases: []record.Case{web()}, start: startBalanced(true),
	},
	{
		Name: "redis", Load: "redis-benchmark -> redis-server, 64 B values, with and without pipelining",
		Needs: []string{driver.NameRedisBenchmark, driver.NameRedis}, Beside: baseline,
		Cases: []record.Case{redis(1), redis(16)}, start: startRedis,
	},
	{
		Name: "rr", Load: "built-in request/response, both sides of one size, closed loop and fixed rate",
		Beside: baselineUnix, start: startBuiltIn(load.KindRR, inScope),
		// One factor at a time, around 64 B x16.
		Cases: []record.Case{
			rr(64, 1), rr(64, 16), rr(64, 256), rr(1<<10, 16), rr(16<<10, 16), rr(64<<10, 16), rr(64<<10, 256),
			atRate(rr(64, 16), 10_000), atRate(rr(16<<10, 16), 10_000),
		},
	},
	{
		Name: "stream", Load: "built-in one-way streams, writes of one size",
		Beside: baselineUnix, start: startBuiltIn(load.KindStream, inScope),
		Cases: []record.Case{
			stream(64, 1), stream(1<<10, 1), stream(16<<10, 1), stream(256<<10, 1),
			stream(64, 16), stream(256<<10, 16),
		},
	},
	{
		Name: "connect", Load: "built-in connect, one 64 B request, close",
		Beside: baseline, start: startBuiltIn(load.KindConnect, inScope),
		Cases: []record.Case{connect(1), connect(16)},
	},
	{
		Name: "remote", Load: "built-in rr and stream, the server out of scope: what uninvolved traffic pays",
		start: startRemote,
		Cases: []record.Case{rr(64, 16), rr(64<<10, 16), stream(1<<10, 1), stream(256<<10, 1)},
	},
}

// Find returns the scenario of a name.
func Find(name string) (*Scenario, error) {
	var names []string
	for i := range All {
		if All[i].Name == name {
			return &All[i], nil
		}
		names = append(names, All[i].Name)
	}
	return nil, fmt.Errorf("unknown scenario %q: must be one of %s", name, strings.Join(names, ", "))
}

func web() record.Case {
	return record.Case{
		Connections: wrkConnections, Size: driver.BodySize, Pipeline: 1, Unit: record.UnitRequests, Operation: "request",
	}
}

func redis(pipeline int) record.Case {
	return record.Case{Connections: 50, Size: driver.ValueSize, Pipeline: pipeline, Unit: record.UnitRequests, Operation: "request"}
}

func rr(size, connections int) record.Case {
	return record.Case{
		Connections: connections, Size: size, Pipeline: 1, Unit: record.UnitRequests, Operation: "request",
	}
}

func atRate(c record.Case, rate float64) record.Case {
	c.Rate = rate
	return c
}

func stream(size, connections int) record.Case {
	return record.Case{Connections: connections, Size: size, Pipeline: 1, Unit: record.UnitBytes, Operation: "write"}
}

func connect(connections int) record.Case {
	return record.Case{
		Connections: connections, Size: 64, Pipeline: 1, Unit: record.UnitRequests, Operation: "connection",
	}
}

// name tells a case from the others of its scenario: "64KiB x16 10k/s".
func name(c record.Case) string {
	words := []string{bytes(c.Size), fmt.Sprintf("x%d", c.Connections)}
	if c.Rate > 0 {
		words = append(words, fmt.Sprintf("%gk/s", c.Rate/1000))
	}
	if c.Scenario == "redis" {
		words = []string{fmt.Sprintf("P%d", c.Pipeline)}
	}
	if c.Scenario == "remote" {
		words = append([]string{kindOf(c)}, words...)
	}
	return strings.Join(words, " ")
}

// kindOf is the built-in load of a case of the scenario remote.
func kindOf(c record.Case) string {
	if c.Operation == "write" {
		return load.KindStream
	}
	return load.KindRR
}

func bytes(n int) string {
	if n >= 1<<10 {
		return fmt.Sprintf("%dKiB", n>>10)
	}
	return fmt.Sprintf("%dB", n)
}
