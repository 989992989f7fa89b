package report

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func TestHTMLInBrowser(t *testing.T) {
	b := startChromium(t)
	page := renderHTML(t, realistic())
	path := writePage(t, page)
	plots := bytes.Count(page, []byte(`<svg class="plot`)) + bytes.Count(page, []byte(`<svg class="key`))
	backgrounds := map[string]string{}
	for _, view := range []chromiumView{
		{"screen", "light", 1200, 900}, {"screen", "dark", 1200, 900},
		{"screen", "light", 360, 740}, {"screen", "dark", 360, 740},
		{"screen", "light", 768, 1024}, {"print", "dark", 960, 700},
	} {
		name := fmt.Sprintf("%s-%s-%d", view.media, view.scheme, view.width)
		t.Run(name, func(t *testing.T) {
			b.open(path, view)
			var found htmlFindings
			b.eval(htmlProbe, &found)
			b.screenshots(name, view.width, found.Height)
			found.check(t, plots)
			b.checkQuiet(t)
			backgrounds[name] = found.Background
		})
	}
	light, dark, print := backgrounds["screen-light-1200"], backgrounds["screen-dark-1200"], backgrounds["print-dark-960"]
	if light == dark || print != light {
		t.Errorf("background is %s if light, %s if dark, %s in print", light, dark, print)
	}
}

// A browser takes nothing of what a recording says for markup, however narrow.
func TestHTMLEscapesInBrowser(t *testing.T) {
	b := startChromium(t)
	path := writePage(t, renderHTML(t, hostile()))
	for _, width := range []int{1200, 360} {
		b.open(path, chromiumView{"screen", "light", width, 800})
		var found htmlFindings
		b.eval(htmlProbe, &found)
		if found.Scripts != 0 || found.Overflow > 0 {
			t.Errorf("%d px wide: %d elements are scripts, %d px too wide", width, found.Scripts, found.Overflow)
		}
		b.checkQuiet(t)
	}
}

func writePage(t *testing.T, page []byte) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "report.html")
	if err := os.WriteFile(path, page, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// checkQuiet checks that the page asked for nothing and no errors occurred.
func (b *chromium) checkQuiet(t *testing.T) {
	t.Helper()
	if n := b.count("Network.requestWillBeSent"); n != 1 {
		t.Errorf("%d requests, want that for the page itself only", n)
	}
	for _, event := range []string{"Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"} {
		if n := b.count(event); n != 0 {
			t.Errorf("%d times %s", n, event)
		}
	}
}

func (f *htmlFindings) check(t *testing.T, plots int) {
	t.Helper()
	if f.Overflow > 0 {
		t.Errorf("the page is %d px wider than the window", f.Overflow)
	}
	if f.Plots != plots || f.Empty != 0 {
		t.Errorf("%d pictures are shown and %d empty, want %d", f.Plots, f.Empty, plots)
	}
	for what, list := range map[string][]string{
		"loads": f.Resources, "texts overlap": f.Overlaps, "text leaves the window": f.Clipped, "contrast below 4.5": f.Faint,
	} {
		for _, item := range list {
			t.Errorf("%s: %s", what, item)
		}
	}
}
