package apps_test

import (
	"encoding/json"
	"os/exec"
	"testing"
	"time"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

// patience is what an exchange may take. It measures nothing: beyond it the
// exchange hangs, and is diagnosed.
const patience = 3 * time.Minute

// diagnose logs what a hang is to be understood by.
func (s *scope) diagnose(tb testing.TB) {
	tb.Helper()
	text, _ := json.Marshal(s.tool.Status(tb))
	tb.Logf("status when stuck: %s", text)
	logSockets(tb, s.cg)
}

// logSockets logs what the kernel knows of the connections of a scope.
func logSockets(tb testing.TB, cg *testkit.Cgroup) {
	sockets, err := exec.Command("ss", "-atinmoe", "cgroup", cg.Path).CombinedOutput()
	tb.Logf("sockets of the scope (%v):\n%s", err, sockets[:min(len(sockets), 20_000)])
}
