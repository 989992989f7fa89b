package driver

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

// starters are the servers that need no other one.
var starters = map[string]func(context.Context, Options) (*Server, error){
	NameNginx: StartWeb,
	NameRedis: StartRedis,
}

func TestStop(t *testing.T) {
	for name, start := range starters {
		t.Run(name, func(t *testing.T) {
			o := options(t, name)
			s, err := start(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Err(); err != nil {
				t.Errorf("while it runs: %v", err)
			}
			s.Stop()
			s.Stop()
			nothingLeft(t, o.Dir)
			if conn, err := net.Dial("tcp", s.Addr()); err == nil {
				conn.Close()
				t.Error("it still listens")
			}
		})
	}
}

func TestPortInUse(t *testing.T) {
	for name, start := range starters {
		t.Run(name, func(t *testing.T) {
			o := options(t, name)
			other, err := start(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			defer other.Stop()
			// The same program on the port: its answers are almost right.
			o.Port, o.Dir = other.Port, t.TempDir()
			if s, err := start(t.Context(), o); err == nil {
				s.Stop()
				t.Fatal("started twice on the same port")
			} else if want := name + ": " + other.Addr() + " is in use: choose another with --port"; err.Error() != want {
				t.Errorf("got %q, want %q", err, want)
			}
			if err := other.Err(); err != nil {
				t.Errorf("the other: %v", err)
			}
		})
	}
}

func TestServerDies(t *testing.T) {
	for name, start := range starters {
		t.Run(name, func(t *testing.T) {
			o := options(t, name)
			s, err := start(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			s.process.kill()
			<-s.process.exited
			if err := s.Err(); err == nil || !strings.HasPrefix(err.Error(), name+" ended (signal: killed)") || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v", err)
			}
			s.Stop()
		})
	}
}

func TestCannotStart(t *testing.T) {
	for name, words := range map[string]string{
		NameNginx: "invalid port in",
		NameRedis: "argument must be between 0 and 65535 inclusive",
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t, name)
			o.Port = 99999
			s, err := starters[name](t.Context(), o)
			if err == nil {
				s.Stop()
				t.Fatal("started on port 99999")
			}
			if !strings.HasPrefix(err.Error(), name+" ended (exit status 1): "+words) {
				t.Errorf("got %q", err)
			}
		})
	}
}

func TestStartCancelled(t *testing.T) {
	for name, start := range starters {
		t.Run(name, func(t *testing.T) {
			o := options(t, name)
			// Something accepts there, and does not answer.
			l, err := net.Listen("tcp4", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			o.Port = l.Addr().(*net.TCPAddr).Port
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				if conn, err := l.Accept(); err == nil {
					defer conn.Close()
				}
				cancel()
			}()
			s, err := start(ctx, o)
			if err == nil {
				s.Stop()
			}
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// A master and its worker are born in the cgroup.
func TestCgroup(t *testing.T) {
	o := options(t, NameNginx)
	cg := testkit.NewCgroup(t)
	dir, err := os.Open(cg.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	o.Cgroup = dir
	s, err := StartWeb(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	text, err := os.ReadFile(filepath.Join(cg.Path, "cgroup.procs"))
	if err != nil {
		t.Fatal(err)
	}
	pids := strings.Fields(string(text))
	if len(pids) != 2 || !slices.Contains(pids, strconv.Itoa(s.process.cmd.Process.Pid)) {
		t.Errorf("in the cgroup: %v", pids)
	}
}
