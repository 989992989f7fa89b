package apps_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/sockaccel/sockaccel/internal/status"
	"github.com/sockaccel/sockaccel/internal/testkit"
)

const (
	small = 60_000
	// medium is less than new sockets on loopback may have queued, large is more
	// where it is written at once: then its connection goes on by TCP.
	medium = 800_000
	large  = 3_000_000
	huge   = 40_000_000
	put    = 2_000_000
)

// site is a load balancer in front of a web server, and a client, all in one
// cgroup, accelerated or not.
type site struct {
	*scope
	lb, web  *nginx
	client   *httpClient
	snapshot *status.Status
}

// The ways to proxy that read and write differently.
var proxies = []struct{ name, config string }{
	{"buffered", ``},
	{"unbuffered", `proxy_buffering off; proxy_request_buffering off; proxy_http_version 1.1;`},
	{"keepalive", `proxy_http_version 1.1; proxy_set_header Connection "";`},
	{"keepalive-unbuffered", `proxy_http_version 1.1; proxy_set_header Connection "";
		proxy_buffering off; proxy_request_buffering off;`},
}

func newSite(tb testing.TB, on bool) *site {
	tb.Helper()
	s := &site{scope: newScope(tb, on)}
	s.web = startNginx(tb, s.scope, "", `
		root html;
		location / { }
		location /put/ { dav_methods PUT; create_full_put_path on; }`)
	upstreams := fmt.Sprintf("upstream once { server %[1]s; }\nupstream kept { server %[1]s; keepalive 64; }\n", s.web.addr)
	locations := ""
	for _, p := range proxies {
		upstream := map[bool]string{true: "kept", false: "once"}[len(p.name) >= 9 && p.name[:9] == "keepalive"]
		locations += fmt.Sprintf("location /%s/ { proxy_pass http://%s/; %s }\n", p.name, upstream, p.config)
	}
	s.lb = startNginx(tb, s.scope, upstreams, locations)
	s.client = startClient(tb, s.cg)
	// A few exchanges for every reader to show how it reads.
	file := s.web.publish(tb, 1, 1000)
	for _, p := range proxies {
		s.client.do(tb, job{URL: s.url(p.name, file), Seed: 1, Size: 1000, Requests: 10})
	}
	s.client.do(tb, job{URL: fmt.Sprintf("http://%s/%s", s.web.addr, file), Seed: 1, Size: 1000, Requests: 10})
	return s
}

func (s *site) url(proxy, path string) string {
	return fmt.Sprintf("http://%s/%s/%s", s.lb.addr, proxy, path)
}

// begin and end enclose a case whose requests pass hops connections each.
func (s *site) begin(tb testing.TB) { s.snapshot = s.tool.Status(tb) }

func (s *site) end(tb testing.TB, requests, hops int) {
	tb.Helper()
	st := s.tool.Status(tb)
	msgs := st.Messages.Redirected - s.snapshot.Messages.Redirected
	tcp := st.Messages.TCP - s.snapshot.Messages.TCP
	tb.Logf("%d messages and %d bytes redirected, %d messages by TCP, %d connections handed over", msgs,
		st.Bytes.Redirected-s.snapshot.Bytes.Redirected, tcp,
		st.Connections.HandedOverTotal-s.snapshot.Connections.HandedOverTotal)
	switch {
	case !s.on && (msgs != 0 || tcp != 0):
		tb.Errorf("%d messages redirected, %d by TCP in the sockhash, want none", msgs, tcp)
	case s.on && msgs < uint64(2*hops*requests*3/4):
		// A request and a response on every hop; connections that were
		// handed over, or made before their process was trusted, miss.
		tb.Errorf("%d messages redirected, want most of %d requests over %d hops", msgs, requests, hops)
	}
	if n := st.NotAccelerated.Blocking + st.NotAccelerated.Splice; n != 0 {
		tb.Errorf("%d connections of nginx counted as blocking or splice", n)
	}
}

func bothWays(t *testing.T, run func(*testing.T, *site)) {
	for _, on := range testkit.Ways() {
		t.Run(fmt.Sprintf("accelerated %t", on), func(t *testing.T) { run(t, newSite(t, on)) })
	}
}

// Files straight from the web server, many at a time.
func TestNginxStatic(t *testing.T) {
	bothWays(t, func(t *testing.T, s *site) {
		for _, size := range []int{small, large} {
			for _, fresh := range []bool{false, true} {
				t.Run(fmt.Sprintf("%d bytes, new connections %t", size, fresh), func(t *testing.T) {
					file := s.web.publish(t, 2, size)
					s.begin(t)
					j := job{
						URL:  fmt.Sprintf("http://%s/%s", s.web.addr, file),
						Seed: 2, Size: size, Requests: testkit.Volume(6_000_000)/size + 20, Concurrency: 20, NoKeepalive: fresh,
					}
					s.client.do(t, j)
					s.end(t, j.Requests, 1)
				})
			}
		}
	})
}

// Responses through the load balancer, in every way of proxying.
func TestNginxProxy(t *testing.T) {
	bothWays(t, func(t *testing.T, s *site) {
		for _, p := range proxies {
			for _, size := range []int{small, large} {
				t.Run(fmt.Sprintf("%s, %d bytes", p.name, size), func(t *testing.T) {
					file := s.web.publish(t, 3, size)
					s.begin(t)
					j := job{URL: s.url(p.name, file), Seed: 3, Size: size, Requests: testkit.Volume(6_000_000)/size + 20, Concurrency: 20}
					s.client.do(t, j)
					s.end(t, j.Requests, 2)
				})
			}
		}
	})
}

// Uploads through the load balancer.
func TestNginxUpload(t *testing.T) {
	bothWays(t, func(t *testing.T, s *site) {
		for _, p := range proxies {
			t.Run(p.name, func(t *testing.T) {
				s.begin(t)
				j := job{URL: s.url(p.name, "put/"+p.name+"-%d"), Put: true, Seed: 4, Size: put, Requests: 20, Concurrency: 5}
				s.client.do(t, j)
				for i := range j.Requests {
					s.web.uploaded(t, fmt.Sprintf("put/%s-%d", p.name, i), j.Seed+uint64(i), put)
				}
				s.end(t, j.Requests, 2)
			})
		}
	})
}

// A reader that does nothing for seconds in the middle of a response, while
// others go on.
func TestNginxPausingReader(t *testing.T) {
	bothWays(t, func(t *testing.T, s *site) {
		for _, p := range proxies {
			t.Run(p.name, func(t *testing.T) {
				for _, size := range []int{large, huge} {
					file := s.web.publish(t, 5, size)
					s.begin(t)
					j := job{
						URL: s.url(p.name, file), Seed: 5, Size: size, Requests: 3, Concurrency: 3,
						Pause: 2500 * time.Millisecond,
						// Those that ran into the limit before stay on TCP.
						NoKeepalive: true,
					}
					s.client.do(t, j)
					s.end(t, 1, 1)
				}
			})
		}
	})
}
