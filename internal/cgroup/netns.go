package cgroup

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// ErrDenied is wrapped by the error of NetNamespaces when some process's
// namespace may not be read; the map beside it holds all others.
var ErrDenied = errors.New("network namespace not readable")

// NetNamespaces returns the distinct network namespaces of all processes in
// the cgroups at paths and below them: inode of the namespace to the lowest
// pid in it. Cgroups and processes that vanish meanwhile are ignored.
//
// Even root may be refused by a single hardened process, so a refusal is no
// reason to stop: the error wraps ErrDenied and the map holds what could be
// read. With any other error the map is nil. Two kinds of namespace are not
// seen: of a thread that left its process's one, and of sockets whose process
// moved on.
func NetNamespaces(paths []string) (map[uint64]int, error) {
	var pids []int
	for _, p := range topmost(paths) {
		var err error
		if pids, err = appendProcs(pids, p); err != nil {
			return nil, err
		}
	}

	proc, err := unix.Open("/proc", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open /proc: %v", err)
	}
	defer unix.Close(proc)

	found := make(map[uint64]int)
	denied, deniedPID, cause := 0, 0, error(nil)
	var buf [64]byte
	for _, pid := range sortUnique(pids) {
		// readlink rather than stat: the namespace needs no inode for it.
		n, err := unix.Readlinkat(proc, strconv.Itoa(pid)+"/ns/net", buf[:])
		if isGone(err) { // ended, or a zombie
			continue
		}
		if err != nil {
			denied, deniedPID, cause = denied+1, pid, err
			continue
		}
		ns, ok := parseNS(buf[:n])
		if !ok {
			return nil, fmt.Errorf("read network namespace of process %d: unexpected %q", pid, buf[:n])
		}
		if _, ok := found[ns]; !ok {
			found[ns] = pid
		}
	}
	if denied > 0 {
		return found, fmt.Errorf("%w: %d processes such as %d: %v: run as root or grant CAP_SYS_PTRACE",
			ErrDenied, denied, deniedPID, cause)
	}
	return found, nil
}

// parseNS parses "net:[4026531840]".
func parseNS(link []byte) (uint64, bool) {
	link, ok1 := bytes.CutPrefix(link, []byte("net:["))
	link, ok2 := bytes.CutSuffix(link, []byte("]"))
	if !ok1 || !ok2 {
		return 0, false
	}
	n, err := strconv.ParseUint(string(link), 10, 64)
	return n, err == nil
}

// topmost drops paths that lie below another one, so that no subtree is read
// twice when the root and a container are both in scope.
func topmost(paths []string) []string {
	var top []string
	for _, p := range paths {
		p = filepath.Clean(p)
		if slices.ContainsFunc(top, func(t string) bool { return below(p, t) }) {
			continue
		}
		top = slices.DeleteFunc(top, func(t string) bool { return below(t, p) })
		top = append(top, p)
	}
	return top
}
