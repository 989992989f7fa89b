package driver

import (
	"context"
	"fmt"
	"math"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/sockaccel/sockaccel/bench/record"
)

// Operations of redis-benchmark.
const (
	Get = "GET"
	Set = "SET"
)

// ValueSize is the length in bytes of what is read and written in Redis.
const ValueSize = 64

const (
	redisKey = "sockaccel:bench"
	// probeRequests, times the pipeline, take some tenths of a second.
	probeRequests = 10_000
	// maxRequests is what fits in redis-benchmark's int.
	maxRequests = math.MaxInt32 / 2
)

// RedisOptions say what redis-benchmark does.
type RedisOptions struct {
	Program     Program
	Cgroup      *os.File // as in Options
	Port        int
	Connections int
	Pipeline    int    // requests on their way on each connection, at least 1
	Operation   string // Get or Set
	Duration    time.Duration
	// Rate is how many requests per second to expect, such as those of the
	// warm-up; 0 finds out by a short run first.
	Rate float64
}

// RedisBenchmark runs redis-benchmark, and checks before and after it that the
// server has what was written. redis-benchmark can not be told a duration, only
// a number of requests; one is chosen that takes about the Duration, and the
// measured time is what it took. A short run to find the number counts in
// AllOperations only. When ctx ends, redis-benchmark is killed, and the error
// is that of ctx.
func RedisBenchmark(ctx context.Context, o RedisOptions) (record.Measurement, error) {
	m, err := o.benchmark(ctx)
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	return m, err
}

func (o *RedisOptions) benchmark(ctx context.Context) (record.Measurement, error) {
	before, written := redisValue("a"), redisValue("b")
	want := before
	if o.Operation == Set {
		want = written
	}
	if err := o.check(ctx, before, Set, Get); err != nil {
		return record.Measurement{}, err
	}
	m, err := o.measure(ctx, written)
	if err != nil {
		return m, err
	}
	return m, o.check(ctx, want, Get)
}

// redisValue returns a value of the right size.
func redisValue(letter string) string { return strings.Repeat(letter, ValueSize) }

// measure has the run that finds the number of requests, and the real one.
func (o *RedisOptions) measure(ctx context.Context, value string) (record.Measurement, error) {
	var probe record.Measurement
	rate := o.Rate
	if rate <= 0 {
		var err error
		if probe, err = o.run(ctx, probeRequests*o.Pipeline, value); err != nil {
			return probe, err
		}
		if probe.Seconds >= o.Duration.Seconds() {
			return probe, nil
		}
		rate = float64(probe.Operations) / probe.Seconds
	}
	m, err := o.run(ctx, int(min(rate*o.Duration.Seconds(), maxRequests)), value)
	m.AllOperations += probe.AllOperations
	return m, err
}

// run runs redis-benchmark for n requests, or a few more: each connection has
// at least one, and all of its pipelines are full.
func (o *RedisOptions) run(ctx context.Context, n int, value string) (record.Measurement, error) {
	n = max(n, o.Connections*o.Pipeline)
	n += (o.Pipeline - n%o.Pipeline) % o.Pipeline
	args := []string{"-h", "127.0.0.1", "-p", strconv.Itoa(o.Port), "-c", strconv.Itoa(o.Connections),
		"-P", strconv.Itoa(o.Pipeline), "-n", strconv.Itoa(n), o.Operation, redisKey}
	if o.Operation == Set {
		args = append(args, value)
	}
	c := client{program: o.Program, cgroup: o.Cgroup, args: args}
	out, err := c.run(ctx)
	if err != nil {
		return record.Measurement{}, err
	}
	return parseRedis(out)
}

// check does the operations in turn with our own client, from outside of the
// scope, and compares what it reads.
func (o *RedisOptions) check(ctx context.Context, value string, operations ...string) error {
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(o.Port))
	conn, done, err := dialRedis(ctx, addr)
	if err != nil {
		return fmt.Errorf("connect to redis-server: %w", err)
	}
	defer done()
	for _, op := range operations {
		command, want := []string{op, redisKey}, value
		if op == Set {
			command, want = append(command, value), "OK"
		}
		got, err := conn.do(command...)
		if err != nil {
			return fmt.Errorf("redis-server: %s: %w", op, err)
		}
		if got != want {
			return fmt.Errorf("redis-server: %s answers %q, not %q", op, got, want)
		}
	}
	return nil
}
