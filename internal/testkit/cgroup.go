package testkit

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

const cgroupPrefix = "sockaccel-test-"

var cgroupCount atomic.Int64

// Cgroup is a private cgroup v2.
type Cgroup struct {
	Path string
	ID   uint64 // as in bpf_get_current_cgroup_id
}

// NewCgroup creates an empty cgroup. Cleanup kills what is in it then, and
// removes it.
func NewCgroup(tb testing.TB) *Cgroup {
	tb.Helper()
	RequireRoot(tb)
	root, err := cgroupRoot()
	if err != nil {
		tb.Fatalf("find cgroup v2: %v", err)
	}
	sweepOnce.Do(func() { sweepCgroups(root) })
	name := fmt.Sprintf("%s%d-%d", cgroupPrefix, os.Getpid(), cgroupCount.Add(1))
	return makeCgroup(tb, filepath.Join(root, name))
}

// Child creates a cgroup below c.
func (c *Cgroup) Child(tb testing.TB, name string) *Cgroup {
	tb.Helper()
	return makeCgroup(tb, filepath.Join(c.Path, name))
}

func makeCgroup(tb testing.TB, path string) *Cgroup {
	tb.Helper()
	if err := os.Mkdir(path, 0o755); err != nil {
		tb.Fatalf("create cgroup: %v", err)
	}
	tb.Cleanup(func() {
		if err := removeCgroup(path); err != nil {
			tb.Errorf("remove cgroup: %v", err)
		}
	})
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		tb.Fatalf("stat cgroup: %v", err)
	}
	return &Cgroup{Path: path, ID: st.Ino}
}

// cgroupRoot returns the mount point of cgroup v2: not always /sys/fs/cgroup,
// in the hybrid layout it is a directory below.
func cgroupRoot() (string, error) {
	mounts, err := mountinfo.GetMounts(mountinfo.FSTypeFilter("cgroup2"))
	if err != nil {
		return "", err
	}
	if len(mounts) == 0 {
		return "", errors.New("no cgroup2 in the mount table")
	}
	return mounts[0].Mountpoint, nil
}

// removeCgroup kills the processes in the cgroup and below, and removes all.
// A cgroup that the test removed itself is fine.
func removeCgroup(path string) error {
	err := os.WriteFile(filepath.Join(path, "cgroup.kill"), []byte("1"), 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	// Killing is asynchronous, and a dying process keeps its cgroup busy.
	deadline := time.Now().Add(10 * time.Second)
	for populated(path) && time.Now().Before(deadline) {
		_, _ = unix.Poll(nil, 5)
	}
	return removeTree(path)
}

func populated(path string) bool {
	events, err := os.ReadFile(filepath.Join(path, "cgroup.events"))
	return err == nil && bytes.Contains(events, []byte("populated 1"))
}

// removeTree removes a cgroup and its children; cgroup files go with their
// directory and can not be removed.
func removeTree(path string) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := removeTree(filepath.Join(path, e.Name())); err != nil {
				return err
			}
		}
	}
	return unix.Rmdir(path)
}

var sweepOnce sync.Once

// sweepCgroups removes what test processes left that were killed before their
// cleanup ran. It kills nothing: agents have died with their parent.
func sweepCgroups(root string) {
	dirs, _ := filepath.Glob(filepath.Join(root, cgroupPrefix+"*"))
	for _, dir := range dirs {
		var pid, n int
		if _, err := fmt.Sscanf(filepath.Base(dir), cgroupPrefix+"%d-%d", &pid, &n); err != nil {
			continue
		}
		if errors.Is(unix.Kill(pid, 0), unix.ESRCH) && !populated(dir) {
			_ = removeTree(dir)
		}
	}
}
