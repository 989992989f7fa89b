package apps_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

// job is a number of requests for the same content.
type job struct {
	URL         string // with %d: the number of the request
	Put         bool
	Seed        uint64
	Size        int
	Requests    int
	Concurrency int
	Pause       time.Duration // of the reader, in the middle of a response
	NoKeepalive bool
	Protocol    string // as of goServer
	Timeout     time.Duration
}

type jobResult struct {
	Done   int
	Errors []string
}

// httpClient is an ordinary program of Go's net/http, in the cgroup, that does
// one job after another.
type httpClient struct {
	cg  *testkit.Cgroup
	in  *json.Encoder
	out *json.Decoder
}

func startClient(tb testing.TB, cg *testkit.Cgroup) *httpClient {
	tb.Helper()
	cmd := program("http-client")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := startIn(cg, cmd); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		closeAll(in, out)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return &httpClient{cg, json.NewEncoder(in), json.NewDecoder(out)}
}

// do has a job done; every response was right when it returns.
func (c *httpClient) do(tb testing.TB, j job) {
	tb.Helper()
	j.Requests, j.Concurrency = max(j.Requests, 1), max(j.Concurrency, 1)
	if j.Timeout == 0 {
		j.Timeout = time.Minute
	}
	var r jobResult
	// While the connections are still there.
	defer time.AfterFunc(j.Timeout*9/10, func() { logSockets(tb, c.cg) }).Stop()
	if err := c.in.Encode(j); err != nil {
		tb.Fatal(err)
	}
	if err := c.out.Decode(&r); err != nil {
		tb.Fatal(err)
	}
	for _, e := range r.Errors {
		tb.Error(e)
	}
	if r.Done != j.Requests {
		tb.Fatalf("%d of %d requests: %+v", r.Done, j.Requests, j)
	}
}

func httpClientMain(in io.Reader, out io.Writer) int {
	jobs, results := json.NewDecoder(in), json.NewEncoder(out)
	kept := map[string]*http.Client{}
	for {
		var j job
		if jobs.Decode(&j) != nil {
			return 0
		}
		if kept[j.Protocol] == nil {
			kept[j.Protocol] = newClient(j.Protocol, false)
		}
		client := kept[j.Protocol]
		if j.NoKeepalive {
			client = newClient(j.Protocol, true)
		}
		if results.Encode(j.run(client)) != nil {
			return 1
		}
	}
}

func newClient(protocol string, noKeepalive bool) *http.Client {
	tr := &http.Transport{
		MaxIdleConnsPerHost: 1000, DisableKeepAlives: noKeepalive, DisableCompression: true,
		ForceAttemptHTTP2: protocol == overTLS, TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}
	if protocol == cleartext2 {
		tr.Protocols = new(http.Protocols)
		tr.Protocols.SetUnencryptedHTTP2(true)
	}
	return &http.Client{Transport: tr}
}

func (j job) run(client *http.Client) jobResult {
	ctx, cancel := context.WithTimeout(context.Background(), j.Timeout)
	defer cancel()
	var mu sync.Mutex
	var r jobResult
	var wg sync.WaitGroup
	numbers := make(chan int)
	for range j.Concurrency {
		wg.Go(func() {
			for i := range numbers {
				err := j.request(ctx, client, i)
				mu.Lock()
				if err == nil {
					r.Done++
				} else if len(r.Errors) < 5 {
					r.Errors = append(r.Errors, fmt.Sprintf("request %d: %v", i, err))
				}
				mu.Unlock()
			}
		})
	}
	for i := range j.Requests {
		numbers <- i
	}
	close(numbers)
	wg.Wait()
	return r
}

func (j job) request(ctx context.Context, client *http.Client, number int) error {
	method, want, url := http.MethodGet, http.StatusOK, j.URL
	var body io.Reader
	if j.Put {
		method, want, url = http.MethodPut, http.StatusCreated, fmt.Sprintf(j.URL, number)
		body = bytes.NewReader(testkit.NewStream(j.Seed+uint64(number)).Bytes(0, j.Size))
	}
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if major := resp.ProtoMajor; (j.Protocol != "") != (major == 2) {
		return fmt.Errorf("answered with HTTP/%d", major)
	}
	if resp.StatusCode != want {
		return fmt.Errorf("status %s", resp.Status)
	}
	if j.Put {
		_, err := io.Copy(io.Discard, resp.Body)
		return err
	}
	return j.verify(resp.Body)
}

// verify compares a response, with a pause after its first half.
func (j job) verify(body io.Reader) error {
	stream, buf := testkit.NewStream(j.Seed), make([]byte, 32<<10)
	paused := j.Pause == 0
	for off := 0; ; {
		n, err := body.Read(buf)
		if wrong := stream.Check(buf[:n], int64(off)); wrong != nil {
			return wrong
		}
		off += n
		if err == io.EOF && off == j.Size {
			return nil
		}
		if err != nil {
			return fmt.Errorf("after %d of %d bytes: %w", off, j.Size, err)
		}
		if !paused && off > j.Size/2 {
			paused = true
			time.Sleep(j.Pause)
		}
	}
}
