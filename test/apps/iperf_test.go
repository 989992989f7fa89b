package apps_test

import (
	"encoding/json"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
)

// iperf3 both ways: the receiver has got what the sender has sent.
func TestIperf(t *testing.T) {
	path := requireTool(t, "iperf3")
	offAndOn(t, func(t *testing.T, s *scope) {
		addr := freeAddr(t)
		port, bytes := strconv.Itoa(int(addr.Port())), volume(500_000_000, 2_000_000_000)
		s.serve(t, addr, syscall.SIGTERM, exec.Command(path, "--server", "--bind", "127.0.0.1", "--port", port))
		for _, way := range []string{"--parallel=2", "--reverse", "--bidir"} {
			s.counted(t, claim{bytes: bytes, share: 0.01, why: blocking}, func() {
				out := s.run(t, exec.Command(path, "--client", "127.0.0.1", "--port", port, "--json", way, "--bytes", strconv.Itoa(bytes)))
				var result struct {
					Error string
					End   struct {
						Sent     struct{ Bytes float64 } `json:"sum_sent"`
						Received struct{ Bytes float64 } `json:"sum_received"`
					}
				}
				if err := json.Unmarshal([]byte(out), &result); err != nil {
					t.Fatalf("%v: %s", err, tail(out))
				}
				sent, got := result.End.Sent.Bytes, result.End.Received.Bytes
				t.Logf("%s: sent %.0f, received %.0f", way, sent, got)
				if result.Error != "" || got == 0 || got > sent {
					t.Errorf("%s: %.0f bytes received of %.0f: %s", way, got, sent, result.Error)
				}
			})
		}
	})
}
