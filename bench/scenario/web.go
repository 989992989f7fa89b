package scenario

import (
	"context"
	"time"

	"github.com/sockaccel/sockaccel/bench/driver"
	"github.com/sockaccel/sockaccel/bench/record"
)

// webRig is wrk and the nginx that it asks, the first of servers.
type webRig struct {
	wrk     driver.WrkOptions
	servers []*driver.Server
	// hops is how many connections a request takes: each carries it once,
	// and its response once.
	hops int64
}

func startDirect(ctx context.Context, stage Stage, c record.Case, _ string) (Rig, error) {
	server, err := driver.StartWeb(ctx, stage.options(driver.NameNginx, 0))
	if err != nil {
		return nil, err
	}
	return newWeb(stage, c, 1, server), nil
}

func startBalanced(keepAlive bool) func(context.Context, Stage, record.Case, string) (Rig, error) {
	return func(ctx context.Context, stage Stage, c record.Case, _ string) (_ Rig, err error) {
		var servers []*driver.Server
		defer func() {
			if err != nil {
				stop(servers)
			}
		}()
		for i := range 2 {
			web, err := driver.StartWeb(ctx, stage.options(driver.NameNginx, i+1))
			if err != nil {
				return nil, err
			}
			servers = append(servers, web)
		}
		balancer, err := driver.StartBalancer(ctx, stage.options(driver.NameNginx, 0), servers, keepAlive)
		if err != nil {
			return nil, err
		}
		return newWeb(stage, c, 2, append([]*driver.Server{balancer}, servers...)...), nil
	}
}

// options are those of a server that has the nth port.
func (s Stage) options(program string, nth int) driver.Options {
	o := driver.Options{Program: s.Programs[program], Dir: s.Dir, Cgroup: s.Inside}
	if s.Port != 0 {
		o.Port = s.Port + nth
	}
	return o
}

func newWeb(stage Stage, c record.Case, hops int64, servers ...*driver.Server) *webRig {
	return &webRig{driver.WrkOptions{
		Program: stage.Programs[driver.NameWrk], Cgroup: stage.Inside, URL: servers[0].URL(),
		Connections: c.Connections, Threads: 1, BodySize: driver.BodySize,
	}, servers, hops}
}

// Warm runs a wrk of its own: nginx becomes trusted by it, each wrk has to
// earn that anew.
func (r *webRig) Warm(ctx context.Context, d time.Duration) error {
	_, err := r.run(ctx, d, nil)
	return err
}

func (r *webRig) Measure(ctx context.Context, _, d time.Duration, ended func()) (Result, error) {
	m, err := r.run(ctx, d, ended)
	return Result{m, 2 * r.hops * m.AllOperations}, err
}

func (r *webRig) run(ctx context.Context, d time.Duration, ended func()) (record.Measurement, error) {
	o := r.wrk
	o.Duration, o.Ended = d, ended
	m, err := driver.Wrk(ctx, o)
	if err == nil {
		err = firstDead(r.servers)
	}
	return m, err
}

func (r *webRig) Stop() { stop(r.servers) }

// firstDead says what a server died of, if one did: its client has only seen
// that nobody answers.
func firstDead(servers []*driver.Server) error {
	for _, s := range servers {
		if err := s.Err(); err != nil {
			return err
		}
	}
	return nil
}

func stop(servers []*driver.Server) {
	for _, s := range servers {
		s.Stop()
	}
}
