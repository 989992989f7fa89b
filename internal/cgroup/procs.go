package cgroup

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// Procs returns the ids of all processes in the cgroup at path and below it,
// sorted, each once. Cgroups that vanish meanwhile, path itself included, are
// taken as empty; processes of other pid namespaces have no id and are left
// out.
//
// (*cgroup2.Manager).Procs(true) of containerd/cgroups/v3 is not used: it
// fails as a whole when one cgroup vanishes under it or is threaded, both
// normal on a busy host, and it stats every file of every cgroup.
func Procs(path string) ([]int, error) {
	pids, err := appendProcs(nil, path)
	if err != nil {
		return nil, err
	}
	return sortUnique(pids), nil
}

func appendProcs(pids []int, path string) ([]int, error) {
	data, err := os.ReadFile(filepath.Join(path, "cgroup.procs"))
	switch {
	case isGone(err):
		return pids, nil
	case errors.Is(err, unix.EOPNOTSUPP):
		// A threaded cgroup lists only threads.
		if pids, err = appendThreadGroups(pids, path); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, fmt.Errorf("read processes of cgroup: %v", err)
	default:
		pids = appendPIDs(pids, data)
	}

	dir, err := os.Open(path)
	if isGone(err) {
		return pids, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list cgroup: %v", err)
	}
	entries, err := dir.ReadDir(-1)
	dir.Close() // before the descent: depth must not cost descriptors
	if err != nil && !isGone(err) {
		return nil, fmt.Errorf("list cgroup: %v", err)
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		if pids, err = appendProcs(pids, filepath.Join(path, e.Name())); err != nil {
			return nil, err
		}
	}
	return pids, nil
}

// appendThreadGroups appends the processes that have a thread in the cgroup.
func appendThreadGroups(pids []int, path string) ([]int, error) {
	data, err := os.ReadFile(filepath.Join(path, "cgroup.threads"))
	if isGone(err) {
		return pids, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read threads of cgroup: %v", err)
	}
	for _, tid := range appendPIDs(nil, data) {
		status, err := os.ReadFile("/proc/" + strconv.Itoa(tid) + "/status")
		if err != nil {
			continue // the thread has ended
		}
		if _, rest, ok := bytes.Cut(status, []byte("\nTgid:\t")); ok {
			line, _, _ := bytes.Cut(rest, []byte("\n"))
			pids = appendPIDs(pids, line)
		}
	}
	return pids, nil
}

// appendPIDs parses one id per line. It drops 0, which stands for a process
// that our pid namespace does not see.
func appendPIDs(pids []int, data []byte) []int {
	n := 0
	for _, c := range data {
		if c >= '0' && c <= '9' {
			n = n*10 + int(c-'0')
			continue
		}
		if n > 0 {
			pids = append(pids, n)
		}
		n = 0
	}
	if n > 0 {
		pids = append(pids, n)
	}
	return pids
}

func sortUnique(pids []int) []int {
	slices.Sort(pids)
	return slices.Compact(pids)
}

// isGone recognises what reading a removed cgroup or an ended process returns:
// ENOENT by name, ENODEV or ESRCH on a descriptor opened before.
func isGone(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ESRCH)
}
