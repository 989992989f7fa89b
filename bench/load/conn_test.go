package load

import (
	"testing"

	"golang.org/x/sys/unix"
)

// A message that is far larger than the socket's buffer goes out in pieces,
// and only then is room waited for.
func TestConnSendsInPieces(t *testing.T) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fds[1])
	if err := unix.SetsockoptInt(fds[0], unix.SOL_SOCKET, unix.SO_SNDBUF, 4096); err != nil {
		t.Fatal(err)
	}
	p, err := newPoller()
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	c, err := newConn(p, fds[0], 7)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()

	in := reader{script: newScript(3, toClient, maxMessage)}
	buf := make([]byte, 1000)
	for n := range int64(3) {
		if err := c.send(in.message(n)); err != nil {
			t.Fatal(err)
		}
		if !c.armed || len(c.out) == 0 {
			t.Fatal("the whole message fitted")
		}
		for in.n == n {
			for k, errno := recv(fds[1], buf); errno == 0; k, errno = recv(fds[1], buf) {
				if err := in.take(buf[:k]); err != nil {
					t.Fatal(err)
				}
			}
			if in.n > n {
				break
			}
			events, err := p.wait(stall)
			if err != nil || len(events) != 1 || events[0].Fd != 7 {
				t.Fatalf("%v, %v, want room to send", events, err)
			}
			if err := c.flush(); err != nil {
				t.Fatal(err)
			}
		}
		if c.armed || len(c.out) != 0 {
			t.Fatal("still waits for room")
		}
	}
	if events, err := p.wait(0); err != nil || len(events) != 0 {
		t.Errorf("%v, %v, want no event", events, err)
	}
}

// The server does the same, for all kinds, with a client that reads slowly.
func TestServerSendsInPieces(t *testing.T) {
	addrs := startServer(t)
	for _, addr := range []string{addrs.TCP, addrs.Unix} {
		for _, kind := range helloKinds {
			to, err := parseAddress(addr)
			if err != nil {
				t.Fatal(err)
			}
			fd, err := newSocket(to.family)
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Close(fd)
			if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 4096); err != nil {
				t.Fatal(err)
			}
			if err := unix.Connect(fd, to); err != nil && err != unix.EINPROGRESS {
				t.Fatal(err)
			}
			if err := awaitConnect(fd); err != nil {
				t.Fatal(err)
			}
			h := hello{kind, maxMessage, 5}
			out := newScript(h.seed, toServer, h.size)
			in := reader{script: newScript(h.seed, toClient, h.size)}
			request := h.append(nil)
			if kind != KindStream {
				request = append(request, out.message(0)...)
			}
			buf := make([]byte, 3001)
			for in.n == 0 {
				fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
				if len(request) > 0 {
					fds[0].Events |= unix.POLLOUT
					n, errno := send(fd, request[:min(len(request), 5000)])
					if errno != 0 && errno != unix.EAGAIN {
						t.Fatal(errno)
					}
					request = request[max(n, 0):]
				}
				if _, err := unix.Poll(fds, -1); err != nil && err != unix.EINTR {
					t.Fatal(err)
				}
				n, errno := recv(fd, buf)
				if errno != unix.EAGAIN && (errno != 0 || n == 0) {
					t.Fatalf("recv: %d, %v", n, errno)
				}
				if err := in.take(buf[:max(n, 0)]); err != nil {
					t.Fatalf("%s: %v", kind, err)
				}
			}
		}
	}
}
