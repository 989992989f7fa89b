package apps_test

import (
	"net/netip"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// postgres is a database cluster of the test's own.
type postgres struct {
	bin, data string
	addr      netip.AddrPort
	as        *syscall.Credential
}

// newPostgres makes a cluster; it is started in one scope after the other.
func newPostgres(tb testing.TB) *postgres {
	tb.Helper()
	p := &postgres{bin: filepath.Dir(requireTool(tb, "/usr/lib/postgresql/*/bin/postgres")), addr: freeAddr(tb)}
	// It refuses to be root.
	account, err := user.Lookup("postgres")
	if err != nil {
		tb.Fatal(err)
	}
	uid, _ := strconv.Atoi(account.Uid)
	gid, _ := strconv.Atoi(account.Gid)
	p.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	if p.data, err = os.MkdirTemp("", "sockaccel-test-postgres-"); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { os.RemoveAll(p.data) })
	if err := os.Chown(p.data, uid, gid); err != nil {
		tb.Fatal(err)
	}
	initdb := p.command("initdb", "--pgdata", p.data, "--no-sync", "--auth", "trust", "--username", "postgres",
		"--encoding", "UTF8", "--no-locale")
	if out, err := initdb.CombinedOutput(); err != nil {
		tb.Fatalf("initdb: %v: %s", err, out)
	}
	return p
}

// command is one of PostgreSQL's programs, as its user.
func (p *postgres) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(p.bin, name), args...)
	cmd.Dir = p.data
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.as}
	cmd.Env = append(os.Environ(), "PGHOST=127.0.0.1", "PGPORT="+strconv.Itoa(int(p.addr.Port())), "PGUSER=postgres",
		"PGDATABASE=postgres", "HOME="+p.data)
	return cmd
}

// start runs it in the scope until the test ends.
func (p *postgres) start(tb testing.TB, s *scope) {
	tb.Helper()
	s.serve(tb, p.addr, syscall.SIGINT, p.command("postgres", "-D", p.data, "-h", "127.0.0.1",
		"-p", strconv.Itoa(int(p.addr.Port())), "-k", "", "-c", "fsync=off", "-c", "max_connections=50"))
	// It listens before it serves.
	for deadline := time.Now().Add(patience); p.command("pg_isready", "--quiet").Run() != nil; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatal("postgres is not ready")
		}
	}
}

// query asks from out of scope, for the test's own purposes.
func (p *postgres) query(tb testing.TB, sql string) string {
	tb.Helper()
	cmd := p.command("psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--command", sql)
	out, err := cmd.CombinedOutput()
	if err != nil {
		tb.Fatalf("psql: %v: %s", err, out)
	}
	return strings.TrimSpace(string(out))
}
