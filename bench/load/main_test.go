package load

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"testing"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

// TestMain also is the program of the load processes that tests start.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == ProcessCommand {
		run := ServeCommands
		if os.Args[2] == ServerRole {
			run = RunServer
		}
		if err := run(context.Background(), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	testkit.Main(m)
}

// startServer runs a server process in miniature, and returns its addresses.
func startServer(t *testing.T) Addrs {
	t.Helper()
	stdin, stop := io.Pipe()
	stdout, w := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- RunServer(context.Background(), stdin, w) }()
	t.Cleanup(func() {
		stop.Close()
		if err := <-done; err != nil {
			t.Errorf("server: %v", err)
		}
	})
	var addrs Addrs
	if err := json.NewDecoder(stdout).Decode(&addrs); err != nil {
		t.Fatal(err)
	}
	return addrs
}

// mustRun runs a command that is in order, whatever becomes of its connections.
func mustRun(t *testing.T, c Command) Result {
	t.Helper()
	r, err := Run(t.Context(), c)
	if err != nil {
		t.Fatalf("%+v: %v", c, err)
	}
	return r
}
