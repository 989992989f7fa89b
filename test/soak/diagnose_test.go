package soak_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/sockaccel/sockaccel/internal/status"
)

// diagnose keeps what can be known of a connection that stands still, while it
// still does.
func (t *traffic) diagnose(f flow) {
	var b strings.Builder
	addr, err := f.from.LocalAddr(f.out)
	fmt.Fprintf(&b, "stands still: %s to %s, from %v (%v)\n", f.from.Name, f.to.Name, addr, err)
	port := fmt.Sprint(addr.Port())
	// In the namespace of the writer, which the test is not in.
	ss := exec.Command("nsenter", "-t", fmt.Sprint(f.from.Pid), "-n", "ss", "-tinmoe",
		"( sport = :"+port+" or dport = :"+port+" )")
	out, err := ss.CombinedOutput()
	fmt.Fprintf(&b, "%s(%v)\n", out, err)
	netstat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/net/netstat", f.from.Pid))
	b.WriteString(counters(string(netstat), "Drop", "Prune", "ZeroWindow", "BeyondWindow", "Timeouts", "WinProbe", "Collapsed", "Pressures"))
	if st, err := status.Read(t.scene.tool.StateDir, ""); err == nil {
		text, _ := json.Marshal(st)
		fmt.Fprintf(&b, "%s\n", text)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seen = append(t.seen, b.String())
}

// counters picks those of netstat that are not zero and have a word in their
// name: a line of names is followed by one of values.
func counters(netstat string, words ...string) string {
	var b strings.Builder
	lines := strings.Split(netstat, "\n")
	for i := 0; i+1 < len(lines); i += 2 {
		names, values := strings.Fields(lines[i]), strings.Fields(lines[i+1])
		for j := 1; j < min(len(names), len(values)); j++ {
			for _, word := range words {
				if values[j] != "0" && strings.Contains(names[j], word) {
					fmt.Fprintf(&b, "%s %s\n", names[j], values[j])
					break
				}
			}
		}
	}
	return b.String()
}
