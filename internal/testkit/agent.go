package testkit

import (
	"fmt"
	"net"
	"net/rpc"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"testing"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// AgentOptions says where an agent runs. The zero value of a field is where
// the test runs.
type AgentOptions struct {
	Name   string // for error messages and echo answers; letters and digits
	Cgroup *Cgroup
	Netns  *Netns
}

// Agent is a child process that executes socket operations one by one. It is
// in its cgroup and network namespace from its first instruction. All methods
// may be called concurrently, and then run concurrently in the agent.
type Agent struct {
	Name string
	Pid  int

	cmd    *exec.Cmd
	client *rpc.Client
	exited chan struct{}
}

// StartAgent starts an agent, which Cleanup kills.
func StartAgent(tb testing.TB, o AgentOptions) *Agent {
	tb.Helper()
	if o.Name == "" {
		o.Name = "agent"
	}
	a, err := startAgent(o)
	if err != nil {
		tb.Fatalf("start agent %s: %v", o.Name, err)
	}
	tb.Cleanup(a.Kill)

	home, err := opHello.on(a, o.Name)
	if err != nil {
		tb.Fatalf("start agent: %v (is TestMain calling testkit.Main?)", err)
	}
	if home != a.Pid {
		tb.Fatalf("start agent %s: pid %d answers for %d", o.Name, home, a.Pid)
	}
	return a
}

// Kill kills the agent as kill -9 would, and returns when it is dead: its
// sockets are closed by the kernel.
func (a *Agent) Kill() {
	_ = a.cmd.Process.Kill()
	<-a.exited
	_ = a.client.Close()
}

func startAgent(o AgentOptions) (*Agent, error) {
	ours, theirs, err := socketpair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	conn, err := net.FileConn(ours)
	ours.Close()
	if err != nil {
		return nil, err
	}

	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{"sockaccel-test-" + o.Name}
	// Preemption signals would interrupt system calls at random.
	cmd.Env = append(os.Environ(), agentEnv+"=1", "GODEBUG=asyncpreemptoff=1")
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if o.Cgroup != nil {
		dir, err := os.Open(o.Cgroup.Path)
		if err != nil {
			conn.Close()
			return nil, err
		}
		defer dir.Close()
		cmd.SysProcAttr.UseCgroupFD = true
		cmd.SysProcAttr.CgroupFD = int(dir.Fd())
	}
	if err := spawn(cmd, o.Netns); err != nil {
		conn.Close()
		return nil, err
	}
	a := &Agent{
		Name:   o.Name,
		Pid:    cmd.Process.Pid,
		cmd:    cmd,
		client: rpc.NewClient(conn),
		exited: make(chan struct{}),
	}
	go func() {
		_ = cmd.Wait()
		close(a.exited)
	}()
	return a, nil
}

func socketpair() (ours, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("control socket: %w", err)
	}
	return os.NewFile(uintptr(fds[0]), "agent"), os.NewFile(uintptr(fds[1]), "test"), nil
}

// spawner starts processes. The kernel sends the parent-death signal when the
// thread that forked exits, and Go's threads do exit; this one never does.
var spawner = sync.OnceValue(func() chan<- func() {
	work := make(chan func())
	go func() {
		runtime.LockOSThread()
		for fn := range work {
			fn()
		}
	}()
	return work
})

// spawn starts cmd in a network namespace, which a child inherits from the
// thread that forks it.
func spawn(cmd *exec.Cmd, n *Netns) error {
	done := make(chan error)
	spawner() <- func() { done <- startIn(cmd, n) }
	return <-done
}

func startIn(cmd *exec.Cmd, n *Netns) error {
	if n == nil {
		return cmd.Start()
	}
	home, err := netns.Get()
	if err != nil {
		return err
	}
	defer home.Close()
	if err := netns.Set(n.handle); err != nil {
		return fmt.Errorf("enter network namespace: %w", err)
	}
	defer func() {
		if err := netns.Set(home); err != nil {
			panic(fmt.Sprintf("testkit: spawner can not return to its network namespace: %v", err))
		}
	}()
	return cmd.Start()
}

// controlFD is where an agent finds its control socket.
const controlFD = 3

// agentName is the name of the agent that this process is.
var agentName string

var opHello = op("hello", func(name string) (int, error) {
	agentName = name
	return os.Getpid(), nil
})

// agentMain is main in an agent. It returns when the test is gone.
func agentMain() int {
	f := os.NewFile(controlFD, "test")
	conn, err := net.FileConn(f)
	f.Close()
	if err == nil {
		err = serve(conn)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "agent: %v\n", err)
		return 1
	}
	return 0
}
