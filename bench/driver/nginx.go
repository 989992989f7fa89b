package driver

import (
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
)

// BodySize is the length in bytes of the body that nginx answers with.
const BodySize = 1024

//go:embed nginx.conf.tmpl
var nginxConf string

var nginxTemplate = template.Must(template.New("nginx.conf").Parse(nginxConf))

// nginxConfig is what the template needs.
type nginxConfig struct {
	Addr      string
	Root      bool
	Body      string   // of a web server
	Upstreams []string // of a balancer
	KeepAlive bool     // towards them
}

// StartWeb starts nginx as a web server with one worker, which answers every
// request with the same BodySize bytes. ctx is for the start only. The caller
// stops the server.
func StartWeb(ctx context.Context, o Options) (*Server, error) {
	s, err := newServer(o, "web")
	if err != nil {
		return nil, err
	}
	body := newBody()
	s.bodies = []string{body}
	if err := s.startNginx(ctx, o, nginxConfig{Body: body}); err != nil {
		return nil, err
	}
	return s, nil
}

// StartBalancer starts nginx as a load balancer with one worker, which asks the
// web servers in turn: with a new HTTP/1.0 connection each time, which is what
// proxy_pass does by default (before nginx 1.29.7), or with HTTP/1.1 over
// connections kept alive. An upstream's error is answered with 502 and not
// hidden by asking another. ctx is for the start only. The caller stops the
// server.
func StartBalancer(ctx context.Context, o Options, webs []*Server, keepAlive bool) (*Server, error) {
	s, err := newServer(o, "balancer")
	if err != nil {
		return nil, err
	}
	c := nginxConfig{KeepAlive: keepAlive}
	for _, web := range webs {
		c.Upstreams = append(c.Upstreams, web.Addr())
		s.bodies = append(s.bodies, web.bodies...)
	}
	if err := s.startNginx(ctx, o, c); err != nil {
		return nil, err
	}
	return s, nil
}

// URL is the address of a web server or a balancer.
func (s *Server) URL() string { return "http://" + s.Addr() + "/" }

func (s *Server) startNginx(ctx context.Context, o Options, c nginxConfig) error {
	c.Addr, c.Root = s.Addr(), os.Geteuid() == 0
	var text strings.Builder
	if err := nginxTemplate.Execute(&text, c); err != nil {
		return err
	}
	file := filepath.Join(s.dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		return err
	}
	// Without -e (nginx 1.19.5) it may write to the system's log as well.
	return s.start(ctx, o.Cgroup, s.answers, "-p", s.dir, "-c", file, "-e", "stderr")
}

// newBody returns a body that only one server has: another one on the same
// port is not taken for it.
func newBody() string {
	line := "sockaccel bench " + rand.Text() + "\n"
	return strings.Repeat(line, BodySize/len(line)+1)[:BodySize]
}

// answers checks that each body is answered once: the web servers have their
// turns. It asks from outside of the scope.
func (s *Server) answers(ctx context.Context) error {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	var got []string
	for range s.bodies {
		body, err := get(ctx, client, s.URL())
		if err != nil {
			return err
		}
		got = append(got, body)
	}
	slices.Sort(got)
	if !slices.Equal(got, slices.Sorted(slices.Values(s.bodies))) {
		return errors.New("its answer is wrong")
	}
	return nil
}

func get(ctx context.Context, client *http.Client, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("it answers %s", resp.Status)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, BodySize+1))
	return string(body), err
}
