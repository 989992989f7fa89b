package demo

import "math/rand/v2"

// step is a round of the plan.
type step struct {
	block, workload int
	on              bool
}

// schedule plans n blocks. Each holds every workload once off and once on, in
// random order, off and on next to each other: what else the machine does
// hits both, and neither profits from coming first.
func schedule(n, workloads int) []step {
	var plan []step
	for block := range n {
		for _, w := range rand.Perm(workloads) {
			first := rand.IntN(2) == 1
			plan = append(plan, step{block, w, first}, step{block, w, !first})
		}
	}
	return plan
}

// samples are the rounds that were run, by workload; index is the block.
type samples struct {
	off, on [][]sample
}

func newSamples() *samples {
	return &samples{off: make([][]sample, len(workloads)), on: make([][]sample, len(workloads))}
}

func (s *samples) add(at step, x sample) {
	of := s.off
	if at.on {
		of = s.on
	}
	of[at.workload] = append(of[at.workload], x)
}

// ratio is on to off within a block.
func (s *samples) ratio(workload, block int) float64 {
	return s.on[workload][block].rate() / s.off[workload][block].rate()
}
