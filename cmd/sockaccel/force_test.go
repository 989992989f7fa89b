package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cilium/ebpf"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

// editMeta changes what a state remembers.
func editMeta(tb testing.TB, tool *testkit.Tool, change func(map[string]any)) {
	tb.Helper()
	m, err := ebpf.LoadPinnedMap(filepath.Join(tool.StateDir, "meta"), nil)
	if err != nil {
		tb.Fatal(err)
	}
	defer m.Close()
	value := make([]byte, m.ValueSize())
	if err := m.Lookup(uint32(0), value); err != nil {
		tb.Fatal(err)
	}
	meta := map[string]any{}
	if err := json.Unmarshal([]byte(strings.TrimRight(string(value), "\x00")), &meta); err != nil {
		tb.Fatal(err)
	}
	change(meta)
	text, err := json.Marshal(meta)
	if err != nil {
		tb.Fatal(err)
	}
	clear(value)
	copy(value, text)
	if err := m.Put(uint32(0), value); err != nil {
		tb.Fatal(err)
	}
}

// tree is everything in the state directory.
func tree(tb testing.TB, dir string) string {
	tb.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		found = append(found, path)
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return strings.Join(found, "\n")
}

// A state of a version that is not understood is not touched by anything, until
// --force gives it up.
func TestIncompatibleVersion(t *testing.T) {
	tool, cg := testkit.NewTool(t), testkit.NewCgroup(t)
	tool.Enable(t, cg, "--exclude-port", "9")
	st := tool.Status(t)
	newer := func(meta map[string]any) { meta["format"], meta["version"] = 999, "v9.9" }
	editMeta(t, tool, newer)
	before := tree(t, tool.StateDir)
	refusals := func() {
		t.Helper()
		for _, args := range [][]string{
			{"enable", "--accept-risk", testkit.AcceptAll, "--cgroup", cg.Path},
			{"run", "--accept-risk", testkit.AcceptAll, "--cgroup", cg.Path},
			{"upgrade"}, {"disable"}, {"status"}, {"status", "--json"},
		} {
			run(t, tool, args...).refused(t, 1, "incompatible version", "v9.9", "sockaccel disable --force")
		}
		if after := tree(t, tool.StateDir); after != before {
			t.Errorf("before:\n%s\nafter:\n%s", before, after)
		}
	}
	refusals()
	if _, err := os.Stat(fmt.Sprintf("/proc/%d", st.Sidecar.PID)); err != nil {
		t.Errorf("its sidecar was ended: %v", err)
	}

	// A setting that is not understood cannot be taken over.
	editMeta(t, tool, func(meta map[string]any) { meta["only_on_sundays"] = true })
	run(t, tool, "upgrade", "--force").refused(t, 1, "only_on_sundays", "sockaccel disable --force")
	refusals()

	editMeta(t, tool, func(meta map[string]any) { delete(meta, "only_on_sundays") })
	if r := run(t, tool, "upgrade", "--force"); r.code != 0 || !strings.Contains(r.stderr, "gave up the state of v9.9") {
		t.Errorf("upgrade --force: %+v", r)
	}
	now := tool.Status(t)
	if !now.Enabled || len(now.Scopes) != 1 || now.Scopes[0] != st.Scopes[0] || len(now.Filters.ExcludePorts) != 1 ||
		now.Sidecar.PID == st.Sidecar.PID {
		t.Errorf("before: %+v, after: %+v", st, now)
	}

	editMeta(t, tool, newer)
	if r := run(t, tool, "disable", "--force"); r.code != 0 || !strings.Contains(r.stderr, "v9.9") || !strings.HasSuffix(r.stderr, "disabled\n") {
		t.Errorf("disable --force: %+v", r)
	}
	unchanged(t, tool)
	if r := enable(t, tool, cg.Path); r.code != 0 {
		t.Errorf("enable after it: %+v", r)
	}
}

// A state of which something is missing is no other case; --force does not make
// what is whole anything but what it is.
func TestDamagedState(t *testing.T) {
	tool, cg := testkit.NewTool(t), testkit.NewCgroup(t)
	tool.Enable(t, cg)
	if err := os.Remove(filepath.Join(tool.StateDir, "progs/sockaccel_sweep")); err != nil {
		t.Fatal(err)
	}
	run(t, tool, "disable").refused(t, 1, "damaged", "sockaccel_sweep", "sockaccel disable --force")
	if r := run(t, tool, "disable", "--force"); r.code != 0 {
		t.Errorf("disable --force: %+v", r)
	}
	unchanged(t, tool)
	tool.Enable(t, cg)
	if r := run(t, tool, "disable", "--force"); r.code != 0 || r.stderr != "disabled\n" {
		t.Errorf("disable --force of what needs none: %+v", r)
	}
	unchanged(t, tool)
	if r := run(t, tool, "disable", "--force"); r.code != 0 || r.stderr != "not enabled\n" {
		t.Errorf("disable --force of nothing: %+v", r)
	}
}

// Force is no way to what is somebody else's.
func TestForceForeign(t *testing.T) {
	tool := testkit.NewTool(t)
	if err := os.Mkdir(tool.StateDir, 0o700); err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(tool.StateDir)
	pin := filepath.Join(tool.StateDir, "meta")
	pinMap(t, pin, &ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 64 << 10, MaxEntries: 1}, []byte(strings.Repeat("{", 64<<10)))
	for _, command := range []string{"disable", "upgrade"} {
		run(t, tool, command, "--force").refused(t, 1, tool.StateDir, "belongs to something else")
	}
	if _, err := os.Stat(pin); err != nil {
		t.Error(err)
	}
}
