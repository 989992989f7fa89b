package load

import (
	"math"
	"strings"
	"testing"
)

func TestRunRefusesCommand(t *testing.T) {
	for _, x := range []struct {
		c    Command
		want string
	}{
		{Command{Kind: "tea"}, `unknown kind of load "tea": must be http, rr, stream or connect`},
		{Command{}, `unknown kind of load ""`},
		{Command{Kind: KindRR, Connections: 257}, "rr load of 257 connections: must be from 1 to 256"},
		{Command{Kind: KindRR, Connections: -1}, "rr load of -1 connections"},
		{Command{Kind: KindStream, Connections: 17}, "from 1 to 16"},
		{Command{Kind: KindRR, Size: 63}, "rr load of 63 bytes: must be from 64 to 65536"},
		{Command{Kind: KindConnect, Size: 1 << 20}, "from 64 to 65536"},
		{Command{Kind: KindStream, Size: 256<<10 + 1}, "from 64 to 262144"},
		{Command{Kind: KindHTTP, Size: -1}, "http load of -1 bytes"},
		{Command{Kind: KindRR, Seconds: -1}, "rr load of -1 s after 0.1 s: must be more than 0"},
		{Command{Kind: KindRR, Seconds: math.NaN()}, "NaN"},
		{Command{Kind: KindRR, WarmupSeconds: 1e6}, "at most 86400 in all"},
		{Command{Kind: KindRR, Rate: -1}, "rr load of -1 requests per second"},
		{Command{Kind: KindRR, Rate: math.Inf(1)}, "must be from 0 to 10000000"},
		{Command{Kind: KindStream, Rate: 1}, "stream load at a rate: only rr has one"},
		{Command{Kind: KindRR, Addr: "localhost:80"}, `rr load: address "localhost:80": must be ip:port or @name`},
		{Command{Kind: KindStream, Addr: ""}, `stream load: address "": must be`},
		{Command{Kind: KindHTTP, Addr: "@name"}, "http load: "},
	} {
		_, err := Run(t.Context(), x.c)
		if err == nil || !strings.Contains(err.Error(), x.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%+v: %v, want %q", x.c, err, x.want)
		}
	}
}

// What an error costs must not depend on the kind: one line, no waiting.
func TestRunReportsRefusedConnection(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:1", "@sockaccel-nobody-listens"} {
		want := "connect to " + addr + ": connection refused"
		for _, kind := range []string{KindRR, KindStream} {
			if _, err := Run(t.Context(), Command{Kind: kind, Addr: addr, Connections: 3}); err == nil || err.Error() != kind+" load: "+want {
				t.Errorf("%s: %v", kind, err)
			}
		}
		r := mustRun(t, Command{Kind: KindConnect, Addr: addr, Connections: 3, Seconds: 600})
		if r.Errors != 3 || r.Operations != 0 || r.FirstError != "connection 0: "+want {
			t.Errorf("connect: %+v", r)
		}
	}
	if _, err := Run(t.Context(), Command{Kind: KindHTTP, Addr: "127.0.0.1:1"}); err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("http: %v", err)
	}
}
