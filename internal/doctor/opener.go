package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// OpenerCommand is the hidden command that runs Open.
const OpenerCommand = "internal-opener"

// openerFD is where an opener finds the socket to its starter.
const openerFD = 3

// An opener is a process in the sandbox that opens sockets, which then belong
// to it and its cgroup, and hands them over: so both ends of a connection are
// used from one place, by straight code.
type opener struct {
	cmd  *exec.Cmd
	conn *net.UnixConn
}

// opening asks for a socket: a listener on loopback, or one connected to To.
type opening struct {
	To    int  `json:"to"` // port; 0 listens
	MPTCP bool `json:"mptcp"`
}

type opened struct {
	Port  int    `json:"port"` // that a listener got
	Error string `json:"error"`
}

func startOpener(exe string, cgroup *os.File) (*opener, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("start opener: %w", err)
	}
	theirs := os.NewFile(uintptr(pair[1]), "doctor")
	defer theirs.Close()
	conn, err := unixConn(pair[0])
	if err != nil {
		return nil, fmt.Errorf("start opener: %w", err)
	}
	o := &opener{cmd: exec.Command(exe, OpenerCommand), conn: conn}
	o.cmd.ExtraFiles = []*os.File{theirs}
	// A group of its own: Ctrl-C at the terminal is for the starter.
	o.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, UseCgroupFD: true, CgroupFD: int(cgroup.Fd())}
	if err := o.cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start opener: %w", err), conn.Close())
	}
	return o, nil
}

func unixConn(fd int) (*net.UnixConn, error) {
	f := os.NewFile(uintptr(fd), "opener")
	defer f.Close()
	conn, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	return conn.(*net.UnixConn), nil
}

func (o *opener) stop() {
	o.conn.Close()
	_ = o.cmd.Process.Kill()
	_ = o.cmd.Wait()
}

// open has a non-blocking socket opened. The caller closes it.
func (o *opener) open(ctx context.Context, what opening) (fd, port int, err error) {
	defer context.AfterFunc(ctx, func() { _ = o.conn.SetDeadline(time.Now()) })()
	text, err := json.Marshal(what)
	if err != nil {
		return -1, 0, err
	}
	if _, err := o.conn.Write(text); err != nil {
		return -1, 0, fmt.Errorf("ask opener: %w", err)
	}
	in, oob := make([]byte, 1024), make([]byte, unix.CmsgSpace(4))
	n, oobn, _, _, err := o.conn.ReadMsgUnix(in, oob)
	if err != nil {
		return -1, 0, fmt.Errorf("opener: %w", err)
	}
	var got opened
	if err := json.Unmarshal(in[:n], &got); err != nil {
		return -1, 0, fmt.Errorf("opener: %w", err)
	}
	if got.Error != "" {
		return -1, 0, errors.New(got.Error)
	}
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil || len(messages) != 1 {
		return -1, 0, errors.Join(errors.New("opener sent no socket"), err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return -1, 0, errors.Join(errors.New("opener sent no socket"), err)
	}
	unix.CloseOnExec(fds[0])
	return fds[0], got.Port, nil
}

// Open is the program of an opener. It returns when its starter is gone.
func Open() error {
	conn, err := unixConn(openerFD)
	if err != nil {
		return fmt.Errorf("opener: %w", err)
	}
	defer conn.Close()
	for in := make([]byte, 1024); ; {
		n, err := conn.Read(in)
		if n == 0 || errors.Is(err, io.EOF) {
			return nil
		}
		var what opening
		if err := errors.Join(err, json.Unmarshal(in[:n], &what)); err != nil {
			return fmt.Errorf("opener: %w", err)
		}
		if err := answer(conn, what); err != nil {
			return fmt.Errorf("opener: %w", err)
		}
	}
}

func answer(conn *net.UnixConn, what opening) error {
	var got opened
	var oob []byte
	fd, port, err := openSocket(what)
	if err != nil {
		got.Error = err.Error()
	} else {
		// The receiver's copy is then the only one: closing it closes.
		defer unix.Close(fd)
		got.Port, oob = port, unix.UnixRights(fd)
	}
	text, err := json.Marshal(got)
	if err != nil {
		return err
	}
	_, _, err = conn.WriteMsgUnix(text, oob, nil)
	return err
}

func openSocket(what opening) (fd, port int, err error) {
	proto := unix.IPPROTO_TCP
	if what.MPTCP {
		proto = unix.IPPROTO_MPTCP
	}
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, proto)
	if err != nil {
		return -1, 0, fmt.Errorf("socket: %w", err)
	}
	loopback := &unix.SockaddrInet4{Port: what.To, Addr: [4]byte{127, 0, 0, 1}}
	if what.To == 0 {
		port, err = listen(fd, loopback)
	} else if err = unix.Connect(fd, loopback); err == unix.EINPROGRESS {
		err = nil // the starter waits
	}
	if err != nil {
		unix.Close(fd)
		return -1, 0, err
	}
	return fd, port, nil
}

func listen(fd int, at *unix.SockaddrInet4) (port int, err error) {
	if err := unix.Bind(fd, at); err != nil {
		return 0, fmt.Errorf("bind: %w", err)
	}
	if err := unix.Listen(fd, 16); err != nil {
		return 0, fmt.Errorf("listen: %w", err)
	}
	addr, err := unix.Getsockname(fd)
	if err != nil {
		return 0, fmt.Errorf("getsockname: %w", err)
	}
	return addr.(*unix.SockaddrInet4).Port, nil
}
