package apps_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

// httpClientEnv marks a process as the HTTP client: an ordinary program of
// Go's net/http, in the cgroup, that does one job after another.
const httpClientEnv = "SOCKACCEL_TEST_HTTP_CLIENT"

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
	Timeout     time.Duration
}

type jobResult struct {
	Done   int
	Errors []string
}

// httpClient is the client process.
type httpClient struct {
	in  *json.Encoder
	out *json.Decoder
}

func startClient(tb testing.TB, cg *testkit.Cgroup) *httpClient {
	tb.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{"sockaccel-test-http-client"}
	cmd.Env = append(os.Environ(), httpClientEnv+"=1")
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
	return &httpClient{json.NewEncoder(in), json.NewDecoder(out)}
}

// do has a job done; every response was right when it returns.
func (c *httpClient) do(tb testing.TB, j job) {
	tb.Helper()
	j.Requests, j.Concurrency = max(j.Requests, 1), max(j.Concurrency, 1)
	if j.Timeout == 0 {
		j.Timeout = time.Minute
	}
	var r jobResult
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
	clients := map[bool]*http.Client{}
	for _, off := range []bool{false, true} {
		clients[off] = &http.Client{Transport: &http.Transport{
			MaxIdleConnsPerHost: 1000, DisableKeepAlives: off, DisableCompression: true,
		}}
	}
	for {
		var j job
		if jobs.Decode(&j) != nil {
			return 0
		}
		if results.Encode(j.run(clients[j.NoKeepalive])) != nil {
			return 1
		}
	}
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
