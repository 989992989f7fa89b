package apps_test

import (
	"bytes"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sockaccel/sockaccel/internal/status"
	"github.com/sockaccel/sockaccel/internal/testkit"
)

var (
	wrkRequests = regexp.MustCompile(`(?m)^\s*(\d+) requests in `)
	wrkRate     = regexp.MustCompile(`(?m)^Requests/sec:\s*([0-9.]+)`)
)

const wrkConns = 100

// wrk against nginx, acceleration off and on in turns: no errors, all of its
// connections are adopted, and then nearly all messages are redirected. (wrk
// is a new process each time, to be trusted first, and how long that takes
// depends on what else the machine does.) The rates are for reading only.
func TestWrk(t *testing.T) {
	wrk := requireTool(t, "wrk")
	s := newScope(t, false)
	tool, cg := s.tool, s.cg
	web := startNginx(t, s, "", `location / { return 200 "hello from nginx, which answers with some bytes\n"; }`)
	rates := map[bool][]string{}
	for range 3 {
		for _, on := range testkit.Ways() {
			if on {
				tool.Enable(t, cg)
			}
			var adopted *status.Status
			requests, rate := runWrk(t, cg, wrk, web, func() {
				if on {
					adopted = tool.Await(t, 20*time.Second, "all connections accelerated", func(st *status.Status) bool {
						return st.Connections.Accelerated == wrkConns
					})
				}
			})
			rates[on] = append(rates[on], rate)
			st := tool.Status(t)
			if !on {
				if n := st.Messages.Redirected + st.Messages.TCP; n != 0 {
					t.Errorf("%d messages counted while off", n)
				}
				continue
			}
			t.Logf("%d requests, messages %+v, when all were adopted %+v, not accelerated %+v, stayed on TCP %+v",
				requests, st.Messages, adopted.Messages, st.NotAccelerated, st.StayedOnTCP)
			redirected := st.Messages.Redirected - adopted.Messages.Redirected
			all := redirected + st.Messages.TCP - adopted.Messages.TCP
			if redirected == 0 || redirected*100 < all*95 {
				t.Errorf("%d of %d messages redirected, want 95 %%", redirected, all)
			}
			tool.Disable(t)
		}
	}
	t.Logf("requests per second, off: %s", strings.Join(rates[false], " "))
	t.Logf("requests per second, on:  %s", strings.Join(rates[true], " "))
}

func runWrk(tb testing.TB, cg *testkit.Cgroup, wrk string, web *nginx, during func()) (requests uint64, rate string) {
	tb.Helper()
	var out bytes.Buffer
	cmd := exec.Command(wrk, "-c"+strconv.Itoa(wrkConns), "-t2", "-d3s", fmt.Sprintf("http://%s/", web.addr))
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := startIn(cg, cmd); err != nil {
		tb.Fatal(err)
	}
	during()
	if err := cmd.Wait(); err != nil {
		tb.Fatalf("wrk: %v: %s", err, out.String())
	}
	text := out.String()
	for _, bad := range []string{"Socket errors", "Non-2xx"} {
		if strings.Contains(text, bad) {
			tb.Errorf("wrk:\n%s", text)
		}
	}
	n, m := wrkRequests.FindStringSubmatch(text), wrkRate.FindStringSubmatch(text)
	if n == nil || m == nil {
		tb.Fatalf("wrk:\n%s", text)
	}
	requests, _ = strconv.ParseUint(n[1], 10, 64)
	return requests, m[1]
}
