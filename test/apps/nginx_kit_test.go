package apps_test

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

// nginx is a master with one worker, in a directory of its own.
type nginx struct {
	dir  string
	addr netip.AddrPort
}

// The defaults are Debian's: sendfile and tcp_nopush on, aio off.
const nginxConf = `
daemon off;
user root;
worker_processes 1;
pid %[1]s/nginx.pid;
error_log stderr error;
events { worker_connections 4096; }
http {
	access_log off;
	sendfile on;
	tcp_nopush on;
	keepalive_requests 1000000;
	client_max_body_size 100m;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	proxy_read_timeout 30s;
	proxy_send_timeout 30s;
	send_timeout 30s;
	client_body_timeout 30s;
%[3]s
	server {
		listen %[2]s backlog=4096;
%[4]s
	}
}
`

// startNginx runs nginx in the cgroup; upstreams and locations are pieces of
// its configuration. It is stopped when the test ends.
func startNginx(tb testing.TB, s *scope, upstreams, locations string) *nginx {
	tb.Helper()
	path := requireTool(tb, "/usr/sbin/nginx")
	n := &nginx{dir: tb.TempDir(), addr: freeAddr(tb)}
	conf := fmt.Sprintf(nginxConf, n.dir, n.addr, upstreams, locations)
	file := filepath.Join(n.dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		tb.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(n.dir, "html"), 0o755); err != nil {
		tb.Fatal(err)
	}
	s.serve(tb, n.addr, syscall.SIGTERM, exec.Command(path, "-p", n.dir, "-c", file, "-e", "stderr"))
	return n
}

// publish makes a file of a stream; its path below / is returned.
func (n *nginx) publish(tb testing.TB, seed uint64, size int) string {
	tb.Helper()
	name := fmt.Sprintf("%d-%d", seed, size)
	file := filepath.Join(n.dir, "html", name)
	if err := os.WriteFile(file, testkit.NewStream(seed).Bytes(0, size), 0o644); err != nil {
		tb.Fatal(err)
	}
	return name
}

// uploaded compares and removes a file that was PUT.
func (n *nginx) uploaded(tb testing.TB, name string, seed uint64, size int) {
	tb.Helper()
	sameFile(tb, filepath.Join(n.dir, "html", name), seed, size)
}

// link publishes a file that exists.
func (n *nginx) link(tb testing.TB, path, name string) {
	tb.Helper()
	if err := os.Symlink(path, filepath.Join(n.dir, "html", name)); err != nil {
		tb.Fatal(err)
	}
}
