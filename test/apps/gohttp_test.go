package apps_test

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

// files publishes streams of some sizes below a directory; the name of each is
// its size.
func files(tb testing.TB, sizes ...int) (dir string) {
	tb.Helper()
	dir = tb.TempDir()
	// Servers that refuse to be root read it, too.
	if err := os.Chmod(dir, 0o755); err != nil {
		tb.Fatal(err)
	}
	for _, size := range sizes {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(size)), testkit.NewStream(seed).Bytes(0, size), 0o644); err != nil {
			tb.Fatal(err)
		}
	}
	return dir
}

// seed of what files publishes.
const seed = 11

// get has a client make requests, each for one file of that size.
func (c *httpClient) get(tb testing.TB, protocol, base string, size, requests int) {
	tb.Helper()
	c.do(tb, job{
		URL: fmt.Sprintf("%s/%d", base, size), Seed: seed, Size: size, Protocol: protocol,
		Requests: requests, Concurrency: 8, Timeout: patience,
	})
}

// warm has small files until they are redirected on each of the hops.
func (c *httpClient) warm(tb testing.TB, s *scope, protocol, base string, hops int) {
	tb.Helper()
	const n = 100
	s.warm(tb, hops*n*small, func() { c.get(tb, protocol, base, small, n) })
}

// Go's HTTP server, client and reverse proxy, with keep-alive and HTTP/2.
func TestGoHTTP(t *testing.T) {
	for _, protocol := range []string{"", cleartext2, overTLS} {
		t.Run("protocol "+protocol, func(t *testing.T) {
			offAndOn(t, func(t *testing.T, s *scope) {
				dir := files(t, small, large)
				web := s.goServer(t, protocol, dir, netip.AddrPort{})
				base := "http://" + web.String()
				if protocol == overTLS {
					base = "https://" + web.String()
				}
				client := startClient(t, s.cg)
				client.warm(t, s, protocol, base, 1)
				n := volume(500, 5000)
				s.counted(t, claim{bytes: n * small, share: 0.9}, func() { client.get(t, protocol, base, small, n) })
				n = volume(20, 100)
				// Many large bodies on the one connection of HTTP/2 reach the limit.
				s.counted(t, claim{bytes: n * large, share: 0.9, or: handedOver}, func() { client.get(t, protocol, base, large, n) })
				client = startClient(t, s.cg)
				client.warm(t, s, protocol, base, 1)
				s.counted(t, claim{bytes: n * put, share: 0.9, or: handedOver}, func() { client.put(t, protocol, base, dir, n) })
			})
		})
	}
}

// Through Go's reverse proxy.
func TestGoProxy(t *testing.T) {
	offAndOn(t, func(t *testing.T, s *scope) {
		dir := files(t, small, medium, large)
		web := s.goServer(t, "", dir, netip.AddrPort{})
		base := fmt.Sprintf("http://%s/proxy", s.goServer(t, "", t.TempDir(), web))
		client := startClient(t, s.cg)
		client.warm(t, s, "", base, 2)
		n := volume(500, 5000)
		s.counted(t, claim{bytes: 2 * n * small, share: 0.9}, func() { client.get(t, "", base, small, n) })
		n = volume(20, 100)
		s.counted(t, claim{bytes: 2 * n * medium, share: 0.9}, func() { client.get(t, "", base, medium, n) })
		client.put(t, "", base, dir, n)
		client.get(t, "", base, large, n)
	})
}

// put uploads, and compares what is in the directory then.
func (c *httpClient) put(tb testing.TB, protocol, base, dir string, requests int) {
	tb.Helper()
	c.do(tb, job{
		URL: base + "/put/up-%d", Put: true, Seed: seed, Size: put, Protocol: protocol,
		Requests: requests, Concurrency: 4, Timeout: patience,
	})
	for i := range requests {
		sameFile(tb, filepath.Join(dir, fmt.Sprintf("up-%d", i)), seed+uint64(i), put)
	}
}

// sameFile compares a file with a stream, and removes it.
func sameFile(tb testing.TB, path string, seed uint64, size int) {
	tb.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		tb.Error(err)
		return
	}
	if len(got) != size {
		tb.Errorf("%s: %d bytes, want %d", path, len(got), size)
	} else if err := testkit.NewStream(seed).Check(got, 0); err != nil {
		tb.Errorf("%s: %v", path, err)
	}
	if err := os.Remove(path); err != nil {
		tb.Error(err)
	}
}
