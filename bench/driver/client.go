package driver

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// client is a load generator that runs to its end.
type client struct {
	program Program
	cgroup  *os.File // as in Options
	args    []string
	files   []*os.File // its descriptors from 3 on
	// interrupt, if not 0, is when it gets SIGINT, counted from when it
	// handles that signal.
	interrupt time.Duration
	said      func() // called when it first writes to stderr; may be nil
}

// run returns what the client wrote to stdout. When ctx ends it is killed.
func (c *client) run(ctx context.Context) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	var stdout strings.Builder
	stderr := listener{heard: c.said}
	cmd := exec.Command(c.program.Path, c.args...)
	cmd.ExtraFiles = c.files
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	p, err := start(cmd, c.cgroup)
	if err != nil {
		return "", err
	}
	defer context.AfterFunc(ctx, p.kill)()
	if c.interrupt > 0 {
		p.interruptAfter(c.interrupt)
	}
	<-p.exited
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if !cmd.ProcessState.Success() {
		return "", ended(c.program.Name, cmd.ProcessState, stderr.String())
	}
	return stdout.String(), nil
}

// interruptAfter sends SIGINT when the process has handled that signal for d,
// and returns then or when it is gone. Before, SIGINT would be lost.
func (p *process) interruptAfter(d time.Duration) {
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for !p.catches(syscall.SIGINT) {
		select {
		case <-p.exited:
			return
		case <-again.C:
		}
	}
	select {
	case <-p.exited:
	case <-time.After(d):
		p.signal(syscall.SIGINT)
	}
}

// catches reports whether the process has a handler for a signal.
func (p *process) catches(sig syscall.Signal) bool {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	_, after, _ := strings.Cut(string(text), "\nSigCgt:\t")
	var caught uint64
	if _, err := fmt.Sscanf(after, "%x", &caught); err != nil {
		return false
	}
	return caught&(1<<(sig-1)) != 0
}

// listener keeps what is written, and calls heard for the first of it.
type listener struct {
	strings.Builder
	heard func()
}

func (l *listener) Write(p []byte) (int, error) {
	if l.heard != nil {
		l.heard()
		l.heard = nil
	}
	return l.Builder.Write(p)
}
