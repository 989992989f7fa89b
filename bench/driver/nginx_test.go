package driver

import (
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
)

// upstream is a web server of ours that notes what a balancer asks.
type upstream struct {
	*httptest.Server
	sync.Mutex
	connections int
	requests    []string // protocol and Connection header
	status      int
}

func newUpstream(t *testing.T) (*upstream, *Server) {
	t.Helper()
	u := &upstream{status: http.StatusOK}
	body := newBody()
	u.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u.Lock()
		defer u.Unlock()
		u.requests = append(u.requests, r.Proto+" "+r.Header.Get("Connection"))
		w.WriteHeader(u.status)
		_, _ = w.Write([]byte(body))
	}))
	u.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			u.Lock()
			defer u.Unlock()
			u.connections++
		}
	}
	u.Start()
	t.Cleanup(u.Close)
	port := u.Listener.Addr().(*net.TCPAddr).Port
	return u, &Server{Port: port, bodies: []string{body}}
}

func TestBalancer(t *testing.T) {
	for _, keepAlive := range []bool{false, true} {
		o := options(t, NameNginx)
		u1, web1 := newUpstream(t)
		u2, web2 := newUpstream(t)
		s, err := StartBalancer(t.Context(), o, []*Server{web1, web2}, keepAlive)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Stop()
		const n = 10
		for range n {
			if err := s.answers(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		for _, u := range []*upstream{u1, u2} {
			u.Lock()
			// One more has been sent by the start.
			want, connections := "HTTP/1.0 close", n+1
			if keepAlive {
				want, connections = "HTTP/1.1 ", 1
			}
			if len(u.requests) != n+1 || slices.ContainsFunc(u.requests, func(r string) bool { return r != want }) {
				t.Errorf("keep-alive %t: asked %q", keepAlive, u.requests)
			}
			if u.connections != connections {
				t.Errorf("keep-alive %t: %d connections, want %d", keepAlive, u.connections, connections)
			}
			u.Unlock()
		}
	}
}

// The error of one web server is not hidden by the other.
func TestBalancerError(t *testing.T) {
	o := options(t, NameNginx)
	_, web1 := newUpstream(t)
	u2, web2 := newUpstream(t)
	s, err := StartBalancer(t.Context(), o, []*Server{web1, web2}, true)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	u2.Close()
	for range 2 {
		if err := s.answers(t.Context()); err == nil || err.Error() != "it answers 502 Bad Gateway" {
			t.Errorf("got %v", err)
		}
	}
}
