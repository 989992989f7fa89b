package soak_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/sockaccel/sockaccel/internal/status"
	"github.com/sockaccel/sockaccel/internal/testkit"
)

// actions is everything that happens. Each begins and ends with acceleration
// enabled for all scopes or for none; what it does first does not matter.
func (c *chaos) actions() []action {
	list := []action{
		{"toggle", (*chaos).toggle},
		{"scope", (*chaos).scope},
		{"filter", (*chaos).filter},
		{"full map", (*chaos).fullMap},
		{"kill sidecar", func(c *chaos, tb testing.TB) { c.kill(tb, true, false) }},
		{"kill supervisor", func(c *chaos, tb testing.TB) { c.kill(tb, false, true) }},
		{"kill both", func(c *chaos, tb testing.TB) { c.kill(tb, true, true) }},
		{"stop sidecar", (*chaos).stopSidecar},
		{"kill enable", func(c *chaos, tb testing.TB) { c.killTool(tb, "enable") }},
		{"kill disable", func(c *chaos, tb testing.TB) { c.killTool(tb, "disable") }},
		{"cgroup removed", (*chaos).cgroupRemoved},
		{"stop reader", (*chaos).stopReader},
		{"busy processors", (*chaos).busy},
	}
	if c.other != nil {
		list = append(list, action{"upgrade", (*chaos).upgrade})
	}
	return list
}

func (c *chaos) toggle(tb testing.TB) {
	c.disable(tb)
	c.load.pause(c.between(0, time.Second))
	c.enable(tb)
}

func (c *chaos) scope(tb testing.TB) {
	c.enable(tb)
	cg := c.scene.scopes[c.rng.IntN(len(c.scene.scopes))]
	c.scene.tool.MustRun(tb, "disable", "--drain-timeout", "2s", "--cgroup", cg.Path)
	c.load.pause(c.between(0, time.Second))
	c.enable(tb)
}

func (c *chaos) filter(tb testing.TB) {
	for _, filter := range [][]string{
		{"--port", c.port()}, {"--exclude-port", c.port()}, {"--exclude-port", "1-65535"},
		{"--cidr", "10.77.0.0/16"}, {"--exclude-cidr", "127.0.0.0/8,::1"},
	} {
		c.filtered(tb, filter...)
		c.load.pause(c.between(0, 300*time.Millisecond))
	}
	c.enable(tb)
}

// fullMap has room for two connections only.
func (c *chaos) fullMap(tb testing.TB) {
	c.disable(tb)
	c.max = "2"
	c.enable(tb)
	c.load.pause(c.between(500*time.Millisecond, 2*time.Second))
	c.disable(tb)
	c.enable(tb)
}

// both waits until sidecar and supervisor run.
func (c *chaos) both(tb testing.TB) *status.Status {
	return c.scene.tool.Await(tb, stall, "sidecar and supervisor run", func(st *status.Status) bool {
		return st.Sidecar.Running && st.Sidecar.PID > 1 && st.Sidecar.SupervisorPID > 1
	})
}

// kill kills one, which the other brings back, or both: then the dead man's
// switch has until the next enable.
func (c *chaos) kill(tb testing.TB, sidecar, supervisor bool) {
	c.enable(tb)
	st := c.both(tb)
	var pids []int
	if sidecar {
		pids = append(pids, st.Sidecar.PID)
	}
	if supervisor {
		pids = append(pids, st.Sidecar.SupervisorPID)
	}
	// Stopped first, so that none sees the other one die.
	for _, sig := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGKILL} {
		for _, pid := range pids {
			signal(tb, pid, sig)
		}
	}
	if sidecar && supervisor {
		c.load.pause(c.between(0, 4*time.Second))
		c.enable(tb)
	}
	c.scene.tool.Await(tb, stall, "others run", func(st *status.Status) bool {
		now := []int{st.Sidecar.PID, st.Sidecar.SupervisorPID}
		return min(now[0], now[1]) > 1 && !slices.ContainsFunc(pids, func(pid int) bool { return slices.Contains(now, pid) })
	})
}

func (c *chaos) stopSidecar(tb testing.TB) {
	c.enable(tb)
	pid := c.both(tb).Sidecar.PID
	signal(tb, pid, syscall.SIGSTOP)
	defer signal(tb, pid, syscall.SIGCONT)
	c.load.pause(c.between(0, 5*time.Second))
}

