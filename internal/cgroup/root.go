// Package cgroup finds cgroup v2 directories and what runs in them. It only
// reads: it never creates, changes or attaches to a cgroup.
package cgroup

import (
	"fmt"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"github.com/sockaccel/sockaccel/internal/remedy"
)

// ErrNotMounted says that this mount namespace has no cgroup v2 hierarchy.
var ErrNotMounted = remedy.New("no cgroup v2 hierarchy is mounted", "mount -t cgroup2 none /sys/fs/cgroup/unified")

// rootIno is the inode (and kernfs id) of the root of the cgroup v2
// hierarchy. There is one hierarchy per kernel, so every mount that shows this
// inode shows all of it.
const rootIno = 1

// FindRoot returns the mount point of the cgroup v2 hierarchy, for hybrid
// hosts too, where it is not /sys/fs/cgroup. Of several mounts, one that shows
// the whole hierarchy is preferred. It returns ErrNotMounted when there is none.
//
// The mount table is read with moby/sys/mountinfo, which knows its escapes and
// optional fields. cgroups.Mode() of containerd/cgroups/v3 would not do: it
// tests two fixed paths, so it misses other mount points and takes a bind
// mount of one container's cgroup for the root.
func FindRoot() (string, error) {
	mounts, err := mountinfo.GetMounts(mountinfo.FSTypeFilter("cgroup2"))
	if err != nil {
		return "", fmt.Errorf("read mount table: %v", err)
	}
	root, ok := pickRoot(mounts, rootInode)
	if !ok {
		return "", ErrNotMounted
	}
	return root, nil
}

// pickRoot chooses among cgroup2 mounts: first one whose top is the root of
// the hierarchy, then one mounted from the root of our cgroup namespace, then
// any. The inode counts for more than the table's root field because in a
// container that field is relative to the cgroup namespace: "/" may be the
// container's own cgroup, "/../.." the host's root.
func pickRoot(mounts []*mountinfo.Info, inode func(string) (uint64, bool)) (string, bool) {
	best, bestRank := "", 0
	for _, m := range mounts {
		ino, ok := inode(m.Mountpoint)
		if !ok {
			continue
		}
		rank := 1
		switch {
		case ino == rootIno:
			rank = 3
		case m.Root == "/":
			rank = 2
		}
		// Equal rank: the earlier one, which is the system's own mount.
		if rank > bestRank {
			best, bestRank = m.Mountpoint, rank
		}
	}
	return best, bestRank > 0
}

// rootInode returns the inode at a mount point, false when something else
// covers the mount or it cannot be reached.
func rootInode(mountpoint string) (uint64, bool) {
	st, fs, err := statDir(mountpoint)
	if err != nil || fs != unix.CGROUP2_SUPER_MAGIC {
		return 0, false
	}
	return st.Ino, true
}

// statDir returns stat and filesystem type of a directory through one
// descriptor, so that both speak of the same directory.
func statDir(path string) (st unix.Stat_t, fsType int64, err error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return st, 0, err
	}
	defer unix.Close(fd)
	if err := unix.Fstat(fd, &st); err != nil {
		return st, 0, err
	}
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil {
		return st, 0, err
	}
	return st, int64(fs.Type), nil //nolint:unconvert // int32 on some architectures
}

// mountOf returns the mount that holds path: the longest mount point, and of
// equal ones the last, which covers the others.
func mountOf(mounts []*mountinfo.Info, path string) *mountinfo.Info {
	var best *mountinfo.Info
	for _, m := range mounts {
		if below(path, m.Mountpoint) && (best == nil || len(m.Mountpoint) >= len(best.Mountpoint)) {
			best = m
		}
	}
	return best
}

// below says whether path is dir or lies below it; both must be clean.
func below(path, dir string) bool {
	return dir == "/" || path == dir || strings.HasPrefix(path, dir+"/")
}
