package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sockaccel/sockaccel/internal/engine"
)

// trySplice splices redirected data, from a listener of its own: who splices is
// not trusted any more.
func trySplice(ctx context.Context, e *examination) finding {
	s, err := e.ward.listen(ctx, false)
	if err != nil {
		return broken(err)
	}
	defer s.close()
	c, err := s.accelerated(ctx)
	if err != nil {
		return broken(err)
	}
	defer c.close()
	msg := []byte("spliced")
	delta, err := e.ward.counted(func() error { return send(ctx, c.client, msg) })
	if err == nil && delta.RedirectedMessages != 1 {
		err = errors.New("the message was not redirected")
	}
	if err == nil {
		err = await(ctx, c.server, unix.POLLIN, "the reader hangs")
	}
	if err != nil {
		return broken(err)
	}
	got, err := splice(c.server, len(msg))
	switch {
	case errors.Is(err, unix.EINVAL):
		if err := expect(ctx, c.server, msg); err != nil {
			return broken(fmt.Errorf("after a refused splice: %w", err))
		}
		return good("refused with EINVAL: programs fall back to read")
	case err == nil && got == string(msg):
		return good("sees redirected data")
	case err == nil && got != "":
		return broken(fmt.Errorf("splice gives %q instead of %q", got, msg))
	}
	how := "end of file"
	if err != nil {
		how = err.Error()
	}
	// What splice does not see is still there for those who read.
	if err := expect(ctx, c.server, msg); err != nil {
		return broken(fmt.Errorf("after a splice: %w", err))
	}
	return finding{
		result: Broken, means: "blind to redirected data (" + how + ")",
		do: "--accept-risk splice, or keep such programs out", risk: engine.RiskSplice,
	}
}

func splice(fd, n int) (string, error) {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return "", err
	}
	defer unix.Close(pipe[0])
	defer unix.Close(pipe[1])
	moved, err := unix.Splice(fd, nil, pipe[1], nil, n, unix.SPLICE_F_NONBLOCK)
	if err != nil || moved == 0 {
		return "", err
	}
	p := make([]byte, moved)
	_, err = unix.Read(pipe[0], p)
	return string(p), err
}

// tryMPTCP has plain clients, and one of Multipath TCP, use a listener of
// Multipath TCP, as those of Go's net package are.
func tryMPTCP(ctx context.Context, e *examination) finding {
	// Also where it is switched off (net.mptcp.enabled).
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_MPTCP)
	if err != nil {
		return good("this kernel has none: %s", oneLine(err))
	}
	unix.Close(fd)
	s, err := e.ward.listen(ctx, true)
	if err != nil {
		return broken(err)
	}
	defer s.close()
	before := warned()
	redirected := uint64(0)
	for i, client := range []struct {
		name  string
		mptcp bool
	}{{"plain client", false}, {"plain client, trusted", false}, {"MPTCP client", true}} {
		delta, err := e.ward.counted(func() error {
			c, err := s.connect(ctx, client.mptcp)
			if err != nil {
				return err
			}
			defer c.close()
			if err := c.exchange(ctx, learning); err != nil {
				return err
			}
			if err := unix.Shutdown(c.client, unix.SHUT_WR); err != nil {
				return err
			}
			return expectEnd(ctx, c.server)
		})
		if err == nil && client.mptcp && delta.RedirectedMessages > 0 {
			err = errors.New("a subflow was redirected")
		}
		if err != nil {
			return broken(fmt.Errorf("%s: %w", client.name, err))
		}
		if i == 1 {
			redirected = delta.RedirectedMessages
		}
	}
	if warned() && !before {
		return broken(errors.New("the kernel warned, see dmesg: this bug was fixed in 6.1.159 and 6.12.60"))
	}
	if redirected > 0 {
		return good("plain clients of MPTCP listeners are accelerated; subflows stay out")
	}
	return good("clients of MPTCP listeners stay on TCP")
}

// warned reports whether the kernel has ever printed a warning.
func warned() bool {
	const warning = 1 << 9 // TAINT_WARN
	text, err := os.ReadFile("/proc/sys/kernel/tainted")
	if err != nil {
		return false
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	return err == nil && n&warning != 0
}
