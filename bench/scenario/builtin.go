package scenario

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/sockaccel/sockaccel/bench/load"
	"github.com/sockaccel/sockaccel/bench/record"
)

// builtIn is a load of package load: a server and a client process.
type builtIn struct {
	server, client *load.Process
	command        load.Command
}

func inScope(s Stage) *os.File { return s.Inside }

func outOfScope(s Stage) *os.File { return s.Outside }

// startBuiltIn starts the server in the cgroup that where chooses.
func startBuiltIn(kind string, where func(Stage) *os.File) func(context.Context, Stage, record.Case, string) (Rig, error) {
	return func(ctx context.Context, stage Stage, c record.Case, mode string) (Rig, error) {
		server, addrs, err := load.StartServer(ctx, stage.Exe, where(stage))
		if err != nil {
			return nil, err
		}
		client, err := load.StartClient(stage.Exe, stage.Inside)
		if err != nil {
			server.Stop()
			return nil, err
		}
		return &builtIn{server, client, load.Command{
			Kind: kind, Addr: address(addrs, kind, mode), Connections: c.Connections, Size: c.Size, Rate: c.Rate,
		}}, nil
	}
}

// BuiltIn is a scenario of a built-in load in one case.
func BuiltIn(name, kind string, c record.Case) *Scenario {
	return &Scenario{Name: name, Cases: []record.Case{c}, start: startBuiltIn(kind, inScope)}
}

func startRemote(ctx context.Context, stage Stage, c record.Case, mode string) (Rig, error) {
	return startBuiltIn(kindOf(c), outOfScope)(ctx, stage, c, mode)
}

func address(a load.Addrs, kind, mode string) string {
	switch {
	case kind == load.KindHTTP:
		return a.HTTP
	case mode == record.ModeUnix:
		return a.Unix
	}
	return a.TCP
}

func (b *builtIn) Warm(ctx context.Context, d time.Duration) error {
	c := b.command
	c.Seconds, c.WarmupSeconds = d.Seconds(), -1
	_, err := b.run(ctx, c)
	return err
}

func (b *builtIn) Measure(ctx context.Context, warmup, d time.Duration, _ func()) (Result, error) {
	c := b.command
	c.Seconds, c.WarmupSeconds = d.Seconds(), warmup.Seconds()
	r, err := b.run(ctx, c)
	return Result{r.Measurement, r.SentMessages}, err
}

// run takes a connection that failed for a failure of all: what is verified
// may not be wrong even once.
func (b *builtIn) run(ctx context.Context, c load.Command) (load.Result, error) {
	r, err := b.client.Run(ctx, c)
	if err == nil && r.Errors > 0 {
		err = fmt.Errorf("%s load: %d of %d connections failed or received wrong content: %s",
			c.Kind, r.Errors, c.Connections, r.FirstError)
	}
	return r, err
}

func (b *builtIn) Stop() {
	b.client.Stop()
	b.server.Stop()
}
