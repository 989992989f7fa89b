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

// htmlLosses are the cases in which acceleration makes something worse.
type htmlLosses struct {
	Name   string // of what is worse
	Losses []htmlLoss
}

type htmlLoss struct {
	ID, Slug string // of the case, and of its scenario
	Label    htmlLabel
}

// htmlGroup groups losses, which are in the order of their names.
func htmlGroup(losses []Loss, scenarios []htmlScenario) []htmlLosses {
	slugs := map[string]string{}
	for _, s := range scenarios {
		for _, c := range s.Cases {
			slugs[c.ID] = s.Slug
		}
	}
	var out []htmlLosses
	for _, l := range losses {
		if len(out) == 0 || out[len(out)-1].Name != l.Name {
			out = append(out, htmlLosses{Name: l.Name})
		}
		group := &out[len(out)-1]
		group.Losses = append(group.Losses, htmlLoss{l.ID, slugs[l.ID], htmlLabel{
			Tone: "bad", Text: htmlPercent(l.Difference.Percent.Median), Range: htmlPercentRange(l.Difference.Percent),
		}})
	}
	return out
}
