package testkit

import (
	"os"
	"testing"
)

// InVM tells whether the tests run in a virtual machine of make test-kernels:
// an emulated processor, many times slower than this one, and nobody else's
// programs.
func InVM() bool { return os.Getenv("SOCKACCEL_VM") != "" }

// Volume scales an amount of work down where a processor is emulated, and with
// -short. What has to happen, such as reaching a limit, needs a number of its
// own.
func Volume(n int) int {
	if testing.Short() || InVM() {
		return max(n/16, 1)
	}
	return n
}

// Ways are how an exchange is tried: by plain TCP (false), which needs no other
// kernel to be seen right, and accelerated.
func Ways() []bool {
	if InVM() {
		return []bool{true}
	}
	return []bool{false, true}
}
