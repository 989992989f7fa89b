package driver

import (
	"os"
	"strings"
	"testing"
)

// FuzzOutputs reads what wrk and redis-benchmark might print: either it is
// refused in one line, or every request has one latency.
func FuzzOutputs(f *testing.F) {
	for _, name := range []string{"wrk.txt", "redis-7.0.15.txt", "redis-7.0.15-pipeline.txt"} {
		text, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text), 4)
		f.Add(string(text[:len(text)/2]), 4)
	}
	f.Add("\n{\"requests\":1,\"duration\":1000,\"bytes\":9,\"latency\":[[9000000000000000000,1]]}", 1)
	f.Add("\n{\"requests\":2,\"duration\":-4,\"bytes\":9,\"latency\":[[-5,3],[1,-1]]}", 2)
	f.Add("1 requests completed in 0\nthroughput summary: 0.5 requests per second\n50% <= 1e9 milliseconds (cumulative count 1)\n", 1)
	f.Fuzz(func(t *testing.T, out string, connections int) {
		if s, err := parseWrk(out); err == nil {
			m, err := s.measurement(max(1, connections), 1)
			if err == nil && m.Latency.Count() != s.Requests-s.Errors.Timeout {
				t.Errorf("%d latencies of %d requests", m.Latency.Count(), s.Requests)
			}
			oneLine(t, err)
		}
		m, err := parseRedis(out)
		if err == nil && (m.Latency.Count() != m.Operations || m.Operations <= 0 || m.Seconds <= 0) {
			t.Errorf("got %+v", m)
		}
		oneLine(t, err)
	})
}

func oneLine(t *testing.T, err error) {
	t.Helper()
	if err != nil && strings.Contains(err.Error(), "\n") {
		t.Errorf("%q", err)
	}
}
