package state

import (
	"slices"

	"github.com/sockaccel/sockaccel/bpf"
)

// How splicing readers are kept out: Meta.SpliceGuard.
const (
	// GuardOn: splice fails where it would miss redirected data.
	GuardOn = "guard"
	// GuardEvidence: only by what was seen of them, as under GuardOn too.
	GuardEvidence = "evidence"
)

// has reports whether a program belongs to this state.
func (m *Meta) has(program string) bool {
	switch {
	case slices.Contains(bpf.SpliceGuard, program):
		return m.SpliceGuard == GuardOn
	case slices.Contains(bpf.FIONREADCorrection, program):
		return m.FIONREADCorrected
	}
	return true
}
