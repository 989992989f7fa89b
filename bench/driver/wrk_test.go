package driver

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func wrkOptions(t *testing.T, url string) WrkOptions {
	t.Helper()
	t.Cleanup(func() { nothingLeft(t, "") })
	return WrkOptions{
		Program: require(t, NameWrk), URL: url, Connections: 8, Threads: 2,
		Duration: 300 * time.Millisecond, BodySize: BodySize,
	}
}

func TestWrk(t *testing.T) {
	web, err := StartWeb(t.Context(), options(t, NameNginx))
	if err != nil {
		t.Fatal(err)
	}
	defer web.Stop()
	o := wrkOptions(t, web.URL())
	ended := 0
	o.Ended = func() { ended++ }
	m, err := Wrk(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if m.Operations == 0 || m.AllOperations != m.Operations || m.Errors != 0 || m.FirstError != "" ||
		m.Bytes != m.Operations*BodySize || m.Latency.Count() != m.Operations || m.Latency.Quantile(0.5) <= 0 {
		t.Errorf("got %+v", m)
	}
	// Without the interrupt it runs for 2 s.
	if m.Seconds < o.Duration.Seconds() || m.Seconds >= 2 {
		t.Errorf("measured %g s, not %s", m.Seconds, o.Duration)
	}
	if ended != 1 {
		t.Errorf("ended %d times", ended)
	}
	o.BodySize *= 2
	if _, err := Wrk(t.Context(), o); err == nil || !strings.Contains(err.Error(), "cut short") {
		t.Errorf("with bodies that are too short: %v", err)
	}
}

func TestWrkErrors(t *testing.T) {
	t.Run("status", func(t *testing.T) {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, newBody())
		}))
		defer server.Close()
		m, err := Wrk(t.Context(), wrkOptions(t, server.URL))
		if err != nil {
			t.Fatal(err)
		}
		if m.Operations != 0 || m.AllOperations == 0 || m.Errors != m.AllOperations || !strings.HasPrefix(m.FirstError, "wrk: errors: connect 0, read 0, write 0, timeout 0, status ") {
			t.Errorf("got %+v", m)
		}
	})
	t.Run("closed", func(t *testing.T) {
		server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			panic(http.ErrAbortHandler)
		}))
		defer server.Close()
		m, err := Wrk(t.Context(), wrkOptions(t, server.URL))
		if err != nil {
			t.Fatal(err)
		}
		if m.AllOperations != 0 || m.Errors == 0 || m.Latency.Count() != 0 || strings.Contains(m.FirstError, "read 0,") {
			t.Errorf("got %+v", m)
		}
	})
	t.Run("refused", func(t *testing.T) {
		port, err := freePort()
		if err != nil {
			t.Fatal(err)
		}
		_, err = Wrk(t.Context(), wrkOptions(t, (&Server{Port: port}).URL()))
		if err == nil || !strings.HasPrefix(err.Error(), "wrk ended (exit status 1): unable to connect to") {
			t.Errorf("got %v", err)
		}
	})
}

func TestWrkCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { cancel() }))
	defer server.Close()
	o := wrkOptions(t, server.URL)
	o.Duration = time.Hour
	if _, err := Wrk(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
