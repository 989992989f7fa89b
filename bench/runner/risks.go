package runner

import (
	"fmt"

	"github.com/sockaccel/sockaccel/internal/engine"
	"github.com/sockaccel/sockaccel/internal/probe"
)

// Risks are what this kernel cannot exclude and a benchmark accepts.
type Risks struct{ FIONREAD string }

// FindRisks finds out what this kernel does.
func FindRisks() (Risks, error) {
	found, err := probe.Run()
	if err != nil {
		return Risks{}, fmt.Errorf("find out what this kernel does: %w", err)
	}
	return Risks{found.FIONREAD}, nil
}

// Names are those of the accepted risks.
func (r Risks) Names() []string {
	if r.FIONREAD == probe.FIONREADRight {
		return []string{engine.RiskSplice}
	}
	return []string{engine.RiskFIONREAD, engine.RiskSplice}
}

// Explain says what is accepted and why nothing can come of it here.
func (r Risks) Explain(p *Progress) {
	p.Note("accepted risk splice: splice(2) does not see redirected data, and this version cannot")
	p.Note("  keep a program from splicing for the first time. Harmless here: no program of the")
	p.Note("  benchmark reads a socket with splice.")
	if r.FIONREAD != probe.FIONREADRight {
		p.Note("accepted risk fionread: FIONREAD is %s bytes on this kernel.", r.FIONREAD)
		p.Note("  Harmless here: no program of the benchmark asks for it at the sizes that are sent.")
	}
}
