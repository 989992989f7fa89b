package sandbox

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/sockaccel/sockaccel/internal/cgroup"
)

// value returns a key's value in a flat keyed file of a cgroup, "" without it.
func value(text []byte, key string) string {
	for line := range bytes.Lines(text) {
		if fields := bytes.Fields(line); len(fields) == 2 && string(fields[0]) == key {
			return string(fields[1])
		}
	}
	return ""
}

// CPU is the processor time that the processes in the sandbox have used so
// far, also those that have ended, and softirq work that ran in their place.
// Every cgroup v2 counts it, whatever controllers are enabled.
func (b *Sandbox) CPU() (time.Duration, error) {
	text, err := os.ReadFile(filepath.Join(b.things.Cgroup, "cpu.stat"))
	if err != nil {
		return 0, fmt.Errorf("read CPU time: %w", err)
	}
	us, err := strconv.ParseInt(value(text, "usage_usec"), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read CPU time: %w", err)
	}
	return time.Duration(us) * time.Microsecond, nil
}

// ourProgram is how the name of our sock_ops program begins: the kernel keeps
// 15 characters, the rest comes from BTF if it is there.
const ourProgram = "sockaccel_socko"

// AcceleratedError says that off would not be off.
type AcceleratedError struct{ Cgroup string }

func (e *AcceleratedError) Error() string {
	return fmt.Sprintf("acceleration is on for %s, or for a cgroup above it: run sockaccel disable first, or name another with --cgroup", e.Cgroup)
}

// notAccelerated refuses a cgroup in which off would not be off.
func notAccelerated(cg cgroup.Cgroup) error {
	names, err := sockOps(cg)
	for _, name := range names {
		if strings.HasPrefix(name, ourProgram) {
			return &AcceleratedError{cg.Path}
		}
	}
	return err
}

// SockOps names the sock_ops programs, of others, that see the sandbox's
// sockets.
func (b *Sandbox) SockOps() ([]string, error) { return sockOps(b.scope) }

func sockOps(cg cgroup.Cgroup) ([]string, error) {
	names := []string{}
	dir, err := os.Open(cg.Path)
	if err != nil {
		return nil, fmt.Errorf("open cgroup: %w", err)
	}
	defer dir.Close()
	// Effective: what is attached above counts.
	found, err := link.QueryPrograms(link.QueryOptions{
		Target: int(dir.Fd()), Attach: ebpf.AttachCGroupSockOps, QueryFlags: unix.BPF_F_QUERY_EFFECTIVE,
	})
	if err != nil {
		return nil, fmt.Errorf("query sock_ops programs of %s: %w", cg.Path, err)
	}
	for _, p := range found.Programs {
		prog, err := ebpf.NewProgramFromID(p.ID)
		if err != nil {
			continue // detached meanwhile
		}
		if info, err := prog.Info(); err == nil {
			names = append(names, info.Name)
		}
		prog.Close()
	}
	return names, nil
}
