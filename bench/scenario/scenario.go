// Package scenario knows what a benchmark can run: loads, what they need, and
// how their servers and clients are started.
package scenario

import (
	"context"
	"os"
	"slices"
	"time"

	"github.com/sockaccel/sockaccel/bench/driver"
	"github.com/sockaccel/sockaccel/bench/record"
)

// Scenario is a load, in one or more cases.
type Scenario struct {
	Name  string
	Load  string   // what it does, in a line
	Needs []string // programs that driver.Find finds
	// Beside are the modes besides off and on in which it makes sense.
	Beside []string
	Cases  []record.Case // without modes
	start  func(context.Context, Stage, record.Case, string) (Rig, error)
}

// Stage is where the processes of a sample run.
type Stage struct {
	Inside, Outside *os.File // cgroups in and out of scope
	Dir             string   // for files, empty
	Exe             string   // the tool, which is the built-in load as well
	Port            int      // first of the TCP ports of real servers, 0 for free ones
	Programs        map[string]driver.Program
}

// Rig is a case of which the servers are running.
type Rig interface {
	// Warm uses the servers as Measure does, for about d.
	Warm(ctx context.Context, d time.Duration) error
	// Measure opens connections, warms them up if the load can, and
	// measures for d. It calls ended when the load is over, if anything
	// follows that costs processor time.
	Measure(ctx context.Context, warmup, d time.Duration, ended func()) (Result, error)
	// Stop ends all processes. Their sockets are closed when it returns.
	Stop()
}

// Result of a rig; see record.Sample for SentMessages.
type Result struct {
	record.Measurement
	SentMessages int64
}

// Start starts the servers of a case. The caller stops the rig.
func (s *Scenario) Start(ctx context.Context, stage Stage, c record.Case, mode string) (Rig, error) {
	return s.start(ctx, stage, c, mode)
}

// Missing returns why the scenario can not be run here, and what to do; nil if
// it can. Found programs are added to programs.
func (s *Scenario) Missing(programs map[string]driver.Program) error {
	for _, name := range s.Needs {
		p, err := driver.Find(name)
		if err != nil {
			return err
		}
		programs[name] = p
	}
	return nil
}

// longer is how many times longer real programs are measured: each client
// process earns trust and is adopted anew, and there is no telling it when
// its warm-up is over.
const longer = 3

// Settings of all cases of a plan.
type Settings struct {
	Duration    time.Duration // measured in each sample, of real programs longer
	Connections int           // instead of each case's own, unless 0
	Baseline    bool          // with record.ModeBaseline
}

// Plan returns the cases with their modes. One number of connections for all
// may make cases alike: one of them stays.
func (s *Scenario) Plan(o Settings) []record.Case {
	var plan []record.Case
	for _, c := range s.Cases {
		c.Scenario, c.Load, c.DurationSeconds = s.Name, s.Load, o.Duration.Seconds()
		if len(s.Needs) > 0 {
			c.DurationSeconds *= longer
		}
		c.Modes = []string{record.ModeOff, record.ModeOn}
		for _, mode := range s.Beside {
			if mode != record.ModeBaseline || o.Baseline {
				c.Modes = append(c.Modes, mode)
			}
		}
		if o.Connections > 0 {
			c.Connections = o.Connections
		}
		if len(s.Cases) > 1 {
			c.Name = name(c)
		}
		if !slices.ContainsFunc(plan, func(other record.Case) bool { return other.Name == c.Name }) {
			plan = append(plan, c)
		}
	}
	return plan
}
