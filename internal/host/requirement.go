package host

import "github.com/sockaccel/sockaccel/internal/remedy"

// Requirement is what the host has to provide for acceleration, whatever the
// scope and the state directory.
type Requirement struct {
	Name string
	// Check returns what there is, or an error that says what to do.
	Check func() (found string, err error)
}

// Requirements are checked in this order.
var Requirements = []Requirement{
	{"capabilities", checkAllCapabilities},
	{"btf", func() (string, error) { return "the kernel describes its types", BTF() }},
	{"lockdown", checkLockdown},
}

func checkAllCapabilities() (string, error) {
	if err := CheckCapabilities(); err != nil {
		return "", err
	}
	return "all that are needed", CheckSysAdmin("enter network namespaces")
}

func checkLockdown() (string, error) {
	mode, err := Lockdown()
	if err != nil {
		mode = "unknown" // loading the programs will show
	}
	if mode == "confidentiality" {
		return "", remedy.New("kernel lockdown is in confidentiality mode: BPF programs may not read kernel memory",
			"boot with lockdown=integrity")
	}
	return "mode " + mode, nil
}
