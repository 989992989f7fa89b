package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/sockaccel/sockaccel/internal/doctor"
	"github.com/sockaccel/sockaccel/internal/state"
	"github.com/sockaccel/sockaccel/internal/testkit"
)

// examined runs doctor and checks its manners.
func examined(tb testing.TB, tool *testkit.Tool, flags ...string) (report doctor.Report, r result) {
	tb.Helper()
	cmd := exec.Command(tool.Bin, append(append([]string{"--state-dir", tool.StateDir}, flags...), "doctor", "--json")...)
	r = execute(tb, cmd)
	nothingOfDoctor(tb, cmd.Process.Pid)
	return diagnosis(tb, r), r
}

// diagnosis reads what doctor --json printed.
func diagnosis(tb testing.TB, r result) (report doctor.Report) {
	tb.Helper()
	dec := json.NewDecoder(strings.NewReader(r.stdout))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&report); err != nil {
		tb.Fatalf("%v: %+v", err, r)
	}
	if report.Safe != (r.code == 0) || r.code > 1 {
		tb.Errorf("exit code %d, safe: %t", r.code, report.Safe)
	}
	if !report.Safe && !strings.Contains(r.stderr, "sockaccel: acceleration is not safe here: see ") {
		tb.Errorf("stderr: %q", r.stderr)
	}
	for _, c := range report.Checks {
		if c.Name == "" || c.Means == "" || strings.Contains(c.Means+c.Do, "\n") {
			tb.Errorf("bad line: %+v", c)
		}
		if c.Result != doctor.Yes && c.Needed && c.Do == "" {
			tb.Errorf("nothing to do about %+v", c)
		}
	}
	return report
}

// named returns a check.
func named(tb testing.TB, report doctor.Report, name string) doctor.Check {
	tb.Helper()
	i := slices.IndexFunc(report.Checks, func(c doctor.Check) bool { return c.Name == name })
	if i < 0 {
		tb.Fatalf("no check %s: %+v", name, report)
	}
	return report.Checks[i]
}

// finds requires that doctor is not content because of one check, says so in
// these words, and tries nothing that needs it.
func finds(tb testing.TB, report doctor.Report, name, result string, words ...string) {
	tb.Helper()
	c := named(tb, report, name)
	if report.Safe || c.Result != result {
		tb.Errorf("safe: %t, %+v", report.Safe, c)
	}
	for _, word := range words {
		if !strings.Contains(c.Means+"\n"+c.Do, word) {
			tb.Errorf("%+v does not say %q", c, word)
		}
	}
	if last := report.Checks[len(report.Checks)-1]; last.Result != doctor.Skipped || last.Do == "" {
		tb.Errorf("tried nevertheless: %+v", last)
	}
}

// leftByDoctor is all that is there of an examination.
func leftByDoctor(pid int) (left []string) {
	name := fmt.Sprintf("sockaccel-doctor-%d", pid)
	for _, pattern := range []string{"/sys/fs/bpf/" + name, "/sys/fs/bpf/" + name + "-*", "/sys/fs/cgroup/" + name,
		"/sys/fs/cgroup/*/" + name, "/sys/fs/cgroup/*/*/" + name, filepath.Join(os.TempDir(), name)} {
		found, _ := filepath.Glob(pattern)
		left = append(left, found...)
	}
	return append(left, processes("/sys/fs/bpf/"+name)...)
}

// nothingOfDoctor fails the test if an examination left anything. The sidecar
// has given its role up before it is gone.
func nothingOfDoctor(tb testing.TB, pid int) {
	tb.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		left := leftByDoctor(pid)
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			tb.Fatalf("left behind: %q", left)
		}
	}
}

func TestDoctor(t *testing.T) {
	tool := testkit.NewTool(t)
	report, r := examined(t, tool)
	if !report.Safe || r.stderr != "" {
		t.Errorf("not safe: %+v", r)
	}
	for _, c := range report.Checks {
		if c.Needed && c.Result != doctor.Yes || c.Result == doctor.Skipped {
			t.Errorf("%+v", c)
		}
	}
	// The advice is that of enable, and right.
	cg := testkit.NewCgroup(t)
	if r := run(t, tool, "enable", "--cgroup", cg.Path, "--accept-risk", strings.Join(report.AcceptRisk, ",")); r.code != 0 {
		t.Errorf("with the risks that it names: %+v", r)
	}
	other := testkit.NewTool(t)
	without := run(t, other, "enable", "--cgroup", cg.Path)
	if len(report.AcceptRisk) > 0 {
		without.refused(t, 1, "--accept-risk "+strings.Join(report.AcceptRisk, ","))
	} else if without.code != 0 {
		t.Errorf("without a risk to accept: %+v", without)
	}
	// What it found of the guard is what enable gets.
	guarded := tool.Status(t).SpliceGuard == state.GuardOn
	for _, name := range []string{"trampolines", "splice"} {
		if c := named(t, report, name); (c.Result == doctor.Yes) != guarded {
			t.Errorf("splice guard: %t, but %+v", guarded, c)
		}
	}
	// What is enabled elsewhere is no hindrance, and stays.
	if again, r := examined(t, tool); !again.Safe {
		t.Errorf("while something is enabled: %+v", r)
	}
	if st := tool.Status(t); !st.Enabled || len(st.Scopes) != 1 {
		t.Errorf("what was enabled before: %+v", st)
	}
}

