package cgroup

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

func requireRoot(tb testing.TB) string {
	tb.Helper()
	root, err := FindRoot()
	if errors.Is(err, ErrNotMounted) {
		tb.Skip("this host has no cgroup v2: ", err)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return root
}

// requireCgroup makes a cgroup of the test's own. Nothing is attached to it.
func requireCgroup(tb testing.TB) (root, dir string) {
	tb.Helper()
	root = requireRoot(tb)
	dir, err := os.MkdirTemp(root, "sockaccel-test-*")
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EROFS) {
		tb.Skip("may not create a cgroup (run as root): ", err)
	}
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { rmdir(tb, dir) })
	return root, dir
}

func mkdir(tb testing.TB, dir string) string {
	tb.Helper()
	if err := os.Mkdir(dir, 0o755); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { rmdir(tb, dir) })
	return dir
}

func rmdir(tb testing.TB, dir string) {
	if err := unix.Rmdir(dir); err != nil && !errors.Is(err, unix.ENOENT) {
		tb.Errorf("rmdir %s: %v", dir, err)
	}
}

// startIn starts a process in a cgroup and returns its pid.
func startIn(tb testing.TB, dir string, cloneflags uintptr) int {
	tb.Helper()
	d, err := os.Open(dir)
	if err != nil {
		tb.Fatal(err)
	}
	defer d.Close()
	cmd := exec.Command("cat") // ends with us at the latest: its stdin closes
	stdin, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(d.Fd()), Cloneflags: cloneflags}
	if err := cmd.Start(); err != nil {
		if cloneflags != 0 && errors.Is(err, fs.ErrPermission) {
			tb.Skip("may not create a namespace (needs CAP_SYS_ADMIN): ", err)
		}
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		stdin.Close()
		_ = cmd.Wait()
	})
	return cmd.Process.Pid
}

func ownNetNS(tb testing.TB) uint64 {
	tb.Helper()
	link, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		tb.Fatal(err)
	}
	ns, ok := parseNS([]byte(link))
	if !ok {
		tb.Fatalf("unexpected %q", link)
	}
	return ns
}

func TestFindRoot(t *testing.T) {
	root := requireRoot(t)
	if _, err := os.Stat(filepath.Join(root, "cgroup.procs")); err != nil {
		t.Error(err)
	}
}

func TestResolve(t *testing.T) {
	root := requireRoot(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, arg := range []string{"", "/", ".", root, root + "/"} {
		cg, err := Resolve(root, arg)
		if err != nil {
			t.Errorf("Resolve(%q): %v", arg, err)
			continue
		}
		if cg.Path != root || cg.Name == "" || cg.ID == 0 || !cg.Exists() {
			t.Errorf("Resolve(%q) = %+v", arg, cg)
		}
	}
	for _, tt := range []struct{ name, arg, want string }{
		{"missing", "no/such", "cgroup no/such: no such directory: name a directory below " + root},
		{"missing absolute", "/no/such", "cgroup /no/such: no such directory: name a directory below " + root},
		{"control file", "cgroup.procs", "cgroup cgroup.procs: not a directory: name a directory below " + root},
		{"file", file, "cgroup " + file + ": not a directory: name a directory below " + root},
		{"other filesystem", "/proc", "cgroup /proc: not on a cgroup v2 filesystem: name a directory below " + root},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Resolve(root, tt.arg)
			if err == nil || err.Error() != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
			if got, want := errors.Is(err, ErrNotExist), strings.HasPrefix(tt.name, "missing"); got != want {
				t.Errorf("errors.Is(err, ErrNotExist) = %v", got)
			}
		})
	}
}

func TestResolveV1(t *testing.T) {
	root := requireRoot(t)
	mounts, err := mountinfo.GetMounts(mountinfo.FSTypeFilter("cgroup"))
	if err != nil {
		t.Fatal(err)
	}
	if len(mounts) == 0 {
		t.Skip("this host has no cgroup v1 hierarchy")
	}
	m := mounts[0]
	_, err = Resolve(root, m.Mountpoint)
	if err == nil || !strings.Contains(err.Error(), `cgroup v1 hierarchy "`+v1Name(m.VFSOptions)+`"`) {
		t.Errorf("Resolve(%s): %v", m.Mountpoint, err)
	}
}

