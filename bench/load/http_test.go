package load

import (
	"io"
	"net/http"
	"testing"

	"github.com/sockaccel/sockaccel/internal/stream"
)

func TestServeBytes(t *testing.T) {
	addrs := startServer(t)
	defer http.DefaultClient.CloseIdleConnections()
	resp, err := http.Get("http://" + addrs.HTTP + "/bytes/1000?seed=7")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || len(body) != 1000 {
		t.Fatalf("%d bytes, %v", len(body), err)
	}
	if err := stream.New(7).Check(body, 0); err != nil {
		t.Error(err)
	}
	for _, path := range []string{"/bytes/99999999999?seed=1", "/bytes/10", "/bytes/-1?seed=1"} {
		resp, err := http.Get("http://" + addrs.HTTP + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
}

// silentHTTP returns the address of a server that accepts and never answers.
func silentHTTP(t *testing.T) string {
	t.Helper()
	lis, err := listenTCP("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lis.Close() })
	return lis.Addr().String()
}