func TestDoctorTable(t *testing.T) {
	tool := testkit.NewTool(t)
	cmd := exec.Command(tool.Bin, "--state-dir", tool.StateDir, "doctor")
	r := execute(t, cmd)
	nothingOfDoctor(t, cmd.Process.Pid)
	lines := strings.Split(r.stdout, "\n")
	if r.code != 0 || r.stderr != "" || !strings.HasPrefix(lines[0], "CHECK ") {
		t.Fatalf("%+v", r)
	}
	means, do := strings.Index(lines[0], "MEANS"), strings.Index(lines[0], "DO")
	for _, line := range lines[1:slices.Index(lines, "")] {
		if len(line) <= do || line[means-1] != ' ' || line[do-1] != ' ' || line[do] == ' ' || len(line) > 160 {
			t.Errorf("does not line up: %q", line)
		}
	}
}

func TestDoctorUsage(t *testing.T) {
	inProcess("doctor", "now").refused(t, 2, `unexpected argument "now"`, "doctor --help")
	inProcess("doctor", "--risky").refused(t, 2, "risky")
}

// Without rights nothing is tried that needs them, and each line says so.
func TestDoctorCapabilities(t *testing.T) {
	tool := testkit.NewTool(t)
	for _, drop := range [][]uintptr{{unix.CAP_SYS_ADMIN}, {unix.CAP_NET_ADMIN}, {unix.CAP_SYS_ADMIN, unix.CAP_BPF}} {
		onThread(func() {
			for _, capability := range drop {
				if err := unix.Prctl(unix.PR_CAPBSET_DROP, capability, 0, 0, 0); err != nil {
					t.Error(err)
					return
				}
			}
			report, _ := examined(t, tool)
			finds(t, report, "capabilities", doctor.No, "missing", "run as root")
			for _, c := range report.Checks {
				if c.Result == doctor.Skipped && c.Do != "run as root" {
					t.Errorf("%+v", c)
				}
			}
			if c := named(t, report, "bpffs"); c.Result != doctor.Skipped {
				t.Errorf("half work: %+v", c)
			}
		})
	}
}

// Each of these takes something away that acceleration needs.
func TestDoctorHost(t *testing.T) {
	tool := testkit.NewTool(t)
	root := filepath.Dir(testkit.NewCgroup(t).Path)
	tmpfs := func(dir string) error { return unix.Mount("none", dir, "tmpfs", 0, "") }
	for _, tt := range []struct {
		check string
		take  func() error
		says  []string
	}{
		{"cgroup_v2", func() error { return unix.Unmount(root, unix.MNT_DETACH) }, []string{"no cgroup v2", "mount -t cgroup2"}},
		{"bpffs", func() error { return tmpfs("/sys/fs/bpf") }, []string{"another filesystem", "unmount it"}},
		{"btf", func() error { return tmpfs("/sys/kernel/btf") }, []string{"is missing", "CONFIG_DEBUG_INFO_BTF"}},
		{"lockdown", func() error {
			const mode = "none integrity [confidentiality]\n"
			return errors.Join(tmpfs("/sys/kernel/security"), os.WriteFile("/sys/kernel/security/lockdown", []byte(mode), 0o644))
		}, []string{"confidentiality", "boot with lockdown=integrity"}},
		{"cgroup_hooks", func() error {
			return errors.Join(unix.Mount(root, root, "", unix.MS_BIND, ""),
				unix.Mount("", root, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""))
		}, []string{"read-only", "cgroups can be made"}},
	} {
		t.Run(tt.check, func(t *testing.T) {
			withMounts(t, func() {
				if err := tt.take(); err != nil {
					t.Error(err)
					return
				}
				report, _ := examined(t, tool)
				finds(t, report, tt.check, doctor.No, tt.says...)
				// enable refuses by the same rule.
				if tt.check == "btf" || tt.check == "lockdown" {
					enable(t, tool, root+"/no-such-cgroup").refused(t, 1)
				}
			})
		})
	}
	unchanged(t, tool)
}

// Root gets bpffs mounted, and told so.
func TestDoctorMountsBPFFS(t *testing.T) {
	tool := testkit.NewTool(t)
	withMounts(t, func() {
		for unix.Unmount("/sys/fs/bpf", unix.MNT_DETACH) == nil {
		}
		report, r := examined(t, tool)
		if c := named(t, report, "bpffs"); !report.Safe || c.Means != "mounted now at /sys/fs/bpf" {
			t.Errorf("safe: %t, %+v", report.Safe, c)
		}
		if r.stderr != "mounted bpffs at /sys/fs/bpf\n" {
			t.Errorf("stderr: %q", r.stderr)
		}
	})
}

// Where acceleration is on already, trying it would tell nothing.
func TestDoctorWhileOn(t *testing.T) {
	tool, cg := testkit.NewTool(t), testkit.NewCgroup(t)
	tool.Enable(t, cg)
	report, _ := examined(t, tool, "--cgroup-root", cg.Path)
	finds(t, report, "cgroup_hooks", doctor.Skipped, "acceleration is on", "sockaccel disable first")
}

// A connection that cannot be made is not taken for one that works.
func TestDoctorNoConnection(t *testing.T) {
	tool, cg := testkit.NewTool(t), testkit.NewCgroup(t)
	deny, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.CGroupSockAddr, AttachType: ebpf.AttachCGroupInet4Connect, License: "MIT",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer deny.Close()
	l, err := link.AttachCgroup(link.CgroupOptions{Path: cg.Path, Attach: ebpf.AttachCGroupInet4Connect, Program: deny})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	report, _ := examined(t, tool, "--cgroup-root", cg.Path)
	finds(t, report, "redirect", doctor.Broken, "operation not permitted")
}

// Somebody without any right gets a table, too.
func TestDoctorUnprivileged(t *testing.T) {
	cmd := asNobody(exec.Command(copyForNobody(t), "doctor", "--json"))
	report := diagnosis(t, execute(t, cmd))
	finds(t, report, "capabilities", doctor.No, "run as root")
	nothingOfDoctor(t, cmd.Process.Pid)
}
