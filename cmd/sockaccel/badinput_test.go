package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

func enable(tb testing.TB, tool *testkit.Tool, cgroup string, more ...string) result {
	tb.Helper()
	return run(tb, tool, append([]string{"enable", "--accept-risk", testkit.AcceptAll, "--cgroup", cgroup}, more...)...)
}

func TestBadCgroup(t *testing.T) {
	tool := testkit.NewTool(t)
	enable(t, tool, "no-such-cgroup").refused(t, 1, "no-such-cgroup", "no such directory")
	enable(t, tool, "/sys/fs/cgroup/no-such-cgroup").refused(t, 1, "no such directory")
	enable(t, tool, "/tmp").refused(t, 1, "/tmp", "not on a cgroup v2 filesystem")
	enable(t, tool, "/proc/self/status").refused(t, 1, "not a directory")
	good := testkit.NewCgroup(t)
	enable(t, tool, good.Path, "--cgroup", "no-such-cgroup").refused(t, 1, "no-such-cgroup")
	run(t, tool, "disable", "--cgroup", "no-such-cgroup").refused(t, 1, "no-such-cgroup")
	unchanged(t, tool)
}

func TestCgroupV1(t *testing.T) {
	tool := testkit.NewTool(t)
	mounts, err := mountinfo.GetMounts(mountinfo.FSTypeFilter("cgroup"))
	if err != nil {
		t.Fatal(err)
	}
	if len(mounts) == 0 {
		t.Skip("this host has no cgroup v1 hierarchy")
	}
	dir := mounts[0].Mountpoint
	enable(t, tool, dir).refused(t, 1, dir, "cgroup v1", "below")
	unchanged(t, tool)
}

func TestNoCgroupV2(t *testing.T) {
	tool := testkit.NewTool(t)
	root := filepath.Dir(testkit.NewCgroup(t).Path)
	withMounts(t, func() {
		if err := unix.Unmount(root, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", root, err)
			return
		}
		// Never without a scope here: that would be the root.
		enable(t, tool, "no-such-cgroup").refused(t, 1, "no cgroup v2 hierarchy is mounted", "mount -t cgroup2")
	})
	unchanged(t, tool)
}

// Root gets bpffs mounted, and told so; everything works there.
func TestBPFFSNotMounted(t *testing.T) {
	tool, cg := testkit.NewTool(t), testkit.NewCgroup(t)
	withMounts(t, func() {
		for unix.Unmount("/sys/fs/bpf", unix.MNT_DETACH) == nil {
		}
		if r := run(t, tool, "status", "--json"); r.code != 0 || !strings.Contains(r.stdout, `"enabled": false`) {
			t.Errorf("status without bpffs: %+v", r)
		}
		r := enable(t, tool, cg.Path)
		if r.code != 0 || r.stdout != "" || !strings.HasPrefix(r.stderr, "mounted bpffs at /sys/fs/bpf\n") {
			t.Errorf("enable: %+v", r)
		}
		statusJSON(t, run(t, tool, "status", "--json"))
		if r := run(t, tool, "disable"); r.code != 0 {
			t.Errorf("disable: %+v", r)
		}
		unchanged(t, tool)
	})
	unchanged(t, tool)
}

// Where something else is mounted, or where no bpffs is, nothing is mounted.
func TestNotOnBPFFS(t *testing.T) {
	tool, cg := testkit.NewTool(t), testkit.NewCgroup(t)
	parent := t.TempDir()
	dir := filepath.Join(parent, "state")
	r := execute(t, exec.Command(tool.Bin, "--state-dir", dir, "enable", "--accept-risk", testkit.AcceptAll, "--cgroup", cg.Path))
	r.refused(t, 1, dir, "not on a bpf filesystem", "mount -t bpf")
	if left, _ := os.ReadDir(parent); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	withMounts(t, func() {
		if err := unix.Mount("none", "/sys/fs/bpf", "tmpfs", 0, ""); err != nil {
			t.Error(err)
			return
		}
		enable(t, tool, cg.Path).refused(t, 1, "another filesystem", "/sys/fs/bpf")
	})
	unchanged(t, tool)
}

func TestMissingCapability(t *testing.T) {
	tool, cg := testkit.NewTool(t), testkit.NewCgroup(t)
	for _, tt := range []struct {
		name string
		drop []uintptr
	}{
		{"CAP_BPF", []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_BPF}},
		{"CAP_NET_ADMIN", []uintptr{unix.CAP_NET_ADMIN}},
		{"CAP_PERFMON", []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_PERFMON}},
		{"CAP_SYS_ADMIN", []uintptr{unix.CAP_SYS_ADMIN}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onThread(func() {
				// Root gets at exec what the bounding set has.
				for _, capability := range tt.drop {
					if err := unix.Prctl(unix.PR_CAPBSET_DROP, capability, 0, 0, 0); err != nil {
						t.Error(err)
						return
					}
				}
				enable(t, tool, cg.Path).refused(t, 1, tt.name, "run as root")
			})
			unchanged(t, tool)
		})
	}
}

