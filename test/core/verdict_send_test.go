package core_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

// Data that TCP holds back (TCP_CORK, here from before the connection was
// accelerated: an accelerated one ignores it) is not overtaken by redirected
// data: deviation "TCP_CORK".
func TestVerdictCork(t *testing.T) {
	withAndWithout(t, func(t *testing.T, s *scene, on bool) {
		cfd, sfd := s.connect(t)
		if err := s.client.SetsockoptInt(cfd, unix.SOL_TCP, unix.TCP_CORK, 1); err != nil {
			t.Fatal(err)
		}
		before := s.counts(t)
		if on {
			// Without its heart the direction is TCP's, which corks.
			stop := stopHeart(t, s)
			s.client.MustSend(t, cfd, []byte("corked "))
			stop()
		} else {
			s.client.MustSend(t, cfd, []byte("corked "))
		}
		s.client.MustSend(t, cfd, []byte("next "))
		if err := s.client.SetsockoptInt(cfd, unix.SOL_TCP, unix.TCP_CORK, 0); err != nil {
			t.Fatal(err)
		}
		s.client.MustSend(t, cfd, []byte("last"))
		s.server.MustRecv(t, sfd, []byte("corked next last"))
		if got := s.counts(t).since(before); on && got.TCP == 0 {
			t.Errorf("nothing was by TCP: %+v", got)
		}
	})
}

// An accelerated connection ignores TCP_CORK and MSG_MORE: data is there at
// once, and in order.
func TestVerdictDeviationCork(t *testing.T) {
	withAndWithout(t, func(t *testing.T, s *scene, on bool) {
		cfd, sfd := s.connect(t)
		before := s.counts(t)
		if n, err := s.client.Send(cfd, []byte("more "), unix.MSG_MORE); n != 5 || err != nil {
			t.Fatal(n, err)
		}
		if on {
			s.server.MustRecv(t, sfd, []byte("more "))
			s.client.MustSend(t, cfd, []byte("end"))
			s.server.MustRecv(t, sfd, []byte("end"))
		} else {
			s.client.MustSend(t, cfd, []byte("end"))
			s.server.MustRecv(t, sfd, []byte("more end"))
		}
		s.requireRedirected(t, on, before, 2)
	})
}

// sendfile(2) and splice(2) to an accelerated socket are redirected.
func TestVerdictSendfile(t *testing.T) {
	withAndWithout(t, func(t *testing.T, s *scene, on bool) {
		cfd, sfd := s.connect(t)
		data := testkit.NewStream(3).Bytes(0, 200_000)
		path := filepath.Join(t.TempDir(), "data")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		sock, release := steal(t, s.client, cfd)
		defer release()
		before := s.counts(t)
		for sent := 0; sent < len(data); {
			n, err := unix.Sendfile(sock, int(file.Fd()), nil, len(data)-sent)
			if errors.Is(err, unix.EAGAIN) {
				mustPoll(t, s.client, cfd, unix.POLLOUT)
				continue
			}
			if err != nil || n == 0 {
				t.Fatalf("sendfile after %d bytes: %d, %v", sent, n, err)
			}
			sent += n
		}
		s.server.MustRecv(t, sfd, data)
		if got := s.counts(t).since(before); on && got.RedirectedBytes != uint64(len(data)) {
			t.Errorf("sendfile: %+v", got)
		}

		var pipe [2]int
		if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		defer unix.Close(pipe[0])
		defer unix.Close(pipe[1])
		before = s.counts(t)
		if _, err := unix.Write(pipe[1], data[:50_000]); err != nil {
			t.Fatal(err)
		}
		for sent := int64(0); sent < 50_000; {
			n, err := unix.Splice(pipe[0], nil, sock, nil, 50_000, 0)
			if err != nil || n == 0 {
				t.Fatalf("splice after %d bytes: %d, %v", sent, n, err)
			}
			sent += n
		}
		s.server.MustRecv(t, sfd, data[:50_000])
		if got := s.counts(t).since(before); on && got.RedirectedBytes != 50_000 {
			t.Errorf("splice: %+v", got)
		}
	})
}

// Threads that send on one socket: whole messages, in some order.
func TestVerdictThreads(t *testing.T) {
	for _, threads := range []int{2, 4} {
		withAndWithout(t, func(t *testing.T, s *scene, on bool) {
			cfd, sfd := s.connect(t)
			sock, release := steal(t, s.client, cfd)
			defer release()
			// So few at a time that no socket buffer fills up: a full one
			// splits messages, on plain TCP too.
			const size, each = 1000, 100
			before := s.counts(t)
			for range max(testkit.Volume(16), 2) {
				var wg sync.WaitGroup
				for thread := range threads {
					wg.Go(func() {
						message := bytes.Repeat([]byte{byte('a' + thread)}, size)
						for range each {
							if n, err := unix.SendmsgN(sock, message, nil, nil, unix.MSG_NOSIGNAL); n != size || err != nil {
								t.Errorf("send: %d, %v", n, err)
								return
							}
						}
					})
				}
				wg.Wait()
				got := testkit.Must(s.server.RecvAll(sfd, threads*each*size, patience))(t)
				seen := make(map[byte]int)
				for i := 0; i < len(got); i += size {
					if m := got[i : i+size]; bytes.Count(m, m[:1]) != size {
						t.Fatalf("message %d is torn: %q", i/size, m)
					}
					seen[got[i]]++
				}
				for thread := range threads {
					if n := seen[byte('a'+thread)]; n != each {
						t.Errorf("thread %d: %d messages of %d", thread, n, each)
					}
				}
			}
			if c := s.counts(t).since(before); on && c.Redirected == 0 {
				t.Errorf("nothing redirected: %+v", c)
			}
		})
	}
}

// sendWhole sends a message that must not be split.
func sendWhole(sock int, message []byte) error {
	for {
		n, err := unix.SendmsgN(sock, message, nil, nil, unix.MSG_NOSIGNAL)
		switch {
		case err == unix.EAGAIN:
			if _, err := unix.Poll([]unix.PollFd{{Fd: int32(sock), Events: unix.POLLOUT}}, int(patience/time.Millisecond)); err != nil && err != unix.EINTR {
				return err
			}
			continue
		case err != nil:
			return err
		case n < len(message):
			message = message[n:] // a full socket buffer splits, by TCP
			continue
		}
		return nil
	}
}
