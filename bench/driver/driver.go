// Package driver runs the real programs of the benchmark on loopback: nginx,
// wrk, redis-server and redis-benchmark, with configurations of its own, in a
// cgroup of the caller's. All of their files are in a directory of the
// caller's, and they end with it at the latest: none outlives this process.
package driver

import (
	"fmt"
	"net"
	"os"
)

// Options of a server.
type Options struct {
	Program Program
	// Dir is an existing directory for the server's files, which remain for
	// the caller to remove. Servers with different ports can share it.
	Dir string
	// Cgroup is an open cgroup v2 directory; nil is the caller's cgroup.
	Cgroup *os.File
	Port   int // on 127.0.0.1; 0 takes a free one
}

// freePort returns a TCP port of 127.0.0.1 that is free now; somebody else may
// take it before it is used.
func freePort() (int, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
