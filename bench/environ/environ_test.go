package environ

import (
	"maps"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// fake is a machine made of files.
func fake(files map[string]string) tree {
	fs := make(fstest.MapFS)
	for path, content := range files {
		fs[path] = &fstest.MapFile{Data: []byte(content)}
	}
	return tree{fs}
}

func TestHost(t *testing.T) {
	h := fake(map[string]string{
		"proc/sys/kernel/osrelease":     "6.12.1-test\n",
		"proc/sys/kernel/version":       "#1 SMP PREEMPT_DYNAMIC\n",
		"proc/cpuinfo":                  "processor\t: 0\nmodel name\t: Some CPU: 2 GHz\nflags\t\t: fpu sse\n\nprocessor\t: 1\nmodel name\t: Other\n",
		"proc/meminfo":                  "MemTotal:        2048 kB\nMemFree:         1 kB\n",
		"proc/loadavg":                  "0.75 0.50 0.25 1/100 1234\n",
		"proc/sys/net/ipv4/tcp_rmem":    "4096\t131072\t6291456\n",
		"sys/devices/system/cpu/online": "0-3,8\n",
		"sys/devices/system/cpu/cpu0/cpufreq/scaling_governor":            "performance\n",
		"sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc\n",
		"sys/devices/system/cpu/vulnerabilities/meltdown":                 "Not affected\n",
		"sys/devices/system/cpu/vulnerabilities/spectre_v2":               "Mitigation: Retpolines\n",
		"sys/class/net/lo/mtu":                                            "65536\n",
	}).host()
	if h.Kernel != "6.12.1-test #1 SMP PREEMPT_DYNAMIC" || h.CPU != "Some CPU: 2 GHz" || h.CPUs != 5 || h.MemoryBytes != 2<<20 ||
		h.Virtualisation != "none" || h.Governor != "performance" || h.Clocksource != "tsc" || h.LoopbackMTU != 65536 || h.LoadAverage != 0.75 {
		t.Errorf("got %+v", h)
	}
	if want := map[string]string{"meltdown": "Not affected", "spectre_v2": "Mitigation: Retpolines"}; !maps.Equal(h.Mitigations, want) {
		t.Errorf("mitigations %v", h.Mitigations)
	}
	if len(h.Sysctls) != len(sysctls) || h.Sysctls["net.ipv4.tcp_rmem"] != "4096 131072 6291456" || h.Sysctls["net.ipv4.tcp_wmem"] != unknown {
		t.Errorf("sysctls %v", h.Sysctls)
	}
}

// Nothing is known of an empty machine, and nothing fails.
func TestHostUnknown(t *testing.T) {
	h := fake(nil).host()
	for what, got := range map[string]string{
		"CPU": h.CPU, "virtualisation": h.Virtualisation, "governor": h.Governor, "clocksource": h.Clocksource, "FIONREAD": h.FIONREAD,
	} {
		if got != unknown {
			t.Errorf("%s is %q", what, got)
		}
	}
	if h.Kernel != "unknown unknown" || h.CPUs != 0 || h.MemoryBytes != 0 || h.LoopbackMTU != 0 || h.LoadAverage != 0 {
		t.Errorf("got %+v", h)
	}
}

func TestVirtualisation(t *testing.T) {
	const virtual = "flags\t\t: fpu hypervisor sse\n"
	for want, files := range map[string]map[string]string{
		"none":               {"proc/cpuinfo": "flags\t\t: fpu\n", "sys/class/dmi/id/sys_vendor": "Amazon EC2\n"},
		"amazon":             {"proc/cpuinfo": virtual, "sys/class/dmi/id/sys_vendor": "Amazon EC2\n"},
		"microsoft":          {"proc/cpuinfo": virtual, "sys/class/dmi/id/sys_vendor": "Microsoft Corporation\n", "sys/class/dmi/id/product_name": "Virtual Machine\n"},
		"xen":                {"proc/cpuinfo": virtual, "sys/hypervisor/type": "xen\n"},
		"unknown hypervisor": {"proc/cpuinfo": virtual},
		"docker":             {"proc/cpuinfo": "flags: fpu", ".dockerenv": ""},
		"lxc on qemu":        {"proc/cpuinfo": virtual, "sys/class/dmi/id/sys_vendor": "QEMU\n", "proc/1/environ": "A=1\x00container=lxc\x00"},
	} {
		if got := fake(files).virtualisation(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestThisHost(t *testing.T) {
	read := func(path string) string {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(strings.Fields(string(text)), " ")
	}
	h := Host()
	if !strings.HasPrefix(h.Kernel, read("/proc/sys/kernel/osrelease")+" ") || h.Arch != runtime.GOARCH || h.CPUs < 1 || h.MemoryBytes == 0 ||
		h.Virtualisation == "" || h.LoopbackMTU == 0 {
		t.Errorf("got %+v", h)
	}
	if want := read("/proc/sys/net/ipv4/tcp_rmem"); h.Sysctls["net.ipv4.tcp_rmem"] != want {
		t.Errorf("tcp_rmem is %q, want %q", h.Sysctls["net.ipv4.tcp_rmem"], want)
	}
}

func TestCountList(t *testing.T) {
	for list, want := range map[string]int{"": 0, "0": 1, "0-1": 2, "0-3,5,8-9": 7, "x": 0} {
		if got := countList(list); got != want {
			t.Errorf("%q: got %d, want %d", list, got, want)
		}
	}
}

func TestRevision(t *testing.T) {
	setting := func(kv ...string) *debug.BuildInfo {
		info := new(debug.BuildInfo)
		for pair := range slices.Chunk(kv, 2) {
			info.Settings = append(info.Settings, debug.BuildSetting{Key: pair[0], Value: pair[1]})
		}
		return info
	}
	for want, info := range map[string]*debug.BuildInfo{
		"unknown":   setting("GOOS", "linux"),
		"abc":       setting("vcs.revision", "abc", "vcs.modified", "false"),
		"abc+dirty": setting("vcs.revision", "abc", "vcs.modified", "true"),
	} {
		if got := revision(info); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if Revision() == "" {
		t.Error("says nothing")
	}
}
