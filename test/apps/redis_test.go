package apps_test

import (
	"net/netip"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// redis runs a server without persistence.
func (s *scope) redis(tb testing.TB, path string, more ...string) netip.AddrPort {
	tb.Helper()
	addr := freeAddr(tb)
	args := append([]string{
		"--bind", "127.0.0.1", "--port", strconv.Itoa(int(addr.Port())), "--dir", tb.TempDir(),
		"--save", "", "--appendonly", "no", "--enable-debug-command", "local",
	}, more...)
	s.serve(tb, addr, syscall.SIGTERM, exec.Command(path, args...))
	return addr
}

// ask asks from out of scope, for the test's own purposes.
func ask(tb testing.TB, addr netip.AddrPort, command ...string) string {
	tb.Helper()
	cli := exec.Command("redis-cli", append([]string{"-h", "127.0.0.1", "-p", strconv.Itoa(int(addr.Port()))}, command...)...)
	out, err := cli.CombinedOutput()
	if err != nil {
		tb.Fatalf("redis-cli %v: %v: %s", command, err, out)
	}
	return strings.TrimSpace(string(out))
}

// traffic is how much the server has read and written, by its own count.
func traffic(tb testing.TB, addr netip.AddrPort) (bytes int) {
	tb.Helper()
	for line := range strings.Lines(ask(tb, addr, "INFO", "stats")) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if name == "total_net_input_bytes" || name == "total_net_output_bytes" {
			n, _ := strconv.Atoi(value)
			bytes += n
		}
	}
	return bytes
}

// redis-benchmark, and a client that compares what it pipelined.
func TestRedis(t *testing.T) {
	server, benchmark := requireTool(t, "redis-server"), requireTool(t, "redis-benchmark")
	offAndOn(t, func(t *testing.T, s *scope) {
		addr := s.redis(t, server)
		port := strconv.Itoa(int(addr.Port()))
		bench := func(requests int, more ...string) func() {
			return func() {
				out := s.run(t, exec.Command(benchmark, append([]string{"-p", port, "-q", "-n", strconv.Itoa(requests)}, more...)...))
				if !strings.Contains(out, "requests per second") || strings.Contains(strings.ToLower(out), "error") {
					t.Errorf("redis-benchmark says:\n%s", tail(out))
				}
			}
		}
		n := volume(100_000, 200_000)
		// SET and GET, each a request and a reply.
		s.counted(t, claim{messages: 4 * n, share: learning(0.9)}, bench(n, "-t", "set,get"))
		s.counted(t, claim{messages: 4 * n / 16, share: learning(0.9)}, bench(n, "-t", "set,get", "-P", "16"))
		before := traffic(t, addr)
		pipelined := func() int { return traffic(t, addr) - before }
		// Deep pipelining is a stream, which is adopted only if it pauses.
		s.countedAfter(t, claim{share: learning(0.5), or: noEvidence}, pipelined, func() {
			s.run(t, program("redis-pipeline", addr.String(), strconv.Itoa(volume(5_000, 20_000))))
		})
	})
}

// A replica syncs, while its master is written to, and has the same data.
func TestRedisReplica(t *testing.T) {
	server, benchmark := requireTool(t, "redis-server"), requireTool(t, "redis-benchmark")
	for _, load := range []string{"disabled", "swapdb"} {
		t.Run("diskless load "+load, func(t *testing.T) {
			offAndOn(t, func(t *testing.T, s *scope) {
				master := s.redis(t, server, "--repl-diskless-sync-delay", "0")
				replica := s.redis(t, server, "--repl-diskless-load", load)
				n := volume(50_000, 150_000)
				fill := func(keys int) {
					s.run(t, exec.Command(benchmark, "-p", strconv.Itoa(int(master.Port())), "-q", "-t", "set",
						"-r", "1000000", "-d", "200", "-P", "16", "-n", strconv.Itoa(keys)))
				}
				fill(n)
				before := traffic(t, replica)
				s.countedAfter(t, claim{share: learning(0.4)}, func() int { return traffic(t, replica) - before }, func() {
					ask(t, replica, "REPLICAOF", "127.0.0.1", strconv.Itoa(int(master.Port())))
					fill(n)
					s.awaitReplica(t, master, replica)
				})
				if a, b := ask(t, master, "DEBUG", "DIGEST"), ask(t, replica, "DEBUG", "DIGEST"); a != b || strings.Trim(a, "0") == "" {
					t.Errorf("the master's data is %s, the replica's %s", a, b)
				}
			})
		})
	}
}

// awaitReplica returns when the replica has acknowledged all of the master.
func (s *scope) awaitReplica(tb testing.TB, master, replica netip.AddrPort) {
	tb.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		info := ask(tb, replica, "INFO", "replication")
		offset := value(ask(tb, master, "INFO", "replication"), "master_repl_offset")
		if value(info, "master_link_status") == "up" && value(info, "slave_repl_offset") == offset {
			return
		}
		if time.Now().After(deadline) {
			s.diagnose(tb)
			tb.Fatalf("the replica does not get to %s:\n%s", offset, info)
		}
	}
}

func value(info, name string) string {
	_, rest, _ := strings.Cut("\n"+info, "\n"+name+":")
	value, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(value)
}
