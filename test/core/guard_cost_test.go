package core_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sockaccel/sockaccel/internal/state"
	"github.com/sockaccel/sockaccel/internal/testkit"
)

// What the guard costs those who have nothing to do with it: a read(2) of a
// regular file, and a write and a read of a pipe, out of scope.
func BenchmarkGuard(b *testing.B) {
	testkit.RequireRoot(b)
	path := filepath.Join(b.TempDir(), "file")
	if err := os.WriteFile(path, make([]byte, 4096), 0o600); err != nil {
		b.Fatal(err)
	}
	file, err := unix.Open(path, unix.O_RDONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer unix.Close(file)
	var pipe [2]int
	if err := unix.Pipe(pipe[:]); err != nil {
		b.Fatal(err)
	}
	defer unix.Close(pipe[0])
	defer unix.Close(pipe[1])
	buf := make([]byte, 64)
	must := func(b *testing.B, n int, err error) {
		if n != len(buf) || err != nil {
			b.Fatal(n, err)
		}
	}
	for _, level := range []string{"none", state.GuardEvidence, state.GuardOn} {
		b.Run(fmt.Sprintf("guard=%s", level), func(b *testing.B) {
			if level != "none" {
				tool := testkit.NewTool(b)
				tool.Enable(b, testkit.NewCgroup(b), "--splice-guard", level)
			}
			b.Run("file", func(b *testing.B) {
				for b.Loop() {
					n, err := unix.Pread(file, buf, 0)
					must(b, n, err)
				}
			})
			b.Run("pipe", func(b *testing.B) {
				for b.Loop() {
					n, err := unix.Write(pipe[1], buf)
					must(b, n, err)
					n, err = unix.Read(pipe[0], buf)
					must(b, n, err)
				}
			})
		})
	}
}
