package runner

import (
	"fmt"
	"slices"

	"github.com/sockaccel/sockaccel/internal/engine"
	"github.com/sockaccel/sockaccel/internal/probe"
)

// Risks are what this kernel cannot exclude and a benchmark accepts.
type Risks struct{ probe.Result }

// FindRisks finds out what this kernel does.
func FindRisks() (Risks, error) {
	found, err := probe.Run()
	if err != nil {
		return Risks{}, fmt.Errorf("find out what this kernel does: %w", err)
	}
	return Risks{found}, nil
}

// Names are those of the accepted risks.
func (r Risks) Names() []string { return engine.RiskNames(r.Result) }

// Explain says what is accepted and why nothing can come of it here.
func (r Risks) Explain(p *Progress) {
	names := r.Names()
	if slices.Contains(names, engine.RiskSplice) {
		p.Note("accepted risk splice: splice(2) does not see redirected data, and nothing keeps a program")
		p.Note("  on this kernel from splicing for the first time. Harmless here: no program of the")
		p.Note("  benchmark reads a socket with splice.")
	}
	if slices.Contains(names, engine.RiskFIONREAD) {
		p.Note("accepted risk fionread: FIONREAD is %s bytes on this kernel.", r.FIONREAD)
		p.Note("  Harmless here: no program of the benchmark asks for it at the sizes that are sent.")
	}
}
