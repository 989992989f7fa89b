// Package environ describes the machine that a benchmark runs on. It names no
// host, user or address.
package environ

import (
	"io/fs"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/sockaccel/sockaccel/bench/record"
)

// unknown is what can not be found out.
const unknown = "unknown"

// sysctls are those that local TCP depends on.
var sysctls = []string{
	"net.core.bpf_jit_enable",
	"net.core.busy_poll",
	"net.core.netdev_budget",
	"net.core.netdev_max_backlog",
	"net.core.rmem_max",
	"net.core.somaxconn",
	"net.core.wmem_max",
	"net.ipv4.ip_local_port_range",
	"net.ipv4.tcp_autocorking",
	"net.ipv4.tcp_congestion_control",
	"net.ipv4.tcp_mem",
	"net.ipv4.tcp_rmem",
	"net.ipv4.tcp_timestamps",
	"net.ipv4.tcp_tw_reuse",
	"net.ipv4.tcp_wmem",
}

// Host describes this machine; FIONREAD and SockOps are left to the caller.
func Host() record.Host {
	h := tree{os.DirFS("/")}.host()
	h.Arch = runtime.GOARCH
	if asked, ok := detectVirt(); ok {
		h.Virtualisation = asked
	}
	return h
}

// tree is a file system with what Linux has in /proc and /sys.
type tree struct {
	// Not embedded: that would hide its ReadFile, and sysctls can only be
	// read in one piece.
	fs fs.FS
}

// read returns the content of a file without the spaces around it, "" if it
// can not be read.
func (t tree) read(path string) string {
	text, err := fs.ReadFile(t.fs, path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// say is read, or "unknown".
func (t tree) say(path string) string { return orUnknown(t.read(path)) }

func orUnknown(text string) string {
	if text == "" {
		return unknown
	}
	return text
}

// number is the number in a file, 0 if there is none.
func (t tree) number(path string) int {
	n, _ := strconv.Atoi(t.read(path))
	return n
}

func (t tree) host() record.Host {
	h := record.Host{
		Kernel:         t.say("proc/sys/kernel/osrelease") + " " + t.say("proc/sys/kernel/version"),
		Arch:           unknown,
		CPU:            orUnknown(t.field("proc/cpuinfo", "model name")),
		CPUs:           countList(t.read("sys/devices/system/cpu/online")),
		Virtualisation: t.virtualisation(),
		MemoryBytes:    t.memory(),
		Governor:       t.say("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
		Clocksource:    t.say("sys/devices/system/clocksource/clocksource0/current_clocksource"),
		Mitigations:    make(map[string]string),
		Sysctls:        make(map[string]string),
		LoopbackMTU:    t.number("sys/class/net/lo/mtu"),
		FIONREAD:       unknown,
		SockOps:        []string{},
	}
	const vulnerabilities = "sys/devices/system/cpu/vulnerabilities"
	entries, _ := fs.ReadDir(t.fs, vulnerabilities)
	for _, e := range entries {
		h.Mitigations[e.Name()] = t.say(vulnerabilities + "/" + e.Name())
	}
	for _, name := range sysctls {
		// Tabs separate the numbers of those that have several.
		values := strings.Fields(t.read("proc/sys/" + strings.ReplaceAll(name, ".", "/")))
		h.Sysctls[name] = orUnknown(strings.Join(values, " "))
	}
	load, _, _ := strings.Cut(t.read("proc/loadavg"), " ")
	h.LoadAverage, _ = strconv.ParseFloat(load, 64)
	return h
}

// field returns the value of the first line "name : value" of a file.
func (t tree) field(path, name string) string {
	for line := range strings.Lines(t.read(path)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// memory is what the kernel can use, in bytes.
func (t tree) memory() uint64 {
	kilobytes, _ := strings.CutSuffix(t.field("proc/meminfo", "MemTotal"), " kB")
	n, _ := strconv.ParseUint(kilobytes, 10, 64)
	return n * 1024
}

// countList counts the numbers in a list such as "0-3,8".
func countList(list string) (n int) {
	for part := range strings.SplitSeq(list, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, err1 := strconv.Atoi(first)
		to, err2 := strconv.Atoi(last)
		if err1 == nil && err2 == nil {
			n += to - from + 1
		}
	}
	return n
}
