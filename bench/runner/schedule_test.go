package runner

import (
	"reflect"
	"slices"
	"testing"

	"github.com/sockaccel/sockaccel/bench/record"
)

func TestSchedule(t *testing.T) {
	both := []string{record.ModeOff, record.ModeOn}
	cases := []record.Case{
		{Scenario: "a", Modes: both},
		{Scenario: "b", Name: "1", Modes: append(slices.Clone(both), record.ModeUnix)},
		{Scenario: "b", Name: "2", Modes: both},
	}
	const blocks, perBlock = 4, 7
	firstModes, firstCases := map[string]bool{}, map[string]bool{}
	for seed := range uint64(50) {
		plan := Schedule(cases, blocks, seed)
		if len(plan) != blocks*perBlock {
			t.Fatalf("%d steps", len(plan))
		}
		if !reflect.DeepEqual(plan, Schedule(cases, blocks, seed)) {
			t.Error("the order does not follow from the seed")
		}
		seen := map[[2]string]map[int]bool{}
		changes := 0
		for i, s := range plan {
			if s.Block != i/perBlock {
				t.Errorf("step %d is in block %d", i, s.Block)
			}
			key := [2]string{s.Case.ID(), s.Mode}
			if seen[key] == nil {
				seen[key] = map[int]bool{}
			}
			seen[key][s.Block] = true
			if i%perBlock == 0 || plan[i-1].Case.ID() != s.Case.ID() {
				changes++
			}
		}
		for key, in := range seen {
			if len(in) != blocks {
				t.Errorf("%v comes in %d blocks", key, len(in))
			}
		}
		if len(seen) != perBlock || changes != blocks*len(cases) {
			t.Errorf("%d modes of cases, the case changes %d times", len(seen), changes)
		}
		firstModes[plan[0].Mode] = true
		firstCases[plan[0].Case.ID()] = true
	}
	if len(firstModes) != 3 || len(firstCases) != 3 {
		t.Errorf("first are always %v of %v", firstModes, firstCases)
	}
}
