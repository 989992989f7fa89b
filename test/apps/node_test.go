package apps_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// script is the absolute path of a program in testdata.
func script(tb testing.TB, name string) string {
	tb.Helper()
	path, err := filepath.Abs(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	return path
}

// Node.js, server and client, with keep-alive.
func TestNode(t *testing.T) {
	node := requireTool(t, "node")
	offAndOn(t, func(t *testing.T, s *scope) {
		dir, addr := files(t, small, medium, large), freeAddr(t)
		port := strconv.Itoa(int(addr.Port()))
		s.serve(t, addr, syscall.SIGTERM, exec.Command(node, script(t, "server.mjs"), port, dir))
		client := s.work(t, exec.Command(node, script(t, "client.mjs"), port, "8"))
		get := func(size, requests int) func() {
			return func() { client.do(t, "%s %d", filepath.Join(dir, fmt.Sprint(size)), requests) }
		}
		s.warm(t, 100*small, get(small, 100))
		n := volume(1000, 10_000)
		s.counted(t, claim{bytes: n * small, share: 0.9}, get(small, n))
		n = volume(60, 600)
		s.counted(t, claim{bytes: n * medium, share: 0.9}, get(medium, n))
		get(large, n)()
	})
}
