package scenario

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sockaccel/sockaccel/bench/load"
)

// Wrong content, or a client that dies, ends a benchmark.
func TestBuiltInReportsErrors(t *testing.T) {
	for script, want := range map[string]string{
		`read c; echo '{"errors":2,"first_error":"wrong response","operations":9}'; read c`: "2 of 16 connections failed or received wrong content: wrong response",
		`read c; echo '{"error":"unknown kind of load"}'; read c`:                           "unknown kind of load",
		`read c; echo 'sockaccel: out of luck' >&2; exit 1`:                                 "load client ended: sockaccel: out of luck",
	} {
		exe := filepath.Join(t.TempDir(), "client")
		if err := os.WriteFile(exe, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		client, err := load.StartClient(exe, nil)
		if err != nil {
			t.Fatal(err)
		}
		rig := &builtIn{client: client, command: load.Command{Kind: load.KindRR, Connections: 16}}
		_, err = rig.Measure(t.Context(), 0, 0, nil)
		client.Stop()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", script, err)
		}
	}
}
