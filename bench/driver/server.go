package driver

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// startTimeout is how long a server may take to come up: nginx alone tries for
// 2.5 s to get a port that is in use.
const startTimeout = 20 * time.Second

// Server is a program that serves on 127.0.0.1.
type Server struct {
	Port int

	program Program
	process *process
	dir     string // its own, below Options.Dir
	// bodies are what a web server, or those behind a balancer, answer.
	bodies []string
}

// newServer prepares the server's port and directory.
func newServer(o Options, role string) (*Server, error) {
	s := &Server{Port: o.Port, program: o.Program}
	if s.Port == 0 {
		var err error
		if s.Port, err = freePort(); err != nil {
			return nil, err
		}
	}
	dir, err := filepath.Abs(filepath.Join(o.Dir, role+"-"+strconv.Itoa(s.Port)))
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	s.dir = dir
	return s, nil
}

// start runs the server, and returns when ready finds that it serves.
func (s *Server) start(ctx context.Context, cgroup *os.File, ready func(context.Context) error, args ...string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	// A file, not a pipe: a server may say much, and nobody reads it.
	log, err := os.Create(s.logFile())
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(s.program.Path, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, log, log
	if s.process, err = start(cmd, cgroup); err != nil {
		return err
	}
	if err := s.await(ctx, ready); err != nil {
		s.Stop()
		return err
	}
	return nil
}

// await asks again and again: a server does not tell when it listens.
func (s *Server) await(ctx context.Context, ready func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	go func() {
		// Whoever else has the port may accept and never answer.
		select {
		case <-s.process.exited:
			cancel()
		case <-limited.Done():
		}
	}()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for {
		err := ready(limited)
		if err == nil {
			return nil
		}
		select {
		case <-again.C:
			continue
		case <-s.process.exited:
		case <-limited.Done():
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if died := s.Err(); died != nil {
			return died
		}
		return fmt.Errorf("%s is not ready after %s: %w", s.program.Name, startTimeout, err)
	}
}

// Addr is the server's address.
func (s *Server) Addr() string { return "127.0.0.1:" + strconv.Itoa(s.Port) }

func (s *Server) logFile() string { return filepath.Join(s.dir, "log") }

// Err is nil as long as the server runs, and then what it died of.
func (s *Server) Err() error {
	select {
	case <-s.process.exited:
	default:
		return nil
	}
	text, _ := os.ReadFile(s.logFile())
	log := string(text)
	// nginx and Redis both have strerror's words.
	if strings.Contains(log, "Address already in use") {
		return fmt.Errorf("%s: %s is in use: choose another with --port", s.program.Name, s.Addr())
	}
	return ended(s.program.Name, s.process.cmd.ProcessState, log)
}

// Stop ends the server and returns when it is gone. A second call does nothing.
func (s *Server) Stop() { s.process.stop() }
