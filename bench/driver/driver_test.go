package driver

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(harnessEnv); dir != "" {
		harness(dir)
	}
	testkit.Main(m)
}

// require skips the test where the program is not installed.
func require(t *testing.T, name string) Program {
	t.Helper()
	p, err := Find(name)
	if err != nil {
		t.Skip(err)
	}
	return p
}

// options returns those of a server, whose processes have to be gone in the
// end.
func options(t *testing.T, name string) Options {
	t.Helper()
	o := Options{Program: require(t, name), Dir: t.TempDir()}
	t.Cleanup(func() { nothingLeft(t, o.Dir) })
	return o
}

// nothingLeft fails the test if there is a child of ours, or a process that
// works in the directory, such as a worker whose master is gone.
func nothingLeft(t *testing.T, dir string) {
	t.Helper()
	// Whoever has been killed together with its parent may take a moment.
	deadline := time.Now().Add(10 * time.Second)
	left := leftIn(t, dir)
	for len(left) > 0 && time.Now().Before(deadline) {
		_, _ = unix.Poll(nil, 5)
		left = leftIn(t, dir)
	}
	for _, stat := range left {
		t.Errorf("left behind: %s", stat)
	}
}

func leftIn(t *testing.T, dir string) (left []string) {
	t.Helper()
	procs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	for _, proc := range procs {
		text, _ := os.ReadFile(proc + "/stat")
		stat := strings.TrimSpace(string(text))
		// pid (name) state parent ...; the name may contain anything.
		fields := strings.Fields(stat[strings.LastIndex(stat, ")")+1:])
		cwd, _ := os.Readlink(proc + "/cwd")
		ours := len(fields) > 1 && fields[1] == strconv.Itoa(os.Getpid())
		if ours || dir != "" && strings.HasPrefix(cwd, dir+"/") {
			left = append(left, stat)
		}
	}
	return left
}

func TestFind(t *testing.T) {
	for name, known := range programs {
		p, err := Find(name)
		switch {
		case err != nil:
			want := name + " not found: apt-get install " + known.pkg + ", or scripts/setup bench"
			if err.Error() != want {
				t.Errorf("got %q, want %q", err, want)
			}
		case p.Name != name || !filepath.IsAbs(p.Path) || p.Version == "":
			t.Errorf("%s: got %+v", name, p)
		}
	}
	t.Setenv("PATH", t.TempDir())
	sbin = nil
	defer func() { sbin = []string{"/usr/sbin", "/usr/local/sbin"} }()
	if _, err := Find(NameRedisBenchmark); err == nil || err.Error() != "redis-benchmark not found: apt-get install redis-tools, or scripts/setup bench" {
		t.Errorf("got %v", err)
	}
}

func TestVersion(t *testing.T) {
	for said, want := range map[string]string{
		"nginx version: nginx/1.22.1\n":                                            "1.22.1",
		"nginx version: nginx/1.24.0 (Ubuntu)\n":                                   "1.24.0",
		"wrk debian/4.1.0-3+b2 [epoll] Copyright (C) 2012 Will Glozer\n":           "4.1.0-3+b2",
		"Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64\n":     "7.0.15",
		"redis-benchmark 7.0.15\n":                                                 "7.0.15",
		"wrk a211dd5 [epoll] Copyright (C) 2012 Will Glozer\nUsage: wrk <options>": "unknown",
	} {
		if got := version(said); got != want {
			t.Errorf("%q: got %q, want %q", said, got, want)
		}
	}
}
