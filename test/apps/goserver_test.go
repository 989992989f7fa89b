package apps_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// The protocols of goServer but for HTTP/1.1, which is "".
const (
	cleartext2 = "h2c"
	overTLS    = "h2"
)

// goServer is an ordinary program of Go's net/http that serves the files of a
// directory, takes uploads, upgrades, and is a reverse proxy for upstream.
func (s *scope) goServer(tb testing.TB, protocol, dir string, upstream netip.AddrPort) netip.AddrPort {
	tb.Helper()
	addr := freeAddr(tb)
	s.serve(tb, addr, syscall.SIGKILL, program("http-server", protocol, addr.String(), dir, upstream.String()))
	return addr
}

func goServerMain(args []string) int {
	protocol, addr, dir, upstream := args[0], args[1], args[2], args[3]
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir(dir)))
	mux.HandleFunc("PUT /put/{name}", func(w http.ResponseWriter, r *http.Request) {
		if err := save(filepath.Join(dir, filepath.Base(r.PathValue("name"))), r.Body); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.WriteHeader(http.StatusCreated)
	})
	mux.HandleFunc("/ws", echoUpgraded)
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: upstream})
	mux.Handle("/proxy/", http.StripPrefix("/proxy", proxy))

	l, err := net.Listen("tcp4", addr)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if protocol == overTLS {
		// It has a certificate of its own.
		s := httptest.NewUnstartedServer(mux)
		s.Listener.Close()
		s.Listener, s.EnableHTTP2 = l, true
		s.StartTLS()
		select {}
	}
	s := &http.Server{Handler: mux, Protocols: new(http.Protocols)}
	s.Protocols.SetHTTP1(protocol == "")
	s.Protocols.SetUnencryptedHTTP2(protocol == cleartext2)
	fmt.Fprintln(os.Stderr, s.Serve(l))
	return 1
}

func save(path string, from io.Reader) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(f, from)
	return err
}

// echoUpgraded answers as WebSocket does, and then echoes what comes.
func echoUpgraded(w http.ResponseWriter, r *http.Request) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	for buf := make([]byte, 64<<10); ; {
		n, err := rw.Read(buf)
		if err != nil {
			return
		}
		if _, err := conn.Write(buf[:n]); err != nil {
			return
		}
	}
}
