package core_test

import (
	"os"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/sockaccel/sockaccel/internal/probe"
	"github.com/sockaccel/sockaccel/internal/state"
	"github.com/sockaccel/sockaccel/internal/testkit"
)

// Without the risks that this kernel cannot exclude accepted by name, enable
// refuses in one line that names them, and changes nothing.
func TestTrustRisksRefused(t *testing.T) {
	testkit.RequireRoot(t)
	found, err := probe.Run()
	if err != nil {
		t.Fatal(err)
	}
	all := []string{"splice"}
	if found.FIONREAD != probe.FIONREADRight && !found.Correction {
		all = append(all, "fionread")
	}
	for _, x := range []struct{ flag, env string }{
		{}, {flag: "blocking"}, {flag: "splice"}, {flag: "fionread"}, {env: "fionread"},
	} {
		t.Run("flag "+x.flag+" env "+x.env, func(t *testing.T) {
			t.Setenv("SOCKACCEL_ACCEPT_RISK", x.env)
			s := newPlainScene(t)
			args := []string{"enable", "--splice-guard", "evidence", "--cgroup", s.cg.Path}
			if x.flag != "" {
				args = append(args, "--accept-risk", x.flag)
			}
			var missing []string
			for _, risk := range all {
				if risk != x.flag && risk != x.env {
					missing = append(missing, risk)
				}
			}
			out, err := s.tool.Run(args...)
			if len(missing) == 0 {
				if err != nil {
					t.Errorf("refused although accepted: %v: %s", err, out)
				}
				return
			}
			if testkit.ExitCode(err) != 1 || strings.Contains(out, "\n") {
				t.Errorf("exit %d, want 1 and one line: %s", testkit.ExitCode(err), out)
			}
			_, advice, _ := strings.Cut(out, "--accept-risk ")
			for _, risk := range all {
				want := strings.Contains(strings.Join(missing, ","), risk)
				if strings.Contains(advice, risk) != want || want != strings.Contains(out, risk+":") {
					t.Errorf("names %s: %t, want %t: %s", risk, !want, want, out)
				}
			}
			nothingChanged(t, s)
		})
	}
}

// Where the kernel has the guard, and FIONREAD is right or corrected, nothing has
// to be accepted.
func TestTrustNoRisk(t *testing.T) {
	testkit.RequireRoot(t)
	found, err := probe.Run()
	if err != nil {
		t.Fatal(err)
	}
	if !found.Guard || found.FIONREAD != probe.FIONREADRight && !found.Correction {
		t.Skipf("this kernel leaves risks: %v", found.Refused)
	}
	s := newPlainScene(t)
	s.tool.MustRun(t, "enable", "--cgroup", s.cg.Path)
	if st := s.tool.Status(t); !st.Enabled || st.SpliceGuard != state.GuardOn || len(st.AcceptedRisks) != 0 {
		t.Errorf("enabled %t, splice guard %s, accepted %v", st.Enabled, st.SpliceGuard, st.AcceptedRisks)
	}
}

func nothingChanged(tb testing.TB, s *scene) {
	tb.Helper()
	for _, path := range []string{s.tool.StateDir, s.tool.StateDir + "-new"} {
		if state.Exists(path) {
			tb.Errorf("made %s", path)
		}
	}
	if _, err := os.Stat(s.tool.Log); err == nil {
		tb.Error("a sidecar was started")
	}
	dir, err := os.Open(s.cg.Path)
	if err != nil {
		tb.Fatal(err)
	}
	defer dir.Close()
	for _, attach := range []ebpf.AttachType{ebpf.AttachCGroupSockOps, ebpf.AttachCGroupSetsockopt} {
		got, err := link.QueryPrograms(link.QueryOptions{Target: int(dir.Fd()), Attach: attach})
		if err != nil {
			tb.Fatal(err)
		}
		if len(got.Programs) != 0 {
			tb.Errorf("%d programs attached as %v", len(got.Programs), attach)
		}
	}
	if s.tool.Status(tb).Enabled {
		tb.Error("enabled")
	}
	c := s.open(tb, false, false)
	c.exchange(tb, 3)
	c.close(tb)
}

// What was accepted by the environment counts as by the flag.
func TestTrustRisksAccepted(t *testing.T) {
	s := newPlainScene(t)
	t.Setenv("SOCKACCEL_ACCEPT_RISK", testkit.AcceptAll)
	s.tool.MustRun(t, "enable", "--cgroup", s.cg.Path)
	st := s.tool.Status(t)
	if !st.Enabled || strings.Join(st.AcceptedRisks, ",") != "blocking,fionread,splice" {
		t.Errorf("enabled %t, accepted %v", st.Enabled, st.AcceptedRisks)
	}
}
