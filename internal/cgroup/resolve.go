package cgroup

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// ErrNotExist is wrapped by the error of Resolve for a cgroup that does not
// exist, which a caller that only wants to leave a cgroup may ignore.
var ErrNotExist = errors.New("no such directory")

// Cgroup is a cgroup v2 directory as it was when it was resolved.
type Cgroup struct {
	// Name is what the user called it, "/" for the root.
	Name string
	// Path is the absolute path of the directory, without symbolic links.
	Path string
	// ID is the kernfs id, what bpf_get_current_cgroup_id and
	// bpf_sk_cgroup_id return. On 64-bit kernels it is the directory's inode.
	ID uint64
}

// Resolve finds the cgroup that arg names: an absolute path on any cgroup v2
// mount, or a path relative to root, the result of FindRoot. "" and "/" name
// the root. The error wraps ErrNotExist when there is no such directory.
func Resolve(root, arg string) (Cgroup, error) {
	name := arg
	if name == "" {
		name = "/"
	}
	path := locate(root, arg)
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	} // else the open below names the reason
	st, fs, err := statDir(path)
	switch {
	case errors.Is(err, unix.ENOENT):
		return Cgroup{}, fmt.Errorf("cgroup %s: %w: %s", name, ErrNotExist, hint(root, name))
	case errors.Is(err, unix.ENOTDIR):
		return Cgroup{}, fmt.Errorf("cgroup %s: not a directory: name a directory below %s", name, root)
	case err != nil:
		return Cgroup{}, fmt.Errorf("open cgroup %s: %v", name, err)
	case fs == unix.CGROUP2_SUPER_MAGIC:
		return Cgroup{Name: name, Path: path, ID: st.Ino}, nil
	case fs == unix.CGROUP_SUPER_MAGIC:
		return Cgroup{}, fmt.Errorf("cgroup %s: belongs to the cgroup v1 hierarchy %q: name a directory below %s",
			name, v1Hierarchy(path), root)
	}
	return Cgroup{}, fmt.Errorf("cgroup %s: not on a cgroup v2 filesystem: name a directory below %s", name, root)
}

// Exists says whether the very same cgroup is still there. A cgroup that was
// removed and made again under the same name is another one.
func (c Cgroup) Exists() bool {
	st, fs, err := statDir(c.Path)
	return err == nil && fs == unix.CGROUP2_SUPER_MAGIC && st.Ino == c.ID
}

// locate makes arg an absolute, clean path.
func locate(root, arg string) string {
	switch {
	case arg == "" || arg == "/":
		return filepath.Clean(root)
	case filepath.IsAbs(arg):
		return filepath.Clean(arg)
	}
	return filepath.Join(root, arg)
}

// hint says what to do about a missing cgroup. Names copied from
// /proc/PID/cgroup or from systemd start with "/" but are relative to the root.
func hint(root, name string) string {
	if filepath.IsAbs(name) && !below(filepath.Clean(name), root) {
		path := filepath.Join(root, name)
		if _, _, err := statDir(path); err == nil {
			return "did you mean " + path + "?"
		}
	}
	return "name a directory below " + root
}

// v1Hierarchy names the cgroup v1 hierarchy that holds path, by its
// controllers or its name= option, as in "cpu,cpuacct" or "name=systemd".
func v1Hierarchy(path string) string {
	mounts, err := mountinfo.GetMounts(mountinfo.ParentsFilter(path))
	if err != nil {
		return "unknown"
	}
	m := mountOf(mounts, path)
	if m == nil {
		return "unknown"
	}
	return v1Name(m.VFSOptions)
}

// v1Name keeps of a cgroup v1 superblock's options those that name it.
func v1Name(options string) string {
	var names []string
	for opt := range strings.SplitSeq(options, ",") {
		switch key, _, _ := strings.Cut(opt, "="); key {
		case "", "rw", "ro", "seclabel", "noprefix", "xattr", "clone_children",
			"cpuset_v2_mode", "release_agent", "favordynmods", "nofavordynmods":
		default:
			names = append(names, opt)
		}
	}
	if len(names) == 0 {
		return "unknown"
	}
	return strings.Join(names, ",")
}
