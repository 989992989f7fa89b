package report

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// screenshotsEnv names a directory in which the browser test leaves pictures
// of the page for a person to look at.
const screenshotsEnv = "SOCKACCEL_SCREENSHOTS"

func TestHTMLInBrowser(t *testing.T) {
	b := startChromium(t)
	dir := os.Getenv(screenshotsEnv)
	if dir == "" {
		dir = t.TempDir()
	}
	path := filepath.Join(t.TempDir(), "report.html")
	if err := os.WriteFile(path, renderHTML(t, realistic()), 0o644); err != nil {
		t.Fatal(err)
	}
	backgrounds := map[string]bool{}
	for _, size := range [][2]int{{1200, 900}, {360, 740}} {
		for _, scheme := range []string{"light", "dark"} {
			t.Run(fmt.Sprintf("%dx%d %s", size[0], size[1], scheme), func(t *testing.T) {
				b.open(path, size[0], size[1], scheme)
				var found htmlFindings
				b.eval(htmlProbe, &found)
				for part := 0; part*2400 < found.Height; part++ {
					name := fmt.Sprintf("%s-%d-%d.png", scheme, size[0], part)
					b.screenshot(filepath.Join(dir, name), size[0], part*2400, min(2400, found.Height-part*2400))
				}
				found.check(t, realistic())
				if n := b.count("Network.requestWillBeSent"); n != 1 {
					t.Errorf("%d requests, want that for the page itself only", n)
				}
				if n := b.count("Runtime.exceptionThrown"); n != 0 {
					t.Errorf("%d errors of scripts", n)
				}
				backgrounds[scheme+found.Background] = true
				if backgrounds["dark"+found.Background] && backgrounds["light"+found.Background] {
					t.Errorf("background %s is the same in light and dark", found.Background)
				}
			})
		}
	}
}

func (f *htmlFindings) check(t *testing.T, r *Report) {
	t.Helper()
	if f.Overflow > 0 {
		t.Errorf("the page is %d px wider than the window", f.Overflow)
	}
	lanes := 0
	for _, c := range r.Cases {
		for _, m := range c.Modes {
			if m.Difference != nil {
				lanes++ // throughput
			}
			if m.Latency != nil {
				lanes++
			}
		}
		lanes++ // CPU time, on only
	}
	axes := 0
	for _, s := range htmlScenarios(r) {
		axes += 3
		_ = s
	}
	if want := lanes + axes + len(htmlLegend(r)); f.Plots != want || f.Empty != 0 {
		t.Errorf("%d plots, %d of them empty, want %d", f.Plots+f.Empty, f.Empty, want)
	}
	for what, list := range map[string][]string{
		"loads": f.Resources, "texts overlap": f.Overlaps, "text leaves the window": f.Clipped, "contrast below 4.5": f.Faint,
	} {
		for _, item := range list {
			t.Errorf("%s: %s", what, item)
		}
	}
}
