package apps_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"testing"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

// wsClientMain upgrades a connection and sends messages of all sizes, one at a
// time or all at once; all of them have to come back.
func wsClientMain(args []string) int {
	messages, _ := strconv.Atoi(args[1])
	if err := upgradeAndTalk(args[0], messages, args[2] == "at-once"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func upgradeAndTalk(addr string, messages int, atOnce bool) error {
	conn, err := net.Dial("tcp4", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	r := bufio.NewReader(conn)
	if resp, err := http.ReadResponse(r, nil); err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		return fmt.Errorf("no upgrade: %+v: %w", resp, err)
	}
	stream, back := testkit.NewStream(seed), make(chan error)
	go func() {
		for i, off := 0, int64(0); i < messages; i++ {
			buf := make([]byte, wsSize(i))
			_, err := io.ReadFull(r, buf)
			if wrong := stream.Check(buf, off); err == nil {
				err = wrong
			}
			off += int64(len(buf))
			if err != nil || !atOnce {
				back <- err
			}
			if err != nil {
				return
			}
		}
		if atOnce {
			back <- nil
		}
	}()
	for i, off := 0, int64(0); i < messages; i++ {
		n, err := conn.Write(stream.Bytes(off, wsSize(i)))
		if err != nil {
			return err
		}
		off += int64(n)
		if !atOnce {
			if err := <-back; err != nil {
				return err
			}
		}
	}
	if atOnce {
		return <-back
	}
	return nil
}

// wsSize is between 1 byte and 40 KB.
func wsSize(i int) int { return 1 + (i*7919)%40_000 }

// A connection that is upgraded (WebSocket) behind nginx.
func TestNginxUpgrade(t *testing.T) {
	offAndOn(t, func(t *testing.T, s *scope) {
		web := s.goServer(t, "", t.TempDir(), netip.AddrPort{})
		lb := startNginx(t, s, "", fmt.Sprintf(`location / {
			proxy_pass http://%s; proxy_http_version 1.1;
			proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; }`, web))
		messages, bytes := volume(3000, 6000), 0
		for i := range messages {
			bytes += wsSize(i)
		}
		// Over two hops, there and back. nginx forwards a message in pieces: where
		// FIONREAD is blind to TCP its hop hardly finds a moment to enter.
		s.counted(t, claim{bytes: 4 * bytes, share: learning(0.4)}, func() {
			s.run(t, program("ws-client", lb.addr.String(), strconv.Itoa(messages), "in-turn"))
		})
		s.counted(t, claim{bytes: 4 * bytes, share: learning(0.9), or: handedOver}, func() {
			s.run(t, program("ws-client", lb.addr.String(), strconv.Itoa(messages), "at-once"))
		})
	})
}
