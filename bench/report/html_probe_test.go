package report

import _ "embed"

// htmlProbe judges a page by how a browser lays it out.
//
//go:embed testdata/html_probe.js
var htmlProbe string

// htmlFindings is what the probe returns.
type htmlFindings struct {
	Height     int
	Overflow   int      // by how many px the page is wider than the window
	Plots      int      // svg elements that show something
	Empty      int      // svg elements that do not
	Resources  []string // that were loaded
	Overlaps   []string // texts that overlap in a chart
	Clipped    []string // texts of charts that leave the window
	Faint      []string // texts with a contrast below 4.5
	Scripts    int      // elements that run something
	Background string
}
