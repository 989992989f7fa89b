package apps_test

import (
	"bufio"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// worker is a client in the scope that does one piece of work for each line
// that it reads, and answers with a line: "done" when everything was right.
type worker struct {
	scope *scope
	in    io.Writer
	out   *bufio.Reader
	name  string
}

func (s *scope) work(tb testing.TB, cmd *exec.Cmd) *worker {
	tb.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	var errs strings.Builder
	cmd.Stderr = &errs
	if err := startIn(s.cg, cmd); err != nil {
		tb.Fatal(err)
	}
	name := filepath.Base(cmd.Path)
	tb.Cleanup(func() {
		closeAll(in, out)
		_ = cmd.Process.Signal(syscall.SIGKILL)
		_ = cmd.Wait()
		if tb.Failed() {
			tb.Logf("%s: %s", name, tail(errs.String()))
		}
	})
	return &worker{s, in, bufio.NewReader(out), name}
}

// do has a piece of work done; it was right when it returns.
func (w *worker) do(tb testing.TB, format string, args ...any) {
	tb.Helper()
	line := fmt.Sprintf(format, args...)
	if _, err := io.WriteString(w.in, line+"\n"); err != nil {
		tb.Fatalf("%s: %v", w.name, err)
	}
	answered := make(chan string, 1)
	go func() {
		answer, _ := w.out.ReadString('\n')
		answered <- strings.TrimSpace(answer)
	}()
	select {
	case answer := <-answered:
		if answer != "done" {
			tb.Fatalf("%s: %s: %q", w.name, line, answer)
		}
	case <-time.After(patience):
		w.scope.diagnose(tb)
		tb.Fatalf("%s: %s: hangs for %s", w.name, line, patience)
	}
}
