// Package host checks what the host must provide, by trying or reading it and
// never by version strings or user ids.
package host

import (
	"fmt"
	"strings"

	"github.com/moby/sys/userns"
	"golang.org/x/sys/unix"

	"github.com/sockaccel/sockaccel/internal/remedy"
)

// CheckCapabilities returns an error that names the effective capabilities
// which loading and attaching the programs needs and this process lacks.
// CAP_SYS_ADMIN stands in for CAP_BPF and CAP_PERFMON, as in the kernel.
func CheckCapabilities() error {
	if err := checkUserNS(); err != nil {
		return err
	}
	eff, err := effective()
	if err != nil {
		return err
	}
	return capabilityError(missing(eff), "")
}

// CheckSysAdmin returns an error when CAP_SYS_ADMIN is missing, which entering
// network namespaces and mounting need whatever other capabilities are held.
// purpose completes "needed to", as in "enter network namespaces".
func CheckSysAdmin(purpose string) error {
	if err := checkUserNS(); err != nil {
		return err
	}
	eff, err := effective()
	if err != nil {
		return err
	}
	if !has(eff, unix.CAP_SYS_ADMIN) {
		return capabilityError([]string{"CAP_SYS_ADMIN"}, purpose)
	}
	return nil
}

// checkUserNS: capabilities of a user namespace look complete, but the kernel
// wants those of the initial one.
func checkUserNS() error {
	if userns.RunningInUserNS() {
		return remedy.New("running in a user namespace, whose capabilities do not extend to bpf",
			"run outside of it (not in a rootless container)")
	}
	return nil
}

// effective reads the capabilities of the calling thread; all threads of a Go
// program have the same unless it went out of its way. capget is a single
// system call that works without /proc: no reason for a library.
func effective() (uint64, error) {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData // version 3 writes two
	if err := unix.Capget(&hdr, &data[0]); err != nil {
		return 0, fmt.Errorf("read own capabilities: %v", err)
	}
	return uint64(data[1].Effective)<<32 | uint64(data[0].Effective), nil
}

func missing(eff uint64) (names []string) {
	admin := has(eff, unix.CAP_SYS_ADMIN)
	if !admin && !has(eff, unix.CAP_BPF) {
		names = append(names, "CAP_BPF")
	}
	if !has(eff, unix.CAP_NET_ADMIN) {
		names = append(names, "CAP_NET_ADMIN")
	}
	if !admin && !has(eff, unix.CAP_PERFMON) {
		names = append(names, "CAP_PERFMON")
	}
	return names
}

func capabilityError(names []string, purpose string) error {
	if len(names) == 0 {
		return nil
	}
	noun, it := "capability", "it"
	if len(names) > 1 {
		noun, it = "capabilities", "them"
	}
	if purpose != "" {
		purpose = ", needed to " + purpose
	}
	return remedy.New(fmt.Sprintf("missing %s %s%s", noun, strings.Join(names, ", "), purpose),
		fmt.Sprintf("run as root or grant %s (setcap, AmbientCapabilities=)", it))
}

func has(eff uint64, capability int) bool { return eff>>capability&1 == 1 }
