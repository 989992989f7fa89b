package host

import (
	"strings"
	"testing"
)

// FuzzFiles reads what the kernel's files might hold.
func FuzzFiles(f *testing.F) {
	f.Add("none [integrity] confidentiality\n")
	f.Add("[] [")
	f.Add("4096\t131072\t33554432\n")
	f.Add("4096 131072 0")
	f.Add("1 2 -3")
	f.Fuzz(func(t *testing.T, text string) {
		mode, err := parseLockdown(text)
		switch {
		case err != nil && strings.Contains(err.Error(), "\n"):
			t.Errorf("%q", err)
		case err == nil && (mode == "" || !strings.Contains(text, "["+mode+"]")):
			t.Errorf("mode %q in %q", mode, text)
		}
		// What it is used for is a limit: zero would stop everything.
		if n, ok := lastOfThree(text); ok && n == 0 {
			t.Errorf("a receive buffer of nothing from %q", text)
		}
	})
}
