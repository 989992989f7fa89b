package report

import (
	"fmt"
	"slices"

	"github.com/sockaccel/sockaccel/bench/record"
)

// htmlVerdict is the report in a sentence.
func htmlVerdict(r *Report, scores []Score) string {
	s := scores[slices.IndexFunc(scores, func(s Score) bool { return s.Name == "throughput" })]
	if s.Of == 0 {
		return "Nothing was compared."
	}
	cases := "cases"
	if s.Of == 1 {
		cases = "case"
	}
	text := fmt.Sprintf("Faster in %d of %d %s, slower in %d, undecided in %d", s.Better, s.Of, cases, s.Worse, s.Undecided)
	var shares []float64
	for i := range r.Cases {
		c := &r.Cases[i]
		on := c.mode(record.ModeOn)
		if on != nil && on.RedirectedShare != nil && c.Scenario != remote {
			shares = append(shares, *on.RedirectedShare)
		}
	}
	slices.Sort(shares)
	switch n := len(shares); n {
	case 0:
		return text + "."
	case 1:
		return text + "; " + htmlShare(shares[0]) + " of the messages were redirected."
	default:
		return text + "; " + htmlShare(shares[(n-1)/2]) + " of the messages were redirected in the median case, " +
			htmlShare(shares[0]) + " in the lowest."
	}
}

// htmlLoss is a case that acceleration makes worse.
type htmlLoss struct {
	Loss
	Slug  string // of its scenario
	Label htmlLabel
}

func htmlLosses(losses []Loss, scenarios []htmlScenario) []htmlLoss {
	var out []htmlLoss
	for _, l := range losses {
		for _, s := range scenarios {
			if slices.ContainsFunc(s.Cases, func(c *Case) bool { return c.ID == l.ID }) {
				out = append(out, htmlLoss{l, s.Slug, htmlLabel{Tone: "bad", Text: htmlPercent(l.Difference.Percent.Median), Range: htmlPercentRange(l.Difference.Percent)}})
				break
			}
		}
	}
	return out
}