// stopReader stops a process in the middle of anything, as a busy machine does.
func (c *chaos) stopReader(tb testing.TB) {
	agents := slices.Concat(c.scene.clients, c.scene.servers)
	pid := agents[c.rng.IntN(len(agents))].Pid
	signal(tb, pid, syscall.SIGSTOP)
	defer signal(tb, pid, syscall.SIGCONT)
	c.load.pause(c.between(0, 3*time.Second))
}

func signal(tb testing.TB, pid int, sig syscall.Signal) {
	tb.Helper()
	if err := syscall.Kill(pid, sig); err != nil {
		tb.Fatalf("signal %v to process %d: %v", sig, pid, err)
	}
}

// killTool kills the tool at a random moment; the next call repairs.
func (c *chaos) killTool(tb testing.TB, verb string) {
	args := []string{"--state-dir", c.scene.tool.StateDir, verb}
	if verb == "enable" {
		if c.rng.IntN(2) == 0 {
			c.disable(tb)
		}
		args = append(args, "--accept-risk", testkit.AcceptAll, "--cgroup", c.scene.scopes[0].Path)
	}
	c.look(tb)
	cmd := exec.Command(c.scene.tool.Bin, args...)
	cmd.Env = append(os.Environ(), "SOCKACCEL_LOG="+c.scene.tool.Log)
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	time.Sleep(c.between(0, 150*time.Millisecond))
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	c.stock.note(tb)
	c.disable(tb)
	c.enable(tb)
}

// cgroupRemoved accelerates a scope that goes, with its processes, while they
// have connections.
func (c *chaos) cgroupRemoved(tb testing.TB) {
	cg := c.scene.root.Child(tb, "doomed"+time.Now().Format("150405.000000"))
	start := func(name string) *testkit.Agent {
		return testkit.StartAgent(tb, testkit.AgentOptions{Name: name, Cgroup: cg, Netns: c.scene.netns})
	}
	client, server := start("doomedclient"), start("doomedserver")
	c.enable(tb, "--cgroup", cg.Path)
	o := testkit.PingPongOptions{Addr: server.MustEcho(tb, testkit.Loopback), Conns: 4, Rounds: 50, Timeout: stall}
	if _, err := client.PingPong(o); err != nil {
		tb.Fatal(err)
	}
	cut := o
	cut.Rounds = 1 << 30
	cutting := testkit.Go(func() (testkit.PingPongResult, error) { return client.PingPong(cut) })
	c.load.pause(c.between(0, 200*time.Millisecond))
	server.Kill()
	if _, err := cutting.Wait(2 * stall); err == nil {
		tb.Error("answers from a process that was killed")
	}
	client.Kill()
	if err := os.Remove(cg.Path); err != nil {
		tb.Fatal(err)
	}
	c.scene.tool.Await(tb, stall, "the scope is forgotten", func(st *status.Status) bool {
		return !slices.ContainsFunc(st.Scopes, func(s status.Scope) bool { return s.Cgroup == cg.Path })
	})
}

// busy takes every processor away for a while.
func (c *chaos) busy(testing.TB) {
	until := time.Now().Add(c.between(500*time.Millisecond, 2*time.Second))
	for range 4 {
		go func() {
			for time.Now().Before(until) {
			}
		}()
	}
	c.load.pause(time.Until(until))
}

// upgrade has another version take over, and this one take it back.
func (c *chaos) upgrade(tb testing.TB) {
	c.enable(tb)
	c.other.MustRun(tb, "upgrade")
	c.stock.note(tb)
	c.load.pause(c.between(0, time.Second))
	c.scene.tool.MustRun(tb, "upgrade")
}

// otherVersion is the same tool under another name, nil where there is no
// upgrade to it.
func otherVersion(tb testing.TB, tool *testkit.Tool) *testkit.Tool {
	tb.Helper()
	if _, err := tool.Run("upgrade", "--help"); err != nil {
		tb.Log("no upgrades: this version has none")
		return nil
	}
	other := *tool
	other.Bin = filepath.Join(tb.TempDir(), "sockaccel")
	build := exec.Command("go", "build", "-buildvcs=false", "-ldflags", "-X main.version=other", "-o", other.Bin,
		"github.com/sockaccel/sockaccel/cmd/sockaccel")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		tb.Fatalf("build the other version: %v: %s", err, out)
	}
	return &other
}
