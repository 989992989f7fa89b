package soak_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

// remains is everything that the instance has had pinned, by id: ids are never
// used again, so one that is still there is ours.
type remains struct {
	tool     *testkit.Tool
	programs map[ebpf.ProgramID]string
	maps     map[ebpf.MapID]string
	links    map[link.ID]string
}

func newRemains(tool *testkit.Tool) *remains {
	return &remains{tool, map[ebpf.ProgramID]string{}, map[ebpf.MapID]string{}, map[link.ID]string{}}
}

// note remembers what is pinned now, drafts included. Nobody changes it meanwhile
// but the sidecar, which may unpin the links of a cgroup that is gone.
func (r *remains) note(tb testing.TB) {
	tb.Helper()
	for _, dir := range []string{r.tool.StateDir, r.tool.StateDir + "-new"} {
		for _, path := range glob(tb, dir, "progs/*") {
			if p, err := ebpf.LoadPinnedProgram(path, nil); err == nil {
				if info, err := p.Info(); err == nil {
					id, _ := info.ID()
					r.programs[id] = filepath.Base(path)
				}
				p.Close()
			}
		}
		for _, path := range append(glob(tb, dir, "maps/*"), glob(tb, dir, "[mp]??[as]")...) {
			if m, err := ebpf.LoadPinnedMap(path, nil); err == nil {
				if info, err := m.Info(); err == nil {
					id, _ := info.ID()
					r.maps[id] = filepath.Base(path)
				}
				m.Close()
			}
		}
		for _, path := range glob(tb, dir, "links/*") {
			if l, err := link.LoadPinnedLink(path, nil); err == nil {
				if info, err := l.Info(); err == nil {
					r.links[info.ID] = filepath.Base(path)
				}
				l.Close()
			}
		}
	}
}

func glob(tb testing.TB, dir, pattern string) []string {
	tb.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		tb.Fatal(err)
	}
	return paths
}

// alive is what is left. It asks for ids only: opening a program array whose
// last user has just gone, and closing it again, makes the kernel forget to
// free it.
func (r *remains) alive() (left []string) {
	for id, name := range r.programs {
		if next, err := ebpf.ProgramGetNextID(id - 1); err == nil && next == id {
			left = append(left, fmt.Sprintf("program %d %s", id, name))
		}
	}
	for id, name := range r.maps {
		if next, err := ebpf.MapGetNextID(id - 1); err == nil && next == id {
			left = append(left, fmt.Sprintf("map %d %s", id, name))
		}
	}
	for it := new(link.Iterator); it.Next(); {
		if name, ok := r.links[it.ID]; ok {
			left = append(left, fmt.Sprintf("link %d %s", it.ID, name))
		}
		it.Link.Close()
	}
	return append(left, r.beside()...)
}

// beside is what is in the file system, and the processes that name it.
func (r *remains) beside() (left []string) {
	paths, _ := filepath.Glob(r.tool.StateDir + "*")
	for _, path := range paths {
		if rest := strings.TrimPrefix(path, r.tool.StateDir); rest == "" || rest[0] == '-' {
			left = append(left, path)
		}
	}
	cmdlines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range cmdlines {
		if text, err := os.ReadFile(path); err == nil && strings.Contains("\x00"+string(text), "\x00"+r.tool.StateDir+"\x00") {
			left = append(left, path+" "+strings.ReplaceAll(string(text), "\x00", " "))
		}
	}
	return left
}

// requireNone fails the test for what is left; freeing is deferred.
func (r *remains) requireNone(tb testing.TB) {
	tb.Helper()
	if len(r.programs) < 10 || len(r.maps) < 10 || len(r.links) < 3 {
		tb.Errorf("only %d programs, %d maps, %d links were ever seen", len(r.programs), len(r.maps), len(r.links))
	}
	deadline := time.Now().Add(stall)
	for left := r.alive(); len(left) > 0; left = r.alive() {
		if time.Now().After(deadline) {
			tb.Errorf("left behind: %q", left)
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	tb.Logf("gone: %d programs, %d maps, %d links", len(r.programs), len(r.maps), len(r.links))
}
