package cgroup

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/containerd/cgroups/v3"
	"github.com/moby/sys/mountinfo"
)

// OfPID returns the cgroup v2 that process pid is in, as seen below root, the
// result of FindRoot. Its Name is the path below the root.
//
// containerd's cgroups.ParseCgroupFileUnified is used rather than its
// cgroup2.PidGroupPath, which does the same but links D-Bus and protobuf.
func OfPID(root string, pid int) (Cgroup, error) {
	_, group, err := cgroups.ParseCgroupFileUnified("/proc/" + strconv.Itoa(pid) + "/cgroup")
	if isGone(err) {
		return Cgroup{}, fmt.Errorf("process %d: no such process", pid)
	}
	if err != nil {
		return Cgroup{}, fmt.Errorf("read cgroup of process %d: %v", pid, err)
	}
	mounts, err := mountinfo.GetMounts(mountinfo.FSTypeFilter("cgroup2"))
	if err != nil {
		return Cgroup{}, fmt.Errorf("read mount table: %v", err)
	}
	m := mountOf(mounts, root)
	if m == nil {
		return Cgroup{}, ErrNotMounted
	}
	path, ok := underMount(m, group)
	if !ok {
		return Cgroup{}, fmt.Errorf("process %d: its cgroup %q is not below %s: run in the host's cgroup namespace or use --cgroup",
			pid, group, m.Mountpoint)
	}
	cg, err := Resolve(m.Mountpoint, path)
	if err != nil {
		return Cgroup{}, fmt.Errorf("process %d: %w", pid, err)
	}
	cg.Name = group
	return cg, nil
}

// underMount turns a path of /proc/PID/cgroup into one of the file system.
// Both it and the mount's root are relative to our cgroup namespace; what lies
// above that ("/..") has no names here, so it cannot be mapped.
func underMount(m *mountinfo.Info, group string) (string, bool) {
	if !filepath.IsAbs(group) || group != filepath.Clean(group) || !below(group, m.Root) {
		return "", false
	}
	return filepath.Join(m.Mountpoint, strings.TrimPrefix(group, m.Root)), true
}
