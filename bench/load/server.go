package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"

	"golang.org/x/sys/unix"
)

// Addrs are the addresses of a server, see [Command].
type Addrs struct {
	HTTP string `json:"http"` // for KindHTTP
	TCP  string `json:"tcp"`  // for all other kinds, as is Unix
	Unix string `json:"unix"`
}

// Server serves all kinds of load.
type Server struct {
	listener net.Listener
	http     *http.Server
	raw      *rawServer
}

// NewServer listens on two ports of 127.0.0.1 and on an AF_UNIX socket, all
// chosen by the kernel. The caller has to call Serve, which also closes it.
func NewServer() (*Server, error) {
	raw, err := newRawServer(
		address{unix.AF_INET, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}},
		address{unix.AF_UNIX, &unix.SockaddrUnix{}},
	)
	if err != nil {
		return nil, err
	}
	lis, err := listenTCP("127.0.0.1:0")
	if err != nil {
		raw.close()
		return nil, err
	}
	return &Server{listener: lis, http: newHTTPServer(), raw: raw}, nil
}

// Addrs returns the addresses to connect to.
func (s *Server) Addrs() Addrs {
	return Addrs{
		HTTP: s.listener.Addr().String(),
		TCP:  s.raw.listeners[0].name,
		Unix: s.raw.listeners[1].name,
	}
}

// Serve serves until the context is done, which is not an error.
func (s *Server) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		s.http.Close()
		s.raw.stop()
	})()
	errs := make(chan error, 2)
	go func() { errs <- s.raw.serve() }()
	go func() {
		err := s.http.Serve(s.listener)
		if errors.Is(err, http.ErrServerClosed) {
			err = nil
		}
		errs <- err
	}()
	// If one ends, so does the other.
	first := <-errs
	cancel()
	return errors.Join(first, <-errs)
}

// RunServer is the program of a server process: it writes its Addrs as a line
// of JSON, and serves until its input ends or the context is done.
func RunServer(ctx context.Context, stdin io.Reader, stdout io.Writer) error {
	s, err := NewServer()
	if err != nil {
		return fmt.Errorf("load server: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, stdin)
		cancel()
	}()
	if err := json.NewEncoder(stdout).Encode(s.Addrs()); err != nil {
		cancel()
		err = fmt.Errorf("write addresses: %w", err)
		return errors.Join(err, s.Serve(ctx))
	}
	return s.Serve(ctx)
}
