package driver

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func startRedis(t *testing.T) *Server {
	t.Helper()
	s, err := StartRedis(t.Context(), options(t, NameRedis))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

func redisOptions(t *testing.T, s *Server) RedisOptions {
	t.Helper()
	return RedisOptions{
		Program: require(t, NameRedisBenchmark), Port: s.Port, Connections: 8, Pipeline: 1,
		Operation: Get, Duration: 300 * time.Millisecond,
	}
}

func TestRedisBenchmark(t *testing.T) {
	s := startRedis(t)
	o := redisOptions(t, s)
	for _, o.Operation = range []string{Get, Set} {
		for _, o.Pipeline = range []int{1, 16} {
			o.Rate = 0
			m, err := RedisBenchmark(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			if m.Operations == 0 || m.AllOperations < m.Operations || m.Errors != 0 || m.Bytes != m.Operations*ValueSize ||
				m.Seconds <= 0 || m.Latency.Count() != m.Operations || m.Latency.Quantile(0.5) <= 0 {
				t.Errorf("%s, pipeline %d: got %+v", o.Operation, o.Pipeline, m)
			}
			// Without a run to find the rate, the number is known.
			o.Rate = 100_001
			if m, err = RedisBenchmark(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			if m.Operations < 30_000 || m.Operations >= 30_000+int64(o.Pipeline)+1 || m.AllOperations != m.Operations {
				t.Errorf("%s, pipeline %d: got %+v", o.Operation, o.Pipeline, m)
			}
		}
	}
}

// A value that somebody else writes is noticed.
func TestRedisCheck(t *testing.T) {
	s := startRedis(t)
	o := redisOptions(t, s)
	if err := o.check(t.Context(), redisValue("x"), Set, Get); err != nil {
		t.Fatal(err)
	}
	if err := o.check(t.Context(), redisValue("y"), Get); err == nil || !strings.Contains(err.Error(), "GET answers") {
		t.Errorf("got %v", err)
	}
}

func TestRedisBenchmarkFails(t *testing.T) {
	s := startRedis(t)
	o := redisOptions(t, s)
	s.Stop()
	if _, err := RedisBenchmark(t.Context(), o); err == nil || !strings.HasPrefix(err.Error(), "connect to redis-server:") {
		t.Errorf("without a server: %v", err)
	}
}

// The server dies, or ctx ends, while redis-benchmark is at work.
func TestRedisBenchmarkInterrupted(t *testing.T) {
	for name, c := range map[string]struct {
		interrupt func(s *Server, cancel func())
		ok        func(error) bool
	}{
		"cancelled": {
			func(_ *Server, cancel func()) { cancel() },
			func(err error) bool { return errors.Is(err, context.Canceled) },
		},
		"server dies": {
			func(s *Server, _ func()) { s.process.kill() },
			func(err error) bool {
				return err != nil && strings.HasPrefix(err.Error(), "redis-benchmark ended (exit status 1)")
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := startRedis(t)
			o := redisOptions(t, s)
			o.Duration, o.Rate = time.Hour, 1e6
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			failed := make(chan error, 1)
			go func() {
				failed <- awaitClients(s, o.Connections)
				c.interrupt(s, cancel)
			}()
			if _, err := RedisBenchmark(ctx, o); !c.ok(err) {
				t.Errorf("got %v", err)
			}
			if err := <-failed; err != nil {
				t.Error(err)
			}
		})
	}
}

// awaitClients returns when the server has more than n connections.
func awaitClients(s *Server, n int) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, done, err := dialRedis(ctx, s.Addr())
	if err != nil {
		return err
	}
	defer done()
	for {
		list, err := conn.do("CLIENT", "LIST")
		if err != nil {
			return err
		}
		if strings.Count(list, "cmd=get") >= n {
			return nil
		}
	}
}
