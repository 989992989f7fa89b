package status

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// WriteText prints the status for people.
func (st *Status) WriteText(w io.Writer) error {
	if !st.Enabled && st.Since == nil {
		_, err := fmt.Fprintf(w, "not enabled (state dir %s)\n", st.StateDir)
		return err
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(t, "%s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	row("enabled", "%s since %s, version %s", yes(st.Enabled), st.Since.Local().Format(time.DateTime), st.Version)
	row("state dir", "%s", st.StateDir)
	if st.Sidecar.Running {
		row("sidecar", "running, pid %d", st.Sidecar.PID)
	} else {
		row("sidecar", "NOT RUNNING: everything stays on TCP; start it with sockaccel enable")
	}
	row("splice guard", "%s", st.SpliceGuard)
	row("FIONREAD", "%s%s", st.FIONREAD, corrected[st.FIONREADCorrected])
	row("accepted risks", "%s", orNone(strings.Join(st.AcceptedRisks, ", ")))
	for _, scope := range st.Scopes {
		note := ""
		if !scope.Attached {
			note = " (not attached)"
		}
		row("scope", "%s = %s%s", scope.Name, scope.Cgroup, note)
	}
	fmt.Fprintln(t)
	row("accelerated now", "%d of at most %d connections", st.Connections.Accelerated, st.Connections.MaxConnections)
	row("paired", "%d, of these adopted %d", st.Connections.PairedTotal, st.Connections.AdoptedTotal)
	row("handed over", "%d", st.Connections.HandedOverTotal)
	row("messages", "%d redirected, %d by TCP", st.Messages.Redirected, st.Messages.TCP)
	row("bytes", "%d redirected, %d by TCP", st.Bytes.Redirected, st.Bytes.TCP)
	n, s := st.NotAccelerated, st.StayedOnTCP
	fmt.Fprintln(t)
	counts(t, "not accelerated (connections)", []count{
		{"remote", n.Remote}, {"blocking", n.Blocking}, {"no evidence yet", n.NoEvidence}, {"splice", n.Splice},
		{"FIONREAD", n.FIONREAD}, {"ULP", n.ULP}, {"zerocopy", n.Zerocopy}, {"MPTCP", n.MPTCP},
		{"excluded", n.Excluded}, {"map full", n.MapFull}, {"ambiguous", n.Ambiguous}, {"in use", n.InUse},
	})
	counts(t, "stayed on TCP (messages)", []count{
		{"undrained", s.Undrained}, {"limit", s.Limit}, {"bulk", s.Bulk}, {"draining", s.Draining}, {"peer gone", s.PeerGone},
	})
	return t.Flush()
}

var corrected = map[bool]string{true: ", corrected"}

type count struct {
	name string
	n    uint64
}

// counts lists what is not zero: which reasons exist is in the documentation.
func counts(w io.Writer, title string, list []count) {
	var parts []string
	for _, c := range list {
		if c.n > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", c.name, c.n))
		}
	}
	fmt.Fprintf(w, "%s\t%s\n", title, orNone(strings.Join(parts, ", ")))
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
