package soak_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sockaccel/sockaccel/bench/driver"
)

// web is nginx in front of nginx, and wrk.
type web struct {
	wrk      driver.Program
	cgroup   *os.File
	balancer *driver.Server
	webs     []*driver.Server
}

// newWeb returns nil where they are not installed.
func newWeb(tb testing.TB, s *scene) *web {
	tb.Helper()
	nginx, err := driver.Find(driver.NameNginx)
	w := new(web)
	if err == nil {
		w.wrk, err = driver.Find(driver.NameWrk)
	}
	if err != nil {
		tb.Logf("without nginx: %v", err)
		return nil
	}
	if w.cgroup, err = os.Open(s.scopes[1].Path); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { w.cgroup.Close() })
	o := driver.Options{Program: nginx, Dir: tb.TempDir(), Cgroup: w.cgroup}
	ctx, cancel := context.WithTimeout(context.Background(), stall)
	defer cancel()
	one, err := driver.StartWeb(ctx, o)
	if err != nil {
		tb.Fatal(err)
	}
	w.webs = append(w.webs, one)
	if w.balancer, err = driver.StartBalancer(ctx, o, w.webs, true); err != nil {
		one.Stop()
		tb.Fatal(err)
	}
	return w
}

func (w *web) stop() {
	w.balancer.Stop()
	w.webs[0].Stop()
}

// web asks for a second. wrk's time-outs are answers after more than two seconds,
// which chaos is allowed to cause; a connection that breaks is not.
func (l *lane) web() error {
	w := l.traffic.scene.web
	if w == nil {
		<-l.traffic.done.Done()
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*stall)
	defer cancel()
	m, err := driver.Wrk(ctx, driver.WrkOptions{
		Program: w.wrk, Cgroup: w.cgroup, URL: w.balancer.URL(), Connections: 8, Threads: 1,
		Duration: time.Second, BodySize: driver.BodySize,
	})
	l.kind.messages.Add(2 * m.Operations)
	l.kind.sent.Add(m.Bytes)
	l.kind.received.Add(m.Bytes)
	if err == nil && (m.Operations != m.AllOperations ||
		m.FirstError != "" && !strings.Contains(m.FirstError, "connect 0, read 0, write 0,")) {
		err = fmt.Errorf("%d requests, %d answered right: %s", m.AllOperations, m.Operations, m.FirstError)
	}
	return err
}
