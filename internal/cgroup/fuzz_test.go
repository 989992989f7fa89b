package cgroup

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/cgroups/v3"
	"github.com/moby/sys/mountinfo"
)

// FuzzMounts reads a mount table and the cgroup file of a process: the cgroup
// that they give is below a mount of the table, and nowhere else.
func FuzzMounts(f *testing.F) {
	const unified = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
	f.Add(unified, "0::/user.slice/a\n", "user.slice")
	f.Add("42 32 0:39 / /sys/fs/cgroup/unified rw - cgroup2 none rw\n33 32 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n",
		"1:name=systemd:/\n0::/a b\n", "/sys/fs/cgroup/cpu/x")
	f.Add("1 2 0:1 /docker/x /mnt\\040y rw - cgroup2 none rw\n", "0::/docker/x/y/../..\n", "../x")
	f.Add("1 2 0:1 /../.. /c rw - cgroup2 none rw\n", "0::/../b\n", "/")
	f.Add("1 2 0:1 / / rw - cgroup2 none rw\n", "0::/\n", "")
	f.Fuzz(func(t *testing.T, table, file, arg string) {
		mounts, err := mountinfo.GetMountsFromReader(strings.NewReader(table), nil)
		if err != nil {
			return
		}
		if root, ok := pickRoot(mounts, func(string) (uint64, bool) { return rootIno, true }); ok {
			if path := locate(root, arg); path != filepath.Clean(path) {
				t.Errorf("locate(%q, %q) = %q, which is not clean", root, arg, path)
			}
		}
		for _, m := range mounts {
			if v1Name(m.VFSOptions) == "" {
				t.Errorf("no name for %q", m.VFSOptions)
			}
		}
		_, group, err := cgroups.ParseCgroupFromReaderUnified(strings.NewReader(file))
		if err != nil {
			return
		}
		for _, m := range mounts {
			if !filepath.IsAbs(m.Mountpoint) || m.Mountpoint != filepath.Clean(m.Mountpoint) {
				continue // the kernel writes no such table
			}
			if path, ok := underMount(m, group); ok && !below(path, m.Mountpoint) {
				t.Errorf("%q of a mount of %q at %q is %q", group, m.Root, m.Mountpoint, path)
			}
			if m := mountOf(mounts, m.Mountpoint); m == nil {
				t.Error("a mount point that no mount holds")
			}
		}
	})
}

// FuzzPIDs reads cgroup.procs.
func FuzzPIDs(f *testing.F) {
	f.Add([]byte("1\n0\n4194304\n"))
	f.Add([]byte("12"))
	f.Add([]byte("99999999999999999999\n7 8\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		pids := sortUnique(appendPIDs(nil, text))
		if len(pids) > 0 && pids[0] <= 0 || !slices.IsSorted(pids) {
			t.Errorf("%q gives %v", text, pids)
		}
	})
}
