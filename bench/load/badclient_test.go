package load

import (
	"bytes"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
)

// The server checks what it receives, and says what was wrong.
func TestServerRefuses(t *testing.T) {
	addrs := startServer(t)
	s := newScript(1, toServer, 100)
	begin := func(kind string, requests ...[]byte) []byte {
		return append(hello{kind, 100, 1}.append(nil), slices.Concat(requests...)...)
	}
	for _, x := range []struct {
		name, want string
		b          []byte
	}{
		{"no hello", "wrong hello", []byte("GET / HTTP/1.1\r\nHost: load\r\n\r\n")},
		{"unknown kind", "wrong hello", append(slices.Clone(helloMagic), "\x00\x00\x00\x09\x00\x00\x00\x40\x00\x00\x00\x00\x00\x00\x00\x00"...)},
		{"too large", "wrong hello", hello{KindRR, maxMessage + 1, 1}.append(nil)},
		{"changed", "wrong content of message 0: byte 99", begin(KindRR, changed(s.message(0)))},
		{"lost", "message 1 instead of 0", begin(KindRR, s.message(1))},
		{"too early", "request before the response", begin(KindRR, s.message(0), s.message(1))},
		{"twice", "message 0 instead of 1", begin(KindConnect, s.message(0), s.message(0))},
		{"on a stream", "request on a stream", begin(KindStream, s.message(0))},
	} {
		for network, addr := range map[string]string{"tcp": addrs.TCP, "unix": addrs.Unix} {
			t.Run(x.name+"/"+network, func(t *testing.T) {
				c, err := net.Dial(network, addr)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				if _, err := c.Write(x.b); err != nil {
					t.Fatal(err)
				}
				got, _ := io.ReadAll(c) // may end in a reset: the server did not read all
				reason, ok := bytes.CutPrefix(got, refusal)
				if !ok || !strings.Contains(string(reason), x.want) {
					t.Errorf("answer %q, want a refusal with %q", got, x.want)
				}
			})
		}
	}
}
