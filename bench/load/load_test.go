package load

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"math"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sockaccel/sockaccel/internal/stream"
)

// startServer runs a server process in miniature, and returns its addresses.
func startServer(t *testing.T) Addrs {
	t.Helper()
	stdin, stop := io.Pipe()
	stdout, w := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- RunServer(t.Context(), stdin, w) }()
	t.Cleanup(func() {
		stop.Close()
		if err := <-done; err != nil {
			t.Errorf("server: %v", err)
		}
	})
	var addrs Addrs
	if err := json.NewDecoder(stdout).Decode(&addrs); err != nil {
		t.Fatal(err)
	}
	return addrs
}

func TestRun(t *testing.T) {
	addrs := startServer(t)
	for _, c := range []Command{
		{Kind: KindRR, Addr: addrs.RR, Connections: 16},
		{Kind: KindHTTP, Addr: addrs.HTTP, Connections: 4},
		{Kind: KindHTTP, Addr: addrs.HTTP, Connections: 2, Size: 300_001},
		{Kind: KindConnect, Addr: addrs.RR},
	} {
		c.Seconds, c.WarmupSeconds = 0.5, 0.05
		res, err := Run(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		if res.Messages == 0 || res.AllMessages < res.Messages || res.Errors != 0 || res.FirstError != "" {
			t.Errorf("%+v: got %+v", c, res)
		}
		size := int64(rrSize)
		if c.Kind == KindHTTP {
			size = int64(orDefault(c.Size, 1024))
		}
		if res.Bytes != res.Messages*size {
			t.Errorf("%s: %d bytes in %d messages", c.Kind, res.Bytes, res.Messages)
		}
		if math.Abs(res.ElapsedSeconds-0.5) > 0.01 {
			t.Errorf("%s: elapsed %g s, want 0.5", c.Kind, res.ElapsedSeconds)
		}
		if res.P50 <= 0 || res.P99 < res.P50 {
			t.Errorf("%s: p50 %g µs, p99 %g µs", c.Kind, res.P50, res.P99)
		}
		t.Logf("%+v", res)
	}
}

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

// A server that answers wrongly, or hangs up, must not go unnoticed.
func TestRunReportsBadServer(t *testing.T) {
	for _, x := range []struct {
		name, want string
		serve      func(net.Conn)
	}{
		{"echo", "wrong response", func(c net.Conn) {
			buf := make([]byte, rrSize)
			for {
				if _, err := io.ReadFull(c, buf); err != nil {
					return
				}
				if _, err := c.Write(buf); err != nil {
					return
				}
			}
		}},
		{"close", "closed", func(c net.Conn) {
			_, _ = io.ReadFull(c, make([]byte, rrSize))
		}},
	} {
		t.Run(x.name, func(t *testing.T) {
			lis, err := listenTCP("127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer lis.Close()
			go func() {
				for {
					c, err := lis.Accept()
					if err != nil {
						return
					}
					go func() {
						defer c.Close()
						x.serve(c)
					}()
				}
			}()
			once, err := Run(t.Context(), Command{Kind: KindConnect, Addr: lis.Addr().String(), Seconds: 0.1})
			if err != nil {
				t.Fatal(err)
			}
			if once.Errors != 1 || once.Messages != 0 || !strings.Contains(once.FirstError, x.want) {
				t.Errorf("connect: got %+v, want an error with %q", once, x.want)
			}
			res, err := Run(t.Context(), Command{Kind: KindRR, Addr: lis.Addr().String(), Connections: 3, Seconds: 0.1})
			if err != nil {
				t.Fatal(err)
			}
			if res.Errors != 3 || res.Messages != 0 || !strings.Contains(res.FirstError, x.want) {
				t.Errorf("got %+v, want 3 errors with %q", res, x.want)
			}
		})
	}
}

func TestRunReportsStall(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for the stall timeout")
	}
	lis, err := listenTCP("127.0.0.1:0") // connects, never answers
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lis.Close() }) // after the parallel subtests
	for _, kind := range []string{KindRR, KindHTTP} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			res, err := Run(t.Context(), Command{Kind: kind, Addr: lis.Addr().String(), Connections: 3, Seconds: 0.1})
			if err != nil {
				t.Fatal(err)
			}
			if res.Errors != 3 || res.Messages != 0 {
				t.Errorf("got %+v, want 3 errors", res)
			}
		})
	}
}

func TestServeCommands(t *testing.T) {
	addrs := startServer(t)
	stdin, in := io.Pipe()
	out, stdout := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- ServeCommands(t.Context(), stdin, stdout) }()
	answers := bufio.NewScanner(out)
	for _, x := range []struct{ line, want string }{
		{`{"kind":"rr","addr":"` + addrs.RR + `","connections":4,"seconds":0.05}`, `"errors":0`},
		{`{"kind":"http","addr":"` + addrs.HTTP + `","seconds":0.05,"size":10}`, `"errors":0`},
		{`{"kind":"tea","addr":"127.0.0.1:1"}`, `"error":"unknown kind of load \"tea\""`},
		{`{"knid":"rr"}`, `"error":`},
		{`{"kind":"rr","addr":"127.0.0.1:1"}`, `"error":"connect to 127.0.0.1:1: connection refused"`},
	} {
		if _, err := io.WriteString(in, x.line+"\n"); err != nil {
			t.Fatal(err)
		}
		if !answers.Scan() || !strings.Contains(answers.Text(), x.want) {
			t.Errorf("%s: answer %s, want %s", x.line, answers.Text(), x.want)
		}
	}
	in.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestRunStopsWithContext(t *testing.T) {
	addrs := startServer(t)
	for _, c := range []Command{
		{Kind: KindRR, Addr: addrs.RR}, {Kind: KindHTTP, Addr: addrs.HTTP}, {Kind: KindConnect, Addr: addrs.RR},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		c.Seconds = 60
		begin := time.Now()
		if _, err := Run(ctx, c); err == nil {
			t.Errorf("%s: no error", c.Kind)
		}
		if d := time.Since(begin); d > 2*time.Second {
			t.Errorf("%s: took %v to stop", c.Kind, d)
		}
	}
}

func TestHistogram(t *testing.T) {
	var h histogram
	if h.quantile(0.5) != 0 {
		t.Error("quantile of nothing")
	}
	for i := range 1000 {
		h.add(time.Duration(i+1) * time.Microsecond)
	}
	for q, want := range map[float64]time.Duration{0: 1000, 0.5: 500_000, 0.99: 990_000, 1: 1_000_000} {
		if got := h.quantile(q); math.Abs(float64(got-want)) > 0.04*float64(want) {
			t.Errorf("quantile %g is %v, want %v", q, got, want)
		}
	}
	h.add(math.MaxInt64)
	h.add(-1)
}
