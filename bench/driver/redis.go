package driver

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// StartRedis starts redis-server with one thread and without persistence. ctx
// is for the start only. The caller stops the server.
func StartRedis(ctx context.Context, o Options) (*Server, error) {
	s, err := newServer(o, "redis")
	if err != nil {
		return nil, err
	}
	err = s.start(ctx, o.Cgroup, s.pings,
		"--bind", "127.0.0.1", "--port", strconv.Itoa(s.Port), "--protected-mode", "yes",
		"--daemonize", "no", "--dir", s.dir, "--save", "", "--appendonly", "no", "--io-threads", "1")
	if err != nil {
		return nil, err
	}
	return s, nil
}

// pings checks that Redis answers, and not another one on the same port.
func (s *Server) pings(ctx context.Context) error {
	conn, done, err := dialRedis(ctx, s.Addr())
	if err != nil {
		return err
	}
	defer done()
	if pong, err := conn.do("PING"); err != nil || pong != "PONG" {
		return fmt.Errorf("answers PING with %q: %w", pong, err)
	}
	info, err := conn.do("INFO", "server")
	if err != nil {
		return err
	}
	if !strings.Contains(info, fmt.Sprintf("\nprocess_id:%d\r\n", s.process.cmd.Process.Pid)) {
		return errors.New("another process answers")
	}
	return nil
}
