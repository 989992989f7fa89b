package state_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

// processes returns the pids whose command line names the state directory:
// sidecar, supervisor, tool.
func processes(tb testing.TB, dir string) (pids []int) {
	tb.Helper()
	entries, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		tb.Fatal(err)
	}
	for _, path := range entries {
		cmdline, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		for _, arg := range bytes.Split(cmdline, []byte{0}) {
			if string(arg) == dir {
				pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// instance is what an enabled instance has in the kernel, held open.
type instance struct {
	socks, pairs *ebpf.Map
	programs     map[ebpf.ProgramID]string
	maps         map[ebpf.MapID]string
}

// hold opens the maps of an instance, which stay usable after disable.
func hold(tb testing.TB, tool *testkit.Tool) *instance {
	tb.Helper()
	in := &instance{programs: map[ebpf.ProgramID]string{}, maps: map[ebpf.MapID]string{}}
	for name, place := range map[string]**ebpf.Map{"socks": &in.socks, "pairs": &in.pairs} {
		m, err := ebpf.LoadPinnedMap(filepath.Join(tool.StateDir, "maps", name), nil)
		if err != nil {
			tb.Fatal(err)
		}
		*place = m
	}
	for _, path := range pins(tb, filepath.Join(tool.StateDir, "progs")) {
		p, err := ebpf.LoadPinnedProgram(path, nil)
		if err != nil {
			tb.Fatal(err)
		}
		in.programs[programID(tb, p)] = filepath.Base(path)
		p.Close()
	}
	for _, path := range pins(tb, filepath.Join(tool.StateDir, "maps")) {
		m, err := ebpf.LoadPinnedMap(path, nil)
		if err != nil {
			tb.Fatal(err)
		}
		info, err := m.Info()
		if err != nil {
			tb.Fatal(err)
		}
		id, _ := info.ID()
		in.maps[id] = filepath.Base(path)
		m.Close()
	}
	if len(in.programs) < 5 || len(in.maps) < 5 {
		tb.Fatalf("an instance of %d programs and %d maps?", len(in.programs), len(in.maps))
	}
	return in
}

func programID(tb testing.TB, p *ebpf.Program) ebpf.ProgramID {
	tb.Helper()
	info, err := p.Info()
	if err != nil {
		tb.Fatal(err)
	}
	id, ok := info.ID()
	if !ok {
		tb.Fatal("a program without an id")
	}
	return id
}

func pins(tb testing.TB, dir string) []string {
	tb.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		tb.Fatal(err)
	}
	return paths
}

// sockets counts the sockets in the sockhash.
func (in *instance) sockets(tb testing.TB) (n int) {
	tb.Helper()
	// The values of a sockhash cannot be read, its keys can.
	var key, next uint64
	err := in.socks.NextKey(nil, &next)
	for ; err == nil; err = in.socks.NextKey(key, &next) {
		key = next
		n++
	}
	if !errors.Is(err, ebpf.ErrKeyNotExist) {
		tb.Fatal(err)
	}
	return n
}

// close lets go, after which nothing may be left in the kernel. Ids are never
// used again, so one that is there is ours. Freeing is deferred.
func (in *instance) close(tb testing.TB) {
	tb.Helper()
	in.socks.Close()
	in.pairs.Close()
	deadline := time.Now().Add(20 * time.Second)
	for {
		left := in.alive()
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			tb.Errorf("still in the kernel: %q", left)
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// alive asks for ids only: opening a program array whose last user has just
// gone, and closing it again, makes the kernel forget to free it.
func (in *instance) alive() (names []string) {
	for id, name := range in.programs {
		if next, err := ebpf.ProgramGetNextID(id - 1); err == nil && next == id {
			names = append(names, "program "+name)
		}
	}
	for id, name := range in.maps {
		if next, err := ebpf.MapGetNextID(id - 1); err == nil && next == id {
			names = append(names, "map "+name)
		}
	}
	return names
}

// requireNothing fails the test when anything of an instance is pinned or runs.
func requireNothing(tb testing.TB, tool *testkit.Tool) {
	tb.Helper()
	for _, path := range ours(tb, tool) {
		tb.Errorf("left behind: %s", path)
	}
	// One that has given up its role may need a moment to exit.
	deadline := time.Now().Add(2 * time.Second)
	for {
		pids := processes(tb, tool.StateDir)
		if len(pids) == 0 {
			return
		}
		if time.Now().After(deadline) {
			tb.Errorf("still running: %v", pids)
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// ours is the state directory and everything beside it that is named after it.
func ours(tb testing.TB, tool *testkit.Tool) []string {
	tb.Helper()
	exact, err := filepath.Glob(tool.StateDir)
	if err != nil {
		tb.Fatal(err)
	}
	beside, err := filepath.Glob(tool.StateDir + "-[a-z]*")
	if err != nil {
		tb.Fatal(err)
	}
	return append(exact, beside...)
}
