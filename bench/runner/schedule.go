package runner

import (
	"math/rand/v2"

	"github.com/sockaccel/sockaccel/bench/record"
)

// Step is a sample to be taken.
type Step struct {
	Case  record.Case
	Mode  string
	Block int
}

// Schedule plans blocks that hold each case in each of its modes once, in an
// order that seed decides. The modes of a case are next to each other: what
// else the machine does hits all of them, and none profits from being first.
func Schedule(cases []record.Case, blocks int, seed uint64) []Step {
	random := rand.New(rand.NewPCG(seed, 0))
	var plan []Step
	for block := range blocks {
		for _, i := range random.Perm(len(cases)) {
			for _, j := range random.Perm(len(cases[i].Modes)) {
				plan = append(plan, Step{cases[i], cases[i].Modes[j], block})
			}
		}
	}
	return plan
}
