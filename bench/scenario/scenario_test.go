package scenario

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sockaccel/sockaccel/bench/record"
)

func TestPlan(t *testing.T) {
	seen := map[string]bool{}
	for i := range All {
		s := &All[i]
		for _, connections := range []int{0, 7} {
			ids := map[string]bool{}
			for _, c := range s.Plan(Settings{time.Second, connections, true}) {
				if ids[c.ID()] {
					t.Errorf("%s comes twice", c.ID())
				}
				ids[c.ID()] = true
				if connections > 0 && c.Connections != connections {
					t.Errorf("%s has %d connections", c.ID(), c.Connections)
				}
				if want := map[bool]float64{false: 1, true: longer}[len(s.Needs) > 0]; c.DurationSeconds != want {
					t.Errorf("%s is measured for %g s, want %g", c.ID(), c.DurationSeconds, want)
				}
				if c.Load == "" || c.Connections < 1 || c.Size < 1 || c.Pipeline < 1 || c.Unit == "" || c.Operation == "" {
					t.Errorf("%s is not complete: %+v", c.ID(), c)
				}
				if c.Modes[0] != record.ModeOff || c.Modes[1] != record.ModeOn {
					t.Errorf("%s: modes %v", c.ID(), c.Modes)
				}
			}
		}
		for _, c := range s.Plan(Settings{}) {
			if slices.Contains(c.Modes, record.ModeBaseline) {
				t.Errorf("%s has a baseline that was not asked for", c.ID())
			}
		}
		if got := len(s.Plan(Settings{Baseline: true})); got != len(s.Cases) {
			t.Errorf("%s: %d of %d cases", s.Name, got, len(s.Cases))
		}
		if seen[s.Name] || s.Load == "" {
			t.Errorf("%s comes twice, or says nothing", s.Name)
		}
		seen[s.Name] = true
		if found, err := Find(s.Name); found != s || err != nil {
			t.Errorf("Find(%q): %v, %v", s.Name, found, err)
		}
	}
}

// One number of connections for all leaves no two cases that are the same.
func TestPlanWithConnections(t *testing.T) {
	rr, err := Find("rr")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range rr.Plan(Settings{Connections: 4}) {
		names = append(names, c.Name)
	}
	want := []string{"64B x4", "1KiB x4", "16KiB x4", "64KiB x4", "64B x4 10k/s", "16KiB x4 10k/s"}
	if !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
}

func TestFindUnknown(t *testing.T) {
	_, err := Find("htpp-lb")
	if err == nil || !strings.Contains(err.Error(), `unknown scenario "htpp-lb"`) || !strings.Contains(err.Error(), "http-lb") {
		t.Errorf("%v", err)
	}
}
