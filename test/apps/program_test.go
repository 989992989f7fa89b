package apps_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// serve runs a server of somebody else's in the scope until the test ends, and
// returns when it listens. stop is the signal that ends it in order.
func (s *scope) serve(tb testing.TB, addr netip.AddrPort, stop syscall.Signal, cmd *exec.Cmd) {
	tb.Helper()
	name := filepath.Base(cmd.Path)
	log, err := os.Create(filepath.Join(tb.TempDir(), "log"))
	if err != nil {
		tb.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := startIn(s.cg, cmd); err != nil {
		tb.Fatalf("start %s: %v", name, err)
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(exited)
	}()
	tb.Cleanup(func() {
		_ = cmd.Process.Signal(stop)
		select {
		case <-exited:
		case <-time.After(20 * time.Second):
			tb.Errorf("%s does not end", name)
			_ = cmd.Process.Kill()
			<-exited
		}
		if text, _ := os.ReadFile(log.Name()); tb.Failed() {
			tb.Logf("%s %s: %s", name, cmd.ProcessState, text[max(0, len(text)-4000):])
		}
	})
	for deadline := time.After(20 * time.Second); !listens(addr); {
		select {
		case <-exited:
			tb.Fatalf("%s ended before it listened", name)
		case <-deadline:
			tb.Fatalf("%s does not listen on %s", name, addr)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// listens looks instead of connecting: some servers take one client only, and
// a connection from out of scope would be counted.
func listens(addr netip.AddrPort) bool {
	ip := addr.Addr().As4()
	local := fmt.Sprintf(" %02X%02X%02X%02X:%04X 00000000:0000 0A ", ip[3], ip[2], ip[1], ip[0], addr.Port())
	table, _ := os.ReadFile("/proc/net/tcp")
	return strings.Contains(string(table), local)
}

// run runs a client of somebody else's in the scope to its end, which must be
// a good one, and returns what it printed.
func (s *scope) run(tb testing.TB, cmd *exec.Cmd) string {
	tb.Helper()
	name := strings.Join(cmd.Args, " ")
	var out, errs bytes.Buffer
	if cmd.Stdout == nil {
		cmd.Stdout = &out
	}
	cmd.Stderr = &errs
	if err := startIn(s.cg, cmd); err != nil {
		tb.Fatalf("start %s: %v", name, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	var err error
	select {
	case err = <-exited:
	case <-ctx.Done():
		s.diagnose(tb)
		_ = cmd.Process.Kill()
		err = errors.Join(fmt.Errorf("hangs for %s", patience), <-exited)
	}
	if err != nil {
		tb.Fatalf("%s: %v\n%s%s", name, err, tail(out.String()), tail(errs.String()))
	}
	return out.String()
}

func tail(text string) string { return text[max(0, len(text)-4000):] }
