package host

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sockaccel/sockaccel/internal/remedy"
)

// bpffsDir is where the kernel makes a directory for a bpf filesystem.
const bpffsDir = "/sys/fs/bpf"

// EnsureBPFFS sees to it that dir, which need not exist yet, is on a bpf
// filesystem. When it is at or below /sys/fs/bpf and nothing is mounted there,
// it mounts one (mode 0700, in this mount namespace) and returns true. It does
// not create dir.
func EnsureBPFFS(dir string) (mounted bool, err error) {
	return ensureBPFFS(bpffsDir, dir, mountOnce)
}

func ensureBPFFS(base, dir string, mount func(base string) (bool, error)) (bool, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return false, fmt.Errorf("state dir %s: %v", dir, err)
	}
	existing, err := nearest(abs)
	if err != nil {
		return false, fmt.Errorf("state dir %s: %v", dir, err)
	}
	fs, err := fsType(existing)
	if err != nil {
		return false, fmt.Errorf("state dir %s: %v", dir, err)
	}
	if fs == unix.BPF_FS_MAGIC {
		return false, nil
	}
	if existing != base || !below(abs, base) {
		return false, remedy.New(fmt.Sprintf("state dir %s is not on a bpf filesystem", dir),
			fmt.Sprintf("use a directory below %s or mount one: mount -t bpf none %s", bpffsDir, dir))
	}
	// Only the bare directory of sysfs is ours to cover.
	if fs != unix.SYSFS_MAGIC {
		return false, remedy.New(fmt.Sprintf("state dir %s: another filesystem is mounted at %s", dir, base),
			"unmount it or use another directory")
	}
	mounted, err := mount(base)
	if err != nil {
		return false, remedy.New(fmt.Sprintf("mount bpf filesystem: %v", err),
			fmt.Sprintf("run as root or mount it first: mount -t bpf none %s", base))
	}
	return mounted, nil
}

// mountOnce mounts a bpf filesystem at base. Mounts stack, so two first starts
// at the same time could hide each other's state: the directory underneath is
// locked meanwhile. It returns false when the other one was first.
func mountOnce(base string) (bool, error) {
	fd, err := unix.Open(base, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false, err
	}
	defer unix.Close(fd)
	if err := unix.Flock(fd, unix.LOCK_EX); err != nil {
		return false, err
	}
	if fs, err := fsType(base); err == nil && fs == unix.BPF_FS_MAGIC {
		return false, nil
	}
	const flags = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_RELATIME
	if err := unix.Mount("none", base, "bpf", flags, "mode=0700"); err != nil {
		return false, err
	}
	return true, nil
}

// nearest returns the nearest ancestor of path, or path itself, that exists,
// without symbolic links.
func nearest(path string) (string, error) {
	for {
		real, err := filepath.EvalSymlinks(path)
		if err == nil || !errors.Is(err, os.ErrNotExist) || path == "/" {
			return real, err
		}
		path = filepath.Dir(path)
	}
}

func fsType(path string) (int64, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(path, &fs); err != nil {
		return 0, &os.PathError{Op: "statfs", Path: path, Err: err}
	}
	return int64(fs.Type), nil //nolint:unconvert // int32 on some architectures
}

func below(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, dir+"/")
}
