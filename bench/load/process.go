package load

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// ProcessCommand is the hidden command that runs RunServer or ServeCommands.
const (
	ProcessCommand = "internal-load"
	ServerRole     = "server"
	ClientRole     = "client"
)

// startTimeout is how long a process may take to come up.
const startTimeout = 10 * time.Second

// Process is a server or a client in a process of its own. It also ends by
// itself when its starter is gone, with its standard input.
type Process struct {
	role   string
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	answer *json.Decoder
	stderr bytes.Buffer
	exited chan struct{}
}

// StartServer starts exe as a server, in the cgroup that the open directory
// is, or in the caller's for nil.
func StartServer(ctx context.Context, exe string, cgroup *os.File) (*Process, Addrs, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	var addrs Addrs
	p, err := start(exe, ServerRole, cgroup)
	if err != nil {
		return nil, addrs, err
	}
	if err := p.read(ctx, &addrs); err != nil {
		p.Stop()
		return nil, addrs, err
	}
	return p, addrs, nil
}

// StartClient starts exe as a client; see StartServer.
func StartClient(exe string, cgroup *os.File) (*Process, error) {
	return start(exe, ClientRole, cgroup)
}

func start(exe, role string, cgroup *os.File) (*Process, error) {
	p := &Process{role: role, cmd: exec.Command(exe, ProcessCommand, role), exited: make(chan struct{})}
	p.cmd.Stderr = &p.stderr
	// A group of its own: Ctrl-C at the terminal is for the starter, who
	// ends its processes in order.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if cgroup != nil {
		p.cmd.SysProcAttr.UseCgroupFD = true
		p.cmd.SysProcAttr.CgroupFD = int(cgroup.Fd())
	}
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	// Not StdoutPipe, whose reader may not race with Wait.
	stdout, w, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, p.stdin.Close())
	}
	defer w.Close()
	p.cmd.Stdout = w
	if err := p.cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start load %s: %w", role, err), stdout.Close())
	}
	p.answer = json.NewDecoder(stdout)
	go func() {
		_ = p.cmd.Wait()
		stdout.Close()
		close(p.exited)
	}()
	return p, nil
}

// Run makes a client run a round. When ctx ends, the process is killed.
func (p *Process) Run(ctx context.Context, c Command) (Result, error) {
	var answer struct {
		Result
		Error string `json:"error"`
	}
	if err := json.NewEncoder(p.stdin).Encode(c); err != nil {
		return Result{}, p.failed(ctx, err)
	}
	if err := p.read(ctx, &answer); err != nil {
		return Result{}, err
	}
	if answer.Error != "" {
		return Result{}, fmt.Errorf("load %s: %s", p.role, answer.Error)
	}
	return answer.Result, nil
}

func (p *Process) read(ctx context.Context, v any) error {
	defer context.AfterFunc(ctx, func() { _ = p.cmd.Process.Kill() })()
	if err := p.answer.Decode(v); err != nil {
		return p.failed(ctx, err)
	}
	return nil
}

// failed explains why the process does not answer.
func (p *Process) failed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	p.Stop()
	if said := strings.TrimSpace(p.stderr.String()); said != "" {
		return fmt.Errorf("load %s ended: %s", p.role, strings.ReplaceAll(said, "\n", "; "))
	}
	return fmt.Errorf("load %s ended (%s): %w", p.role, p.cmd.ProcessState, err)
}

// PID is the process's identity.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Stop kills the process and returns when it is gone: its sockets are closed.
func (p *Process) Stop() {
	_ = p.cmd.Process.Kill()
	<-p.exited
	_ = p.stdin.Close()
}
