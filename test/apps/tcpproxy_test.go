package apps_test

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"testing"
)

// tcpProxyMain is the proxy that everybody writes in Go: io.Copy both ways,
// which is splice(2).
func tcpProxyMain(args []string) int {
	l, err := net.Listen("tcp4", args[0])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for {
		conn, err := l.Accept()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		go tunnel(conn.(*net.TCPConn), args[1])
	}
}

func tunnel(client *net.TCPConn, upstream string) {
	defer client.Close()
	conn, err := net.Dial("tcp4", upstream)
	if err != nil {
		return
	}
	server := conn.(*net.TCPConn)
	defer server.Close()
	var wg sync.WaitGroup
	for _, way := range [][2]*net.TCPConn{{client, server}, {server, client}} {
		wg.Go(func() {
			_, _ = io.Copy(way[1], way[0])
			_ = way[1].CloseWrite()
		})
	}
	wg.Wait()
}

// Go's io.Copy from one connection to the other: never accelerated, always
// right.
func TestGoCopy(t *testing.T) {
	offAndOn(t, func(t *testing.T, s *scope) {
		dir := files(t, small, large)
		web := s.goServer(t, "", dir, netip.AddrPort{})
		addr := freeAddr(t)
		s.serve(t, addr, syscall.SIGKILL, program("tcp-proxy", addr.String(), web.String()))
		base := "http://" + addr.String()
		client := startClient(t, s.cg)
		n := volume(20, 100)
		s.counted(t, claim{bytes: 2 * n * large, share: 0.01, why: spliced}, func() {
			client.get(t, "", base, small, 200)
			client.get(t, "", base, large, n)
			client.put(t, "", base, dir, n)
		})
	})
}
