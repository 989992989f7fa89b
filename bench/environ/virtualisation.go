package environ

import (
	"errors"
	"io/fs"
	"os/exec"
	"strings"
)

// detectVirt asks systemd-detect-virt, which knows more than we do; false if it
// is not installed.
func detectVirt() (string, bool) {
	path, err := exec.LookPath("systemd-detect-virt")
	if err != nil {
		return "", false
	}
	// For "none" it exits with 1.
	container, err1 := exec.Command(path, "--container").Output()
	hypervisor, err2 := exec.Command(path, "--vm").Output()
	var exit *exec.ExitError
	for _, err := range []error{err1, err2} {
		if err != nil && !errors.As(err, &exit) {
			return "", false
		}
	}
	c, h := strings.TrimSpace(string(container)), strings.TrimSpace(string(hypervisor))
	return nested(c, h), c != "" && h != ""
}

// nested says both at once, as in "docker on kvm".
func nested(container, hypervisor string) string {
	if container == "none" {
		return hypervisor
	}
	if hypervisor == "none" {
		return container
	}
	return container + " on " + hypervisor
}

// virtualisation is a short version of systemd-detect-virt.
func (t tree) virtualisation() string {
	if t.read("proc/cpuinfo") == "" {
		return unknown
	}
	return nested(t.container(), t.hypervisor())
}

func (t tree) container() string {
	for variable := range strings.SplitSeq(t.read("proc/1/environ"), "\x00") {
		if name, ok := strings.CutPrefix(variable, "container="); ok && name != "" {
			return name
		}
	}
	for path, name := range map[string]string{".dockerenv": "docker", "run/.containerenv": "podman"} {
		if _, err := fs.Stat(t.fs, path); err == nil {
			return name
		}
	}
	return "none"
}

// vendors are what the firmware of virtual machines calls itself.
var vendors = []struct{ words, name string }{
	{"KVM", "kvm"},
	{"QEMU", "qemu"},
	{"VMware", "vmware"},
	{"innotek GmbH", "oracle"},
	{"VirtualBox", "oracle"},
	{"Xen", "xen"},
	{"Bochs", "bochs"},
	{"Parallels", "parallels"},
	{"Microsoft Corporation Virtual Machine", "microsoft"},
	{"Amazon EC2", "amazon"},
	{"Google Compute Engine", "google"},
	{"Apple Virtualization", "apple"},
}

func (t tree) hypervisor() string {
	const dmi = "sys/class/dmi/id/"
	firmware := t.read(dmi+"sys_vendor") + " " + t.read(dmi+"product_name")
	virtual := strings.Contains(" "+t.field("proc/cpuinfo", "flags")+" ", " hypervisor ")
	for _, v := range vendors {
		// A metal instance of Amazon's has its name, but not the flag.
		if virtual && strings.Contains(firmware, v.words) {
			return v.name
		}
	}
	if kind := t.read("sys/hypervisor/type"); kind != "" {
		return kind
	}
	if virtual {
		return "unknown hypervisor"
	}
	return "none"
}
