package apps_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// Python's asyncio, streams and sendfile.
func TestAsyncio(t *testing.T) {
	python := requireTool(t, "/usr/bin/python3")
	offAndOn(t, func(t *testing.T, s *scope) {
		dir, addr := files(t, small, medium, large), freeAddr(t)
		port := strconv.Itoa(int(addr.Port()))
		s.serve(t, addr, syscall.SIGTERM, exec.Command(python, script(t, "server.py"), port, dir))
		const conns = 8
		client := s.work(t, exec.Command(python, script(t, "client.py"), port, strconv.Itoa(conns)))
		talk := func(size, rounds int) func() {
			return func() { client.do(t, "%s %d", filepath.Join(dir, fmt.Sprint(size)), rounds) }
		}
		// A file, and a piece of it there and back.
		bytes := func(size, rounds int) (n int) {
			for i := range rounds {
				n += conns * (size + 2*(1+(i*7919)%size))
			}
			return n
		}
		s.warm(t, bytes(small, 10), talk(small, 10))
		n := volume(50, 500)
		s.counted(t, claim{bytes: bytes(small, n), share: 0.9}, talk(small, n))
		n = volume(8, 50)
		s.counted(t, claim{bytes: bytes(medium, n), share: 0.9, or: handedOver}, talk(medium, n))
		s.counted(t, claim{bytes: bytes(large, n), share: 0.9, or: handedOver}, talk(large, n))
	})
}
