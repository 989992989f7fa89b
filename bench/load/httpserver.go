package load

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"sync"

	"github.com/sockaccel/sockaccel/internal/stream"
)

// maxBody bounds the bodies that the server makes.
const maxBody = 64 << 20

// listenTCP listens for plain TCP: an MPTCP listener, which Go would open, is
// another kind of socket.
func listenTCP(addr string) (net.Listener, error) {
	var lc net.ListenConfig
	lc.SetMultipathTCP(false)
	return lc.Listen(context.Background(), "tcp", addr)
}

// newHTTPServer serves /bytes/N?seed=S: the first N bytes of stream S.
func newHTTPServer() *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /bytes/{size}", serveBytes)
	return &http.Server{Handler: mux}
}

var bodies = sync.Pool{New: func() any { return new([]byte) }}

func serveBytes(w http.ResponseWriter, r *http.Request) {
	size, err := strconv.ParseUint(r.PathValue("size"), 10, 32)
	if err != nil || size > maxBody {
		http.Error(w, "bad size", http.StatusBadRequest)
		return
	}
	seed, err := strconv.ParseUint(r.URL.Query().Get("seed"), 10, 64)
	if err != nil {
		http.Error(w, "bad seed", http.StatusBadRequest)
		return
	}
	buf := bodies.Get().(*[]byte)
	defer bodies.Put(buf)
	if cap(*buf) < int(size) {
		*buf = make([]byte, size)
	}
	body := (*buf)[:size]
	stream.New(seed).Fill(body, 0)
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // the client notices
}
