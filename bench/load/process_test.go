package load

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestServeCommands(t *testing.T) {
	addrs := startServer(t)
	stdin, in := io.Pipe()
	out, stdout := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- ServeCommands(t.Context(), stdin, stdout) }()
	answers := bufio.NewScanner(out)
	for _, x := range []struct{ line, want string }{
		{`{"kind":"rr","addr":"` + addrs.TCP + `","connections":4,"seconds":0.05}`, `"errors":0`},
		{`{"kind":"rr","addr":"` + addrs.Unix + `","rate":100,"seconds":0.05}`, `"unanswered":0`},
		{`{"kind":"stream","addr":"` + addrs.Unix + `","seconds":0.05}`, `"latency":null`},
		{`{"kind":"http","addr":"` + addrs.HTTP + `","seconds":0.05,"size":10}`, `"errors":0`},
		{`{"kind":"tea","addr":"127.0.0.1:1"}`, `"error":"unknown kind of load \"tea\"`},
		{`{"knid":"rr"}`, `"error":`},
		{`{"kind":"rr","addr":"127.0.0.1:1"}`, `"error":"rr load: connect to 127.0.0.1:1: connection refused"`},
	} {
		if _, err := io.WriteString(in, x.line+"\n"); err != nil {
			t.Fatal(err)
		}
		if !answers.Scan() || !strings.Contains(answers.Text(), x.want) {
			t.Errorf("%s: answer %s, want %s", x.line, answers.Text(), x.want)
		}
	}
	in.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// program returns a program that starts load processes after a line of shell.
func program(t *testing.T, line string) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(t.TempDir(), "load")
	text := fmt.Sprintf("#!/bin/sh\n%s\nexec '%s' \"$@\"\n", line, exe)
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return script
}

func startProcesses(t *testing.T, serverLine, clientLine string) (server, client *Process, addrs Addrs) {
	t.Helper()
	server, addrs, err := StartServer(t.Context(), program(t, serverLine), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	client, err = StartClient(program(t, clientLine), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Stop)
	return server, client, addrs
}

func TestProcesses(t *testing.T) {
	server, client, addrs := startProcesses(t, "", "")
	for _, kind := range helloKinds {
		for _, addr := range []string{addrs.TCP, addrs.Unix} {
			c := Command{Kind: kind, Addr: addr, Connections: 3, Size: 100, Seconds: 0.1}
			r, err := client.Run(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			checkResult(t, c, r)
		}
	}
	for _, p := range []*Process{server, client} {
		cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.PID()))
		if err != nil || !strings.Contains(string(cmdline), ProcessCommand+"\x00"+p.role) {
			t.Errorf("%s: %q, %v", p.role, cmdline, err)
		}
	}
	if _, err := client.Run(t.Context(), Command{Kind: "tea"}); err == nil || !strings.Contains(err.Error(), "unknown kind") {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := client.Run(ctx, Command{Kind: KindRR, Addr: addrs.TCP, Seconds: 600}); err != context.DeadlineExceeded {
		t.Error(err)
	}
}

// A server that dies in the middle of a round ends it.
func TestServerDies(t *testing.T) {
	for _, kind := range helloKinds {
		server, client, addrs := startProcesses(t, "", "")
		time.AfterFunc(200*time.Millisecond, server.Stop)
		r, err := client.Run(t.Context(), Command{Kind: kind, Addr: addrs.TCP, Connections: 4, Seconds: 600})
		// An error if this machine is so busy that it had not begun.
		if err == nil && r.Errors != 4 {
			t.Errorf("%s: %+v, want 4 errors", kind, r)
		}
		t.Log(r.AllOperations, r.FirstError, err)
	}
}

func TestOutOfDescriptors(t *testing.T) {
	const few = "ulimit -n 24"
	t.Run("client", func(t *testing.T) {
		_, client, addrs := startProcesses(t, "", few)
		for _, kind := range []string{KindRR, KindConnect} {
			r, err := client.Run(t.Context(), Command{Kind: kind, Addr: addrs.TCP, Connections: 64, Seconds: 0.1})
			said := r.FirstError
			if err != nil {
				said = err.Error()
			}
			if want := "connect to " + addrs.TCP + ": socket: too many open files"; !strings.HasSuffix(said, want) {
				t.Errorf("%s: %q, want %q", kind, said, want)
			}
		}
		c := Command{Kind: KindRR, Addr: addrs.TCP, Connections: 4, Size: 64, Seconds: 0.1}
		r, err := client.Run(t.Context(), c) // nothing was kept
		if err != nil {
			t.Fatal(err)
		}
		checkResult(t, c, r)
	})
	t.Run("server", func(t *testing.T) {
		_, client, addrs := startProcesses(t, few, "")
		r, err := client.Run(t.Context(), Command{Kind: KindRR, Addr: addrs.TCP, Connections: 64, Seconds: 600})
		if err == nil && r.Errors == 0 {
			t.Errorf("%+v", r)
		}
		t.Log(r.FirstError, err)
	})
}
