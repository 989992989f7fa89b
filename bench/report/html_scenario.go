package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sockaccel/sockaccel/bench/record"
)

// htmlScenario are the cases of a scenario, which share panels and a table.
type htmlScenario struct {
	Name  string
	Load  string   // what it does
	Slug  string   // unique, for anchors
	Parts []string // of the page that show it: "throughput", "latency", "cpu"
	Cases []*Case
}

// htmlScenarios groups cases in the order of their first appearance.
func htmlScenarios(r *Report) []htmlScenario {
	var all []htmlScenario
	for i := range r.Cases {
		c := &r.Cases[i]
		at := slices.IndexFunc(all, func(s htmlScenario) bool { return s.Name == c.Scenario })
		if at < 0 {
			at = len(all)
			all = append(all, htmlScenario{Name: c.Scenario, Load: c.Load, Slug: htmlSlug(c.Scenario, at)})
		}
		all[at].Cases = append(all[at].Cases, c)
	}
	return all
}

// add appends a panel of the scenario to a part of the page, if it shows anything.
func (s *htmlScenario) add(panels []htmlPanel, part string, p htmlPanel) []htmlPanel {
	if len(p.Rows) == 0 {
		return panels
	}
	s.Parts = append(s.Parts, part)
	p.Scenario, p.Part = s, part
	return append(panels, p)
}

// htmlSlug makes an anchor of a name. Names that are no anchors get a number.
func htmlSlug(name string, n int) string {
	for _, r := range name {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789-", r) {
			return fmt.Sprintf("scenario-%d", n)
		}
	}
	if name == "" {
		return fmt.Sprintf("scenario-%d", n)
	}
	return name
}

// Anchor is where the page first shows the scenario.
func (s htmlScenario) Anchor() string { return append(s.Parts, "numbers")[0] + "-" + s.Slug }

// htmlCaseName names a case within its scenario; the only one by its settings.
func htmlCaseName(c *Case) string {
	if c.Name == "" {
		return htmlSettings(c)
	}
	return c.Name
}

func htmlSettings(c *Case) string {
	connections := "connections"
	if c.Connections == 1 {
		connections = "connection"
	}
	text := fmt.Sprintf("%d %s, %d B", c.Connections, connections, c.Size)
	if c.Pipeline > 1 {
		text += fmt.Sprintf(", %d pipelined", c.Pipeline)
	}
	if c.Rate > 0 {
		text += ", " + htmlNumber(c.Rate) + "/s offered"
	}
	return text
}

// htmlKey explains a mode.
type htmlKey struct {
	Mode string
	Mark htmlMark
	Text string
}

func htmlLegend(r *Report) []htmlKey {
	var keys []htmlKey
	for _, k := range []htmlKey{
		{Mode: record.ModeOff, Text: "plain TCP: what everything is compared with"},
		{Mode: record.ModeOn, Text: "accelerated by sockaccel"},
		{Mode: record.ModeBaseline, Text: "the usual 4-tuple redirect: fast and unsafe"},
		{Mode: record.ModeUnix, Text: "the same work over AF_UNIX: the practical limit"},
	} {
		if slices.ContainsFunc(r.Cases, func(c Case) bool { return c.mode(k.Mode) != nil }) {
			k.Mark = htmlMark{Kind: htmlKind(k.Mode), X: "50"}
			keys = append(keys, k)
		}
	}
	return keys
}
