package apps_test

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

// nginx is a master with one worker, in a directory of its own.
type nginx struct {
	dir  string
	addr netip.AddrPort
	cmd  *exec.Cmd
	out  bytes.Buffer
}

// The defaults are Debian's: sendfile and tcp_nopush on, aio off.
const nginxConf = `
daemon off;
user root;
worker_processes 1;
pid %[1]s/nginx.pid;
error_log %[1]s/error.log error;
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
func startNginx(tb testing.TB, cg *testkit.Cgroup, upstreams, locations string) *nginx {
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
	n.cmd = exec.Command(path, "-p", n.dir, "-c", file, "-e", n.errorLog())
	n.cmd.Stdout, n.cmd.Stderr = &n.out, &n.out
	if err := startIn(cg, n.cmd); err != nil {
		tb.Fatalf("start nginx: %v", err)
	}
	exited := make(chan error, 1)
	go func() { exited <- n.cmd.Wait() }()
	tb.Cleanup(func() { n.stop(tb, exited) })
	n.awaitReady(tb)
	return n
}

func (n *nginx) errorLog() string { return filepath.Join(n.dir, "error.log") }

func (n *nginx) stop(tb testing.TB, exited chan error) {
	_ = n.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-exited:
	case <-time.After(10 * time.Second):
		tb.Error("nginx does not end")
		_ = n.cmd.Process.Kill()
		<-exited
	}
	log, _ := os.ReadFile(n.errorLog())
	if tb.Failed() {
		tb.Logf("nginx %s: %s\nerror log:\n%s", n.addr, n.out.String(), log[max(0, len(log)-4000):])
	}
}

// awaitReady connects from outside of the scope until nginx listens.
func (n *nginx) awaitReady(tb testing.TB) {
	tb.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		conn, err := net.Dial("tcp", n.addr.String())
		if err == nil {
			conn.Close()
			return
		}
		if time.Now().After(deadline) {
			tb.Fatalf("nginx does not listen: %v: %s", err, n.out.String())
		}
	}
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
	file := filepath.Join(n.dir, "html", name)
	got, err := os.ReadFile(file)
	if err != nil {
		tb.Error(err)
		return
	}
	if len(got) != size {
		tb.Errorf("%s: %d bytes, want %d", name, len(got), size)
	} else if err := testkit.NewStream(seed).Check(got, 0); err != nil {
		tb.Errorf("%s: %v", name, err)
	}
	if err := os.Remove(file); err != nil {
		tb.Error(err)
	}
}
