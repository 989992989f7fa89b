// Package doctor finds out what this kernel can do, by trying: first what
// loading and attaching need, then acceleration itself, in a cgroup of its own,
// on loopback connections between processes of its own.
package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/sockaccel/sockaccel/internal/engine"
)

// Results of a check.
const (
	Yes     = "yes"
	No      = "no"
	Broken  = "broken" // it exists, and does not do what it should
	Skipped = "skipped"
)

const (
	// patience is how long anything that has to happen may take; what takes
	// longer hangs, and is the last that is tried.
	patience = 5 * time.Second
	// checkTimeout bounds what each check does in all, on slow machines too.
	checkTimeout = 30 * time.Second
)

// Check is the result of one, in the schema that other programs rely on.
type Check struct {
	Name   string `json:"name"`
	Result string `json:"result"`
	Needed bool   `json:"needed"` // acceleration needs a yes
	Means  string `json:"means"`
	Do     string `json:"do"` // "" when there is nothing to do

	risk string // that covers a broken one
}

// Report of a machine. Safe: everything that is needed is there, and nothing
// is broken that is not among the risks which enabling demands by name.
type Report struct {
	Safe       bool     `json:"safe"`
	AcceptRisk []string `json:"accept_risk"` // what --accept-risk has to name
	Checks     []Check  `json:"checks"`
}

// Options of an examination.
type Options struct {
	StateDir   string // whose bpf filesystem is used; nothing is done to it
	CgroupRoot string // the cgroup v2 mount; "" finds it
	Version    string // of the tool
	Exe        string // the tool
	// Progress is told what is tried next, Notice what was done to the
	// machine, Detail what a verifier said.
	Progress func(check string)
	Notice   func(format string, args ...any)
	Detail   func(text string)
}

// Run examines. The error is that of an interruption, or of cleaning up.
func Run(ctx context.Context, o Options) (_ *Report, err error) {
	e := &examination{o: o}
	defer func() { err = e.end(err) }()
	for _, t := range tests {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		o.Progress(t.name)
		f := e.missing(t)
		if f == nil {
			f = e.perform(ctx, t)
		}
		e.checks = append(e.checks, Check{
			Name: t.name, Result: f.result, Needed: t.needed, Means: f.means, Do: f.do, risk: f.risk,
		})
		if t.needed && f.result != Yes && e.unmet == nil {
			e.unmet = &unmet{t.stage, t.name}
		}
		if f.hung {
			e.unmet = &unmet{reading - 1, t.name}
		}
	}
	return e.report(), ctx.Err()
}

// perform tries one thing, within its time.
func (e *examination) perform(ctx context.Context, t test) *finding {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	f := t.try(ctx, e)
	f.hung = f.hung || errors.Is(ctx.Err(), context.DeadlineExceeded)
	return &f
}

// missing skips a test that needs more than what has been found: half a test
// tells nothing.
func (e *examination) missing(t test) *finding {
	u := e.unmet
	if u == nil || u.stage >= t.stage {
		return nil
	}
	if u.check == capabilities {
		return &finding{result: Skipped, means: "needs root", do: "run as root"}
	}
	why := "needs " + u.check
	if u.stage < reading {
		why = "not tried after " + u.check + " hung"
	}
	return &finding{result: Skipped, means: why, do: "see " + u.check}
}

func (e *examination) report() *Report {
	r := &Report{Safe: true, AcceptRisk: []string{}, Checks: e.checks}
	if found, err := e.probe(); err == nil {
		r.AcceptRisk = engine.RiskNames(found)
	}
	r.Safe = !slices.ContainsFunc(r.Checks, r.endangers)
	return r
}

func (r *Report) endangers(c Check) bool {
	if c.Result == Broken {
		return c.risk == "" || !slices.Contains(r.AcceptRisk, c.risk)
	}
	return c.Needed && c.Result != Yes
}

// Unsafe names the checks that speak against acceleration, at most three.
// Those that were skipped only follow from the first of them.
func (r *Report) Unsafe() (names []string) {
	for _, c := range r.Checks {
		if r.endangers(c) && (c.Result != Skipped || len(names) == 0) {
			names = append(names, c.Name)
		}
	}
	if len(names) > 3 {
		names = append(names[:3], fmt.Sprintf("%d more", len(names)-3))
	}
	return names
}

// finding is what a test found.
type finding struct {
	result, means, do string
	risk              string // that covers it when broken
	hung              bool
}

func good(format string, args ...any) finding {
	return finding{result: Yes, means: fmt.Sprintf(format, args...)}
}

// broken is what a test of acceleration found; err is what went wrong.
func broken(err error) finding {
	return finding{
		result: Broken, means: oneLine(err), do: "do not accelerate here; " + report,
		hung: errors.Is(err, os.ErrDeadlineExceeded),
	}
}

// lacking is the absence of something; do is for errors that know no remedy,
// "" if nobody does.
func lacking(err error, do string) finding {
	means, remedy := split(err)
	return finding{result: No, means: means, do: cmp.Or(remedy, do, report)}
}

const report = "report it with this output"
