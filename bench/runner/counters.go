package runner

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/sockaccel/sockaccel/bench/record"
	"github.com/sockaccel/sockaccel/internal/status"
)

// counters are what has been used and counted so far.
type counters struct {
	cpu    time.Duration
	status *status.Status // only when on
}

func (r *Runner) read(mode string) (counters, error) {
	cpu, err := r.Box.CPU()
	if err != nil || mode != record.ModeOn {
		return counters{cpu: cpu}, err
	}
	st, err := r.Box.Status()
	if err != nil {
		return counters{}, err
	}
	// Acceleration pays for its sidecar.
	for _, pid := range []int{st.Sidecar.PID, st.Sidecar.SupervisorPID} {
		cpu += processTime(pid)
	}
	return counters{cpu, st}, nil
}

// processTime is the processor time of a process's threads; 0 if it is gone.
func processTime(pid int) (sum time.Duration) {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/[0-9]*/schedstat", pid))
	for _, file := range files {
		var ns int64
		if text, err := os.ReadFile(file); err == nil {
			_, _ = fmt.Sscan(string(text), &ns)
		}
		sum += time.Duration(ns)
	}
	return sum
}

// since returns what status counted after the earlier reading, nil unless on.
func (c counters) since(earlier counters) *record.Counted {
	if c.status == nil {
		return nil
	}
	now, then := c.status, earlier.status
	return &record.Counted{
		Redirected:      now.Messages.Redirected - then.Messages.Redirected,
		TCP:             now.Messages.TCP - then.Messages.TCP,
		RedirectedBytes: now.Bytes.Redirected - then.Bytes.Redirected,
		TCPBytes:        now.Bytes.TCP - then.Bytes.TCP,
		Paired:          now.Connections.PairedTotal - then.Connections.PairedTotal,
		Adopted:         now.Connections.AdoptedTotal - then.Connections.AdoptedTotal,
		HandedOver:      now.Connections.HandedOverTotal - then.Connections.HandedOverTotal,
		NotAccelerated:  minus(now.NotAccelerated, then.NotAccelerated),
		StayedOnTCP:     minus(now.StayedOnTCP, then.StayedOnTCP),
	}
}

// minus subtracts the counters of a group by the names that status gives them.
func minus(now, then any) map[string]uint64 {
	a, b := byName(now), byName(then)
	out := make(map[string]uint64, len(a))
	for name, n := range a {
		// A connection that is accelerated after all is taken off again.
		out[name] = max(n, b[name]) - b[name]
	}
	return out
}

func byName(group any) (m map[string]uint64) {
	// It cannot fail: a struct of numbers.
	text, _ := json.Marshal(group)
	_ = json.Unmarshal(text, &m)
	return m
}
