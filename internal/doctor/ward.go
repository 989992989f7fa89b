package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/sockaccel/sockaccel/bench/record"
	"github.com/sockaccel/sockaccel/bench/sandbox"
	"github.com/sockaccel/sockaccel/bpf"
	"github.com/sockaccel/sockaccel/internal/engine"
	"github.com/sockaccel/sockaccel/internal/state"
)

// tryCgroupHooks makes the cgroups that everything after it happens in.
func tryCgroupHooks(_ context.Context, e *examination) finding {
	found, err := e.probe()
	if err != nil {
		return lacking(err, "see fionread")
	}
	box, err := sandbox.New(sandbox.Options{
		Name: "sockaccel-doctor", Root: e.root, Parent: "/", BPFFS: filepath.Dir(e.o.StateDir),
		Version: e.o.Version, Exe: e.o.Exe, Risks: engine.RiskNames(found), Notice: e.o.Notice,
	})
	var on *sandbox.AcceleratedError
	if errors.As(err, &on) {
		return finding{result: Skipped, means: "acceleration is on for " + on.Cgroup, do: "sockaccel disable first"}
	} else if err != nil {
		return lacking(err, "run where cgroups can be made below "+e.root)
	}
	e.box = box
	for _, hook := range []ebpf.ProgramSpec{
		{Type: ebpf.SockOps, AttachType: ebpf.AttachCGroupSockOps},
		{Type: ebpf.CGroupSockopt, AttachType: ebpf.AttachCGroupSetsockopt},
	} {
		err := fires(hook, 1, func(p *ebpf.Program) (io.Closer, error) {
			return link.AttachCgroup(link.CgroupOptions{Path: box.Outside.Name(), Attach: hook.AttachType, Program: p})
		}, func() error { return errTried })
		if !errors.Is(err, errTried) {
			return lacking(fmt.Errorf("%s: %w", hook.AttachType, err), "the kernel needs CONFIG_CGROUP_BPF=y")
		}
	}
	return good("sock_ops and setsockopt programs attach to a cgroup")
}

// ward is acceleration that is on, and who uses it.
type ward struct {
	state          *state.State
	client, server *opener
	service        *service
}

// tryRedirect turns acceleration on and has a connection accelerated.
func tryRedirect(ctx context.Context, e *examination) finding {
	// The sandbox's removal turns it off again.
	if _, err := e.box.Enter(ctx, record.ModeOn); err != nil {
		return lacking(err, "")
	}
	w := new(ward)
	e.ward = w
	var err error
	if w.state, err = state.Open(e.box.StateDir()); err != nil {
		return broken(err)
	}
	if w.client, err = startOpener(e.o.Exe, e.box.Inside); err != nil {
		return broken(err)
	}
	if w.server, err = startOpener(e.o.Exe, e.box.Inside); err != nil {
		return broken(err)
	}
	if w.service, err = w.listen(ctx, false); err != nil {
		return broken(err)
	}
	c, err := w.service.accelerated(ctx)
	if err != nil {
		return broken(err)
	}
	defer c.close()
	before, err := w.state.Counters()
	if err != nil {
		return broken(err)
	}
	const rounds = 20
	if err := c.exchange(ctx, rounds); err != nil {
		return broken(err)
	}
	after, err := w.state.Counters()
	if err != nil {
		return broken(err)
	}
	if n := after.RedirectedMessages - before.RedirectedMessages; n != 2*rounds {
		return broken(fmt.Errorf("only %d of %d messages were redirected", n, 2*rounds))
	}
	return good("a connection is accelerated, %d of %d messages redirected", 2*rounds, 2*rounds)
}

func (w *ward) close() {
	for _, o := range []*opener{w.client, w.server} {
		if o != nil {
			o.stop()
		}
	}
	if w.service != nil {
		w.service.close()
	}
	if w.state != nil {
		w.state.Close()
	}
}

// counted returns what f made the counters count.
func (w *ward) counted(f func() error) (delta bpf.AccelCounters, err error) {
	before, err := w.state.Counters()
	if err != nil {
		return delta, err
	}
	if err := f(); err != nil {
		return delta, err
	}
	after, err := w.state.Counters()
	delta.RedirectedMessages = after.RedirectedMessages - before.RedirectedMessages
	delta.RedirectedBytes = after.RedirectedBytes - before.RedirectedBytes
	for i := range delta.Stayed {
		delta.Stayed[i] = after.Stayed[i] - before.Stayed[i]
	}
	return delta, err
}

// service is a listener, whose readers earn trust of its own.
type service struct {
	w        *ward
	fd, port int
}

func (w *ward) listen(ctx context.Context, mptcp bool) (*service, error) {
	fd, port, err := w.server.open(ctx, opening{MPTCP: mptcp})
	if err != nil {
		return nil, err
	}
	return &service{w, fd, port}, nil
}

func (s *service) close() { unix.Close(s.fd) }

// connection has both ends.
type connection struct{ client, server int }

func (c *connection) close() {
	unix.Close(c.client)
	unix.Close(c.server)
}

func (s *service) connect(ctx context.Context, mptcp bool) (*connection, error) {
	client, _, err := s.w.client.open(ctx, opening{To: s.port, MPTCP: mptcp})
	if err != nil {
		return nil, err
	}
	if err := await(ctx, client, unix.POLLOUT, "connect"); err != nil {
		unix.Close(client)
		return nil, err
	}
	if err := await(ctx, s.fd, unix.POLLIN, "accept"); err != nil {
		unix.Close(client)
		return nil, err
	}
	server, _, err := unix.Accept4(s.fd, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	if err != nil {
		unix.Close(client)
		return nil, fmt.Errorf("accept: %w", err)
	}
	return &connection{client, server}, nil
}

// exchange sends a message each way, in turn.
func (c *connection) exchange(ctx context.Context, rounds int) error {
	for i := range rounds {
		request, response := fmt.Appendf(nil, "request %d", i), fmt.Appendf(nil, "response %d", i)
		if err := send(ctx, c.client, request); err != nil {
			return err
		}
		if err := expect(ctx, c.server, request); err != nil {
			return err
		}
		if err := send(ctx, c.server, response); err != nil {
			return err
		}
		if err := expect(ctx, c.client, response); err != nil {
			return err
		}
	}
	return nil
}

// learning is more reads than a reader needs to be trusted.
const learning = 8

// accelerated returns a connection of which both directions are redirected,
// with nothing under way.
func (s *service) accelerated(ctx context.Context) (*connection, error) {
	first, err := s.connect(ctx, false)
	if err != nil {
		return nil, err
	}
	err = first.exchange(ctx, learning)
	first.close()
	if err != nil {
		return nil, err
	}
	c, err := s.connect(ctx, false)
	if err != nil {
		return nil, err
	}
	// At once, or when the sidecar has adopted it.
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		var delta bpf.AccelCounters
		if delta, err = s.w.counted(func() error { return c.exchange(ctx, 1) }); err != nil {
			break
		}
		if delta.RedirectedMessages == 2 {
			return c, nil
		}
		if err = ctx.Err(); err != nil {
			err = fmt.Errorf("the connection is not accelerated: %w", os.ErrDeadlineExceeded)
			break
		}
	}
	c.close()
	return nil, err
}
