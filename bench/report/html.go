package report

import (
	"embed"
	"fmt"
	"html/template"
	"io"
)

//go:embed html
var htmlFiles embed.FS

var htmlTemplate = template.Must(template.ParseFS(htmlFiles, "html/*.html"))

// htmlPage is what the template shows.
type htmlPage struct {
	*Report
	Style      template.CSS
	Verdict    string
	Scores     []Score
	Compared   int // in all scores
	Losses     []htmlLosses
	Legend     []htmlKey
	Scenarios  []htmlScenario
	Throughput []htmlPanel
	Latency    []htmlPanel
	CPU        []htmlPanel
	Tables     []htmlTable
	Host       []htmlFact
	Run        []htmlFact
	Samples    int
}

// WriteHTML writes one page that needs nothing else: no network, no script.
// What the recording says is escaped. The caller remains the owner of w.
func (r *Report) WriteHTML(w io.Writer) error {
	style, err := htmlFiles.ReadFile("html/style.css")
	if err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	scores, losses := r.Verdict()
	scenarios := htmlScenarios(r)
	p := &htmlPage{
		Report: r, Style: template.CSS(style), Scenarios: scenarios,
		Verdict: htmlVerdict(r, scores), Scores: scores, Losses: htmlGroup(losses, scenarios), Legend: htmlLegend(r),
		Host: htmlHost(&r.Environment), Run: htmlRun(&r.Environment),
	}
	for _, s := range scores {
		p.Compared += s.Of
	}
	ratio := htmlRatioAxis(r)
	for i := range p.Scenarios {
		s := &p.Scenarios[i]
		p.Throughput = s.add(p.Throughput, "throughput", htmlRelativePanel(s, htmlThroughput, ratio))
		p.Latency = s.add(p.Latency, "latency", htmlLatencyPanel(s))
		p.CPU = s.add(p.CPU, "cpu", htmlRelativePanel(s, htmlCPU, ratio))
		p.Tables = append(p.Tables, htmlNumbers(s, r.Environment.Rounds))
	}
	for _, c := range r.Cases {
		for _, m := range c.Modes {
			p.Samples += m.N
		}
	}
	if err := htmlTemplate.ExecuteTemplate(w, "page.html", p); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	return nil
}
