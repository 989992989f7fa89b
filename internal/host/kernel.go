package host

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sockaccel/sockaccel/internal/remedy"
)

const (
	lockdownFile = "/sys/kernel/security/lockdown"
	btfFile      = "/sys/kernel/btf/vmlinux"
)

// Lockdown returns the kernel's lockdown mode: "none", "integrity" or
// "confidentiality"; the last one refuses bpf_probe_read_kernel. It returns
// "unknown" where securityfs is not mounted, so that nobody can tell.
func Lockdown() (string, error) {
	data, err := os.ReadFile(lockdownFile)
	if errors.Is(err, os.ErrNotExist) {
		if fs, err := fsType("/sys/kernel/security"); err != nil || fs != unix.SECURITYFS_MAGIC {
			return "unknown", nil
		}
		return "none", nil // a kernel built without it
	}
	if err != nil {
		return "", fmt.Errorf("read lockdown mode: %v", err)
	}
	return parseLockdown(string(data))
}

// parseLockdown finds the mode in force in "none [integrity] confidentiality".
func parseLockdown(s string) (string, error) {
	for mode := range strings.FieldsSeq(s) {
		if name, ok := strings.CutPrefix(mode, "["); ok {
			if name, ok := strings.CutSuffix(name, "]"); ok && name != "" {
				return name, nil
			}
		}
	}
	return "", fmt.Errorf("read lockdown mode: unexpected %q in %s", s, lockdownFile)
}

// BTF returns an error when the kernel's own type information cannot be read,
// without which the programs cannot be fitted to this kernel.
func BTF() error { return readBTF(btfFile) }

func readBTF(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return remedy.New(fmt.Sprintf("kernel type information %s is missing", path),
			"the kernel needs CONFIG_DEBUG_INFO_BTF=y (and sysfs mounted)")
	}
	if err != nil {
		return remedy.New(fmt.Sprintf("read kernel type information: %v", err), "run as root")
	}
	defer f.Close()
	if _, err := f.Read(make([]byte, 1)); err != nil {
		return remedy.New(fmt.Sprintf("read kernel type information: %v", err), "the kernel needs CONFIG_DEBUG_INFO_BTF=y")
	}
	return nil
}

// TotalMemory returns the bytes of RAM that the kernel manages, 0 if unknown.
// A memory limit of our own cgroup does not count: queued data is not ours.
func TotalMemory() uint64 {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return 0
	}
	return uint64(info.Totalram) * uint64(info.Unit) //nolint:unconvert // uint32 on some architectures
}

// TCPReceiveBufferMax is what TCP lets a receive buffer grow to, in bytes: the
// last number of net.ipv4.tcp_rmem. Queued data beyond it would shut the window
// of the connection that carries it. Where it cannot be read it is the kernel's
// default.
func TCPReceiveBufferMax() uint64 {
	text, err := os.ReadFile("/proc/sys/net/ipv4/tcp_rmem")
	if n, ok := lastOfThree(string(text)); err == nil && ok {
		return n
	}
	return 6 << 20
}

func lastOfThree(text string) (uint64, bool) {
	fields := strings.Fields(text)
	if len(fields) != 3 {
		return 0, false
	}
	n, err := strconv.ParseUint(fields[2], 10, 64)
	return n, err == nil && n > 0
}
