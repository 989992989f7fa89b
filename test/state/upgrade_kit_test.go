package state_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/sockaccel/sockaccel/internal/status"
	"github.com/sockaccel/sockaccel/internal/testkit"
)

// All tests with load end its streams after disable: where FIONREAD is blind to
// TCP, a reader at a seam that trusts it cannot be woken any more when both ends
// have shut down (docs/known-issues.md).

// next is another version with other programs over the same maps.
var next = other{Version: "next", Variant: "programs"}

// upgradeLoad is one connection of each kind and mode; endless streams would
// take an emulated processor for themselves.
func upgradeLoad(tb testing.TB, s *scene) *load {
	tb.Helper()
	if testkit.InVM() {
		return startLoad(tb, s, 1, 0)
	}
	return startLoad(tb, s, 1, 1)
}

// programs are what is pinned, by name: which instance, and of which bytecode.
type programs struct {
	ids  map[string]ebpf.ProgramID
	tags map[string]string
}

// serves checks that what is enabled is of one version, everywhere: what is
// pinned, what live and new sockets run, every hook, and the sidecar.
func (s *scene) serves(tb testing.TB, version string) programs {
	tb.Helper()
	st := s.tool.Await(tb, stall, "sidecar and supervisor run", func(st *status.Status) bool {
		return st.Sidecar.PID > 0 && st.Sidecar.SupervisorPID > 0
	})
	if st.Version != version || !st.Enabled {
		tb.Errorf("enabled: %t, version %s, want %s", st.Enabled, st.Version, version)
	}
	if path := executable(tb, s.tool); (path == s.tool.Bin) != (version == s.version) {
		tb.Errorf("version %s, and the sidecar is %s", version, path)
	}
	pinned := programs{map[string]ebpf.ProgramID{}, map[string]string{}}
	for _, path := range pins(tb, filepath.Join(s.tool.StateDir, "progs")) {
		p, err := ebpf.LoadPinnedProgram(path, nil)
		if err != nil {
			tb.Fatal(err)
		}
		info, err := p.Info()
		if err != nil {
			tb.Fatal(err)
		}
		name := filepath.Base(path)
		pinned.ids[name], _ = info.ID()
		pinned.tags[name] = info.Tag
		p.Close()
	}
	for what, id := range s.attached(tb) {
		name, _, _ := strings.Cut(what, "-")
		if want := pinned.ids["sockaccel_"+name]; want == 0 || id != want {
			tb.Errorf("%s runs program %d, pinned is %d", what, id, want)
		}
	}
	return pinned
}

// attached are the programs that run, by hook: "sockops-ID", "verdict".
func (s *scene) attached(tb testing.TB) map[string]ebpf.ProgramID {
	tb.Helper()
	found := map[string]ebpf.ProgramID{}
	for _, path := range pins(tb, filepath.Join(s.tool.StateDir, "links")) {
		l, err := link.LoadPinnedLink(path, nil)
		if err != nil {
			tb.Fatal(err)
		}
		info, err := l.Info()
		if err != nil {
			tb.Fatal(err)
		}
		found[filepath.Base(path)] = info.Program
		l.Close()
	}
	verdicts, err := ebpf.LoadPinnedMap(filepath.Join(s.tool.StateDir, "maps/verdicts"), nil)
	if err != nil {
		tb.Fatal(err)
	}
	defer verdicts.Close()
	var id uint32
	if err := verdicts.Lookup(uint32(0), &id); err != nil {
		tb.Fatal(err)
	}
	found["verdict"] = ebpf.ProgramID(id)
	socks, err := ebpf.LoadPinnedMap(filepath.Join(s.tool.StateDir, "maps/socks"), nil)
	if err != nil {
		tb.Fatal(err)
	}
	defer socks.Close()
	result, err := link.QueryPrograms(link.QueryOptions{Target: socks.FD(), Attach: ebpf.AttachSkMsgVerdict})
	if err != nil || len(result.Programs) != 1 {
		tb.Fatalf("programs of the sockhash: %v, %v", result, err)
	}
	found["stub"] = result.Programs[0].ID
	if len(found) < 5 {
		tb.Fatalf("attached is %v only", found)
	}
	return found
}

// replaced checks that every program is another one now, of other bytecode or
// of the same.
func (p programs) replaced(tb testing.TB, before programs, bytecode bool) {
	tb.Helper()
	for name, id := range p.ids {
		if id == before.ids[name] {
			tb.Errorf("%s was not replaced", name)
		}
		if (p.tags[name] != before.tags[name]) != bytecode {
			tb.Errorf("%s has tag %s, and had %s", name, p.tags[name], before.tags[name])
		}
	}
}

// kept checks that no program was replaced.
func (p programs) kept(tb testing.TB, before programs) {
	tb.Helper()
	for name, id := range p.ids {
		if id != before.ids[name] {
			tb.Errorf("%s was replaced", name)
		}
	}
}