// copyForNobody copies the tool, whose build is in a directory of root's.
func copyForNobody(tb testing.TB) (bin string) {
	tb.Helper()
	text, err := os.ReadFile(testkit.NewTool(tb).Bin)
	if err != nil {
		tb.Fatal(err)
	}
	dir, err := os.MkdirTemp("/tmp", "sockaccel-test-nobody-")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { os.RemoveAll(dir) })
	bin = filepath.Join(dir, "sockaccel")
	if err := os.WriteFile(bin, text, 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		tb.Fatal(err)
	}
	return bin
}

// Somebody without any right is told so, whatever they try.
func TestUnprivileged(t *testing.T) {
	tool, cg := testkit.NewTool(t), testkit.NewCgroup(t)
	bin := copyForNobody(t)
	nobody := func(args ...string) result {
		return execute(t, asNobody(exec.Command(bin, append([]string{"--state-dir", tool.StateDir}, args...)...)))
	}
	nobody("enable", "--accept-risk", testkit.AcceptAll, "--cgroup", cg.Path).refused(t, 1, "root")
	nobody("run", "--accept-risk", testkit.AcceptAll, "--cgroup", cg.Path).refused(t, 1, "root")
	nobody("disable").refused(t, 1, "root")
	nobody("status").refused(t, 1, "root")
	unchanged(t, tool)
}

// What this kernel cannot exclude has to be accepted by name.
func TestRisksNotAccepted(t *testing.T) {
	tool, cg := testkit.NewTool(t), testkit.NewCgroup(t)
	// Where there is a guard there may be no risk.
	evidence := []string{"enable", "--splice-guard", "evidence", "--cgroup", cg.Path}
	r := run(t, tool, evidence...)
	r.refused(t, 1, "cannot exclude", "splice", "--accept-risk")
	unchanged(t, tool)
	// The advice is right.
	_, risks, _ := strings.Cut(strings.TrimSpace(r.stderr), "--accept-risk ")
	if r := run(t, tool, append(evidence, "--accept-risk", risks)...); r.code != 0 {
		t.Errorf("with the risks accepted that it names: %+v", r)
	}
	// And it may come from the environment.
	tool.Disable(t)
	cmd := exec.Command(tool.Bin, append([]string{"--state-dir", tool.StateDir}, evidence...)...)
	cmd.Env = append(os.Environ(), "SOCKACCEL_ACCEPT_RISK="+risks)
	if r := execute(t, cmd); r.code != 0 {
		t.Errorf("with the risks accepted by the environment: %+v", r)
	}
	// What only a new state can have is not changed silently.
	enable(t, tool, cg.Path, "--max-connections", "100").refused(t, 1, "enabled already", "--max-connections 65536", "sockaccel disable")
	if st := tool.Status(t); !st.Enabled || st.Connections.MaxConnections != 65536 {
		t.Errorf("after a refusal: %+v", st)
	}
}

func pinMap(tb testing.TB, path string, spec *ebpf.MapSpec, value []byte) {
	tb.Helper()
	m, err := ebpf.NewMap(spec)
	if err != nil {
		tb.Fatal(err)
	}
	defer m.Close()
	if value != nil {
		if err := m.Put(uint32(0), value); err != nil {
			tb.Fatal(err)
		}
	}
	if err := m.Pin(path); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { os.RemoveAll(path) })
}

// A directory with somebody else's pins is not touched.
func TestForeignStateDir(t *testing.T) {
	for _, name := range []string{"theirs", "meta"} {
		t.Run(name, func(t *testing.T) {
			tool, cg := testkit.NewTool(t), testkit.NewCgroup(t)
			if err := os.Mkdir(tool.StateDir, 0o700); err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(tool.StateDir)
			pin := filepath.Join(tool.StateDir, name)
			pinMap(t, pin, &ebpf.MapSpec{Type: ebpf.Hash, KeySize: 4, ValueSize: 4, MaxEntries: 1}, nil)
			enable(t, tool, cg.Path).refused(t, 1, tool.StateDir, "belongs to something else", "--state-dir")
			run(t, tool, "disable").refused(t, 1, tool.StateDir, "belongs to something else")
			run(t, tool, "status").refused(t, 1, tool.StateDir, "belongs to something else")
			if _, err := os.Stat(pin); err != nil {
				t.Error(err)
			}
			if entries, _ := os.ReadDir(tool.StateDir); len(entries) != 1 {
				t.Errorf("entries now: %v", entries)
			}
		})
	}
}

// A pin where the directory should be is somebody else's, too.
func TestStateDirIsPin(t *testing.T) {
	tool, cg := testkit.NewTool(t), testkit.NewCgroup(t)
	pinMap(t, tool.StateDir, &ebpf.MapSpec{Type: ebpf.Hash, KeySize: 4, ValueSize: 4, MaxEntries: 1}, nil)
	enable(t, tool, cg.Path).refused(t, 1, tool.StateDir, "--state-dir")
	run(t, tool, "status").refused(t, 1, tool.StateDir, "--state-dir")
	os.Remove(tool.StateDir)
	unchanged(t, tool)
}
