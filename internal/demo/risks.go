package demo

import (
	"fmt"

	"github.com/sockaccel/sockaccel/internal/engine"
	"github.com/sockaccel/sockaccel/internal/probe"
)

// risks are what this kernel cannot exclude and a demonstration accepts.
type risks struct{ fionread string }

func findRisks() (risks, error) {
	found, err := probe.Run()
	if err != nil {
		return risks{}, fmt.Errorf("find out what this kernel does: %w", err)
	}
	return risks{found.FIONREAD}, nil
}

func (r risks) names() []string {
	if r.fionread == probe.FIONREADRight {
		return []string{engine.RiskSplice}
	}
	return []string{engine.RiskFIONREAD, engine.RiskSplice}
}

// explain says what is accepted and why nothing can come of it here.
func (r risks) explain(p *progress) {
	p.note("accepted risk splice: splice(2) does not see redirected data, and this version cannot")
	p.note("  keep a program from splicing for the first time. Harmless here: the only programs in")
	p.note("  the demo's cgroup are its own two, which read with recv and read and never splice.")
	if r.fionread != probe.FIONREADRight {
		p.note("accepted risk fionread: FIONREAD is %s bytes on this kernel.", r.fionread)
		p.note("  Harmless here: the demo's programs never ask how much there is to read.")
	}
}
