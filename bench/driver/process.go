package driver

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// stopTimeout is how long a process may take to end when asked to.
const stopTimeout = 10 * time.Second

// process is a program with all that it forked.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed when it has been waited for
}

// start starts cmd in the cgroup, or in the caller's for nil.
func start(cmd *exec.Cmd, cgroup *os.File) (*process, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{
		// A group of its own: Ctrl-C at the terminal is for the harness,
		// which ends its processes in order.
		Setpgid: true,
		// The harness may be killed; nginx takes its workers along.
		Pdeathsig: syscall.SIGTERM,
	}
	if cgroup != nil {
		cmd.SysProcAttr.UseCgroupFD = true
		cmd.SysProcAttr.CgroupFD = int(cgroup.Fd())
	}
	p := &process{cmd: cmd, exited: make(chan struct{})}
	started := make(chan error)
	go p.run(started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %w", err)
	}
	return p, nil
}

func (p *process) run(started chan<- error) {
	// Pdeathsig is sent when the thread ends that started the process.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	pid := p.cmd.Process.Pid
	// What it forked may survive it; until it is reaped the number of its
	// group is nobody else's.
	for unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
	_ = unix.Kill(-pid, unix.SIGKILL)
	_ = p.cmd.Wait()
	close(p.exited)
}

// signal does nothing when the process is gone.
func (p *process) signal(sig syscall.Signal) { _ = p.cmd.Process.Signal(sig) }

func (p *process) kill() { p.signal(syscall.SIGKILL) }

// stop ends the process, by force if need be, and returns when it is gone.
func (p *process) stop() {
	p.signal(syscall.SIGTERM)
	defer time.AfterFunc(stopTimeout, p.kill).Stop()
	<-p.exited
}

// logPrefix is what nginx and Redis put before a message.
var logPrefix = regexp.MustCompile(`^(.*\[[a-z]+\] (\d+#\d+: )?|\d+:[A-Z] .*? [*#.-] )`)

// ended is the error of a process that should not have ended, with the last
// thing it said.
func ended(name string, state *os.ProcessState, log string) error {
	lines := strings.Split(strings.TrimSpace(log), "\n")
	last := logPrefix.ReplaceAllString(lines[len(lines)-1], "")
	if last == "" {
		return fmt.Errorf("%s ended (%s)", name, state)
	}
	return fmt.Errorf("%s ended (%s): %s", name, state, last)
}
