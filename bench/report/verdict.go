package report

import "github.com/sockaccel/sockaccel/bench/record"

// Score counts the cases in which acceleration changes something.
type Score struct {
	Name                         string // of what is compared, such as "throughput"
	Better, Worse, Undecided, Of int
}

// Loss is a difference for the worse.
type Loss struct {
	ID, Name   string // of the case, and of what is worse there
	Difference Difference
}

// Verdict counts and lists what acceleration changes: every case counts, what
// is not shown as undecided.
func (r *Report) Verdict() (scores []Score, losses []Loss) {
	for _, of := range []struct {
		name       string
		sign       float64 // -1 where less is better
		difference func(*Mode) *Difference
	}{
		{"throughput", 1, func(m *Mode) *Difference { return m.Difference }},
		{"p99 latency", -1, func(m *Mode) *Difference { return m.P99Difference }},
		{"CPU per operation", -1, func(m *Mode) *Difference { return m.CPUDifference }},
	} {
		s := Score{Name: of.name}
		for _, c := range r.Cases {
			on := c.mode(record.ModeOn)
			if on == nil || of.difference(on) == nil {
				continue
			}
			s.Of++
			switch d := of.difference(on); {
			case !d.Shown:
				s.Undecided++
			case d.Percent.Median*of.sign > 0:
				s.Better++
			default:
				s.Worse++
				losses = append(losses, Loss{c.ID, of.name, *d})
			}
		}
		scores = append(scores, s)
	}
	return scores, losses
}

func (c *Case) mode(name string) *Mode {
	for i := range c.Modes {
		if c.Modes[i].Mode == name {
			return &c.Modes[i]
		}
	}
	return nil
}
