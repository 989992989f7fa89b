package scenario

import (
	"context"
	"time"

	"github.com/sockaccel/sockaccel/bench/driver"
	"github.com/sockaccel/sockaccel/bench/record"
)

type redisRig struct {
	bench  driver.RedisOptions
	server *driver.Server
}

func startRedis(ctx context.Context, stage Stage, c record.Case, _ string) (Rig, error) {
	server, err := driver.StartRedis(ctx, stage.options(driver.NameRedis, 0))
	if err != nil {
		return nil, err
	}
	return &redisRig{driver.RedisOptions{
		Program: stage.Programs[driver.NameRedisBenchmark], Cgroup: stage.Inside, Port: server.Port,
		Connections: c.Connections, Pipeline: c.Pipeline, Operation: driver.Get,
	}, server}, nil
}

// Warm also finds out how many requests take how long: redis-benchmark is told
// a number of requests and not a time.
func (r *redisRig) Warm(ctx context.Context, d time.Duration) error {
	m, err := r.run(ctx, d)
	if err == nil && m.Seconds > 0 {
		r.bench.Rate = float64(m.Operations) / m.Seconds
	}
	return err
}

func (r *redisRig) Measure(ctx context.Context, _, d time.Duration, _ func()) (Result, error) {
	m, err := r.run(ctx, d)
	// A pipeline is sent, and answered, by one message at least.
	return Result{m, 2 * m.AllOperations / int64(r.bench.Pipeline)}, err
}

func (r *redisRig) run(ctx context.Context, d time.Duration) (record.Measurement, error) {
	o := r.bench
	o.Duration = d
	m, err := driver.RedisBenchmark(ctx, o)
	if dead := firstDead([]*driver.Server{r.server}); dead != nil {
		err = dead
	}
	return m, err
}

func (r *redisRig) Stop() { r.server.Stop() }