func TestResolveOwn(t *testing.T) {
	root, dir := requireCgroup(t)
	base := filepath.Base(dir)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	var first Cgroup
	for i, arg := range []string{base, dir, link} {
		cg, err := Resolve(root, arg)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = cg
		}
		if cg.Name != arg || cg.Path != dir || cg.ID != first.ID || !cg.Exists() {
			t.Errorf("Resolve(%q) = %+v", arg, cg)
		}
	}

	_, err := Resolve(root, "/"+base)
	if err == nil || !strings.HasSuffix(err.Error(), "did you mean "+dir+"?") {
		t.Errorf("no hint for a path from /proc/PID/cgroup: %v", err)
	}

	if err := unix.Rmdir(dir); err != nil {
		t.Fatal(err)
	}
	if first.Exists() {
		t.Error("removed cgroup exists")
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if first.Exists() {
		t.Error("cgroup made again under the same name is taken for the old one")
	}
}

func TestProcs(t *testing.T) {
	root, dir := requireCgroup(t)
	child := mkdir(t, filepath.Join(dir, "a"))
	grandchild := mkdir(t, filepath.Join(child, "b"))
	mkdir(t, filepath.Join(dir, "empty"))
	p1 := startIn(t, child, 0)
	p2 := startIn(t, grandchild, 0)

	for _, tt := range []struct {
		path string
		want []int
	}{
		{dir, []int{min(p1, p2), max(p1, p2)}},
		{grandchild, []int{p2}},
		{filepath.Join(dir, "empty"), nil},
		{filepath.Join(dir, "gone"), nil},
	} {
		got, err := Procs(tt.path)
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("Procs(%s) = %v, %v; want %v", tt.path, got, err, tt.want)
		}
	}

	cg, err := OfPID(root, p2)
	if err != nil || cg.Path != grandchild {
		t.Errorf("OfPID = %+v, %v; want %s", cg, err, grandchild)
	}
	if _, err := OfPID(root, 1<<30); err == nil || !strings.Contains(err.Error(), "no such process") {
		t.Errorf("OfPID of no process: %v", err)
	}
}

// A threaded cgroup refuses to list processes; its threads' ones count.
func TestProcsThreaded(t *testing.T) {
	_, dir := requireCgroup(t)
	child := mkdir(t, filepath.Join(dir, "t"))
	if err := os.WriteFile(filepath.Join(child, "cgroup.type"), []byte("threaded"), 0); err != nil {
		t.Fatal(err)
	}
	pid := startIn(t, child, 0)
	for _, path := range []string{dir, child} {
		got, err := Procs(path)
		if err != nil || !slices.Equal(got, []int{pid}) {
			t.Errorf("Procs(%s) = %v, %v; want %d", path, got, err, pid)
		}
	}
}

// Cgroups come and go while the tree is read; that is no error.
func TestProcsChurn(t *testing.T) {
	_, dir := requireCgroup(t)
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for sub := filepath.Join(dir, "churn"); ; {
			_ = os.Mkdir(sub, 0o755)
			_ = unix.Rmdir(sub)
			select {
			case <-done:
				return
			default:
			}
		}
	}()
	for range 2000 {
		if _, err := Procs(dir); err != nil {
			t.Error(err)
			break
		}
	}
	close(done)
	<-stopped
}

func TestNetNamespaces(t *testing.T) {
	_, dir := requireCgroup(t)
	own := ownNetNS(t)
	child := mkdir(t, filepath.Join(dir, "a"))
	first := startIn(t, dir, 0)
	startIn(t, child, 0)

	got, err := NetNamespaces([]string{dir, child})
	if want := map[uint64]int{own: first}; err != nil || !maps.Equal(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}

	other := startIn(t, child, unix.CLONE_NEWNET)
	got, err = NetNamespaces([]string{child, dir})
	if err != nil || len(got) != 2 || got[own] != first {
		t.Fatalf("got %v, %v; want two namespaces", got, err)
	}
	delete(got, own)
	for _, pid := range got {
		if pid != other {
			t.Errorf("other namespace is represented by %d, want %d", pid, other)
		}
	}

	got, err = NetNamespaces(nil)
	if err != nil || got == nil || len(got) != 0 {
		t.Errorf("no paths: got %v, %v; want an empty map", got, err)
	}
}

// What NetNamespaces finds holds even when a process refuses.
func TestNetNamespacesRoot(t *testing.T) {
	got, err := NetNamespaces([]string{requireRoot(t)})
	if err != nil && !errors.Is(err, ErrDenied) {
		t.Fatal(err)
	}
	if got[ownNetNS(t)] == 0 {
		t.Errorf("our own namespace is not among %v (%v)", got, err)
	}
}

func BenchmarkNetNamespacesRoot(b *testing.B) {
	root := requireRoot(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := NetNamespaces([]string{root}); err != nil && !errors.Is(err, ErrDenied) {
			b.Fatal(err)
		}
	}
}
