package main

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/sockaccel/sockaccel/internal/state"
	"github.com/sockaccel/sockaccel/internal/status"
	"github.com/sockaccel/sockaccel/internal/testkit"
)

// However and whenever doctor is ended, nothing is left behind; when it is
// killed, its keeper sees to that.
func TestDoctorInterrupted(t *testing.T) {
	redirecting := func(dir string) bool {
		st, err := status.Read(dir, "")
		return err == nil && st.Messages.Redirected > 0
	}
	for _, tt := range []struct {
		name   string
		signal syscall.Signal
		when   func(stateDir string) bool
	}{
		{"enabling", syscall.SIGINT, func(dir string) bool { return state.Exists(dir+"-new") || state.Exists(dir) }},
		{"redirecting", syscall.SIGINT, redirecting},
		{"terminated", syscall.SIGTERM, redirecting},
		{"hangup", syscall.SIGHUP, redirecting},
		{"killed", syscall.SIGKILL, redirecting},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tool := testkit.NewTool(t)
			cmd := exec.Command(tool.Bin, "--state-dir", tool.StateDir, "doctor")
			var stdout, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			dir := filepath.Join(filepath.Dir(tool.StateDir), fmt.Sprintf("sockaccel-doctor-%d", cmd.Process.Pid))
			for !tt.when(dir) {
				select {
				case err := <-ended:
					t.Fatalf("ended before: %v: %s%s", err, &stdout, &stderr)
				case <-time.After(time.Millisecond):
				}
			}
			// To the group, as a terminal does.
			if err := syscall.Kill(-cmd.Process.Pid, tt.signal); err != nil {
				t.Fatal(err)
			}
			err := <-ended
			nothingOfDoctor(t, cmd.Process.Pid)
			if tt.signal != syscall.SIGKILL && (testkit.ExitCode(err) != 1 || stderr.String() != "sockaccel: interrupted; nothing is left behind\n") {
				t.Errorf("%v: %s", err, &stderr)
			}
			if stdout.Len() > 0 {
				t.Errorf("stdout: %s", &stdout)
			}
		})
	}
}
