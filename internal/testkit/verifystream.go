package testkit

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// ReadMode is how a reader decides that it has to wait.
type ReadMode int

const (
	// ReadPoll receives until EAGAIN and then polls. On a blocking socket it
	// just blocks, and EAGAIN is an error.
	ReadPoll ReadMode = iota
	// ReadEdge trusts short reads, as tokio and Netty do: a recv that returns
	// less than asked for has drained the socket, and the next edge of an
	// edge-triggered epoll is waited for.
	ReadEdge
	// ReadNginx is ReadEdge, and when recv fills the buffer FIONREAD decides
	// whether there is more, as in nginx.
	ReadNginx
)

func (m ReadMode) String() string {
	switch m {
	case ReadPoll:
		return "poll"
	case ReadEdge:
		return "edge"
	case ReadNginx:
		return "nginx"
	}
	return fmt.Sprintf("ReadMode(%d)", int(m))
}

// ReadOptions describes the reading of a stream.
type ReadOptions struct {
	Seed, Off uint64 // the stream, and where in it to begin
	Total     int64
	EOF       bool // then require EOF; without it what follows is not read
	Mode      ReadMode
	Buffer    int           // 64 KiB if zero
	Flags     int           // of every recv, such as unix.MSG_WAITALL
	Start     time.Duration // pause before the first read
	Pause     time.Duration // sleep up to this long, every 16 reads on average
	Timeout   time.Duration // one minute if zero
}

var opVerifyStream = op("verify stream", func(x streamArgs[ReadOptions]) (StreamStats, error) {
	stats, err := watched(x.Options.Timeout, func(w *watch) error { return w.verify(x.FD, x.Options) })
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = fmt.Errorf("%s reader: %w (%s)", x.Options.Mode, err, inspect(x.FD))
	}
	return stats, err
})

// VerifyStream reads a piece of a stream and compares every byte. A wrong byte
// is an error that unwraps to a *Mismatch; a stall unwraps to
// os.ErrDeadlineExceeded and says how far it came and what could be read.
func (a *Agent) VerifyStream(fd int, o ReadOptions) (StreamStats, error) {
	o.Buffer = orDefault(o.Buffer, 64<<10)
	o.Timeout = orDefault(o.Timeout, time.Minute)
	return opVerifyStream.within(a, streamArgs[ReadOptions]{fd, o}, o.Timeout+2*grace)
}

func (w *watch) verify(fd int, o ReadOptions) error {
	r, err := newReader(w, fd, o)
	if err != nil {
		return err
	}
	defer r.close()
	time.Sleep(o.Start)

	stream := NewStream(o.Seed)
	rng := rand.New(rand.NewPCG(o.Seed, o.Off))
	buf := make([]byte, o.Buffer)
	for done := int64(0); done < o.Total; {
		n, err := r.read(buf[:min(int64(len(buf)), o.Total-done)])
		if err != nil {
			return err
		}
		if n == 0 {
			w.eof.Store(true)
			return fmt.Errorf("early EOF, %d bytes missing", o.Total-done)
		}
		if err := stream.Check(buf[:n], int64(o.Off)+done); err != nil {
			return err
		}
		w.progress(n)
		done += int64(n)
		pause(rng, o.Pause)
	}
	if !o.EOF {
		return nil
	}
	n, err := r.read(buf[:1])
	if err != nil {
		return fmt.Errorf("waiting for EOF: %w", err)
	}
	if n > 0 {
		return errors.New("data instead of EOF")
	}
	w.eof.Store(true)
	return nil
}

// inspect says what a socket looks like to a reader that needs no event.
func inspect(fd int) string {
	revents, _ := poll(fd, unix.POLLIN|unix.POLLRDHUP, 0)
	inq, _ := unix.IoctlGetInt(fd, unix.TIOCINQ)
	peek := "nothing"
	p := make([]byte, 1<<16)
	switch n, _, err := unix.Recvfrom(fd, p, unix.MSG_PEEK|unix.MSG_DONTWAIT); {
	case err == unix.EAGAIN:
	case err != nil:
		peek = err.Error()
	case n == 0:
		peek = "EOF"
	default:
		peek = fmt.Sprintf("%d bytes", n)
	}
	return fmt.Sprintf("poll %s, FIONREAD %d, recv would return %s", pollNames(revents), inq, peek)
}
