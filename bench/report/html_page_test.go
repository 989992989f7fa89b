package report

import (
	"bytes"
	"encoding/xml"
	"io"
	"slices"
	"strings"
	"testing"
)

// htmlElement is an element of a page, in the order in which they begin.
type htmlElement struct {
	xml.StartElement
	parent *htmlElement
	text   string // directly in it
}

func (e *htmlElement) name() string { return strings.ToLower(e.Name.Local) }

func (e *htmlElement) attribute(key string) string {
	for _, a := range e.Attr {
		if a.Name.Local == key {
			return a.Value
		}
	}
	return ""
}

// htmlDocument is a page. Ours are well-formed XML too: so nothing is closed in
// another order than opened or not quoted, which a browser repairs silently.
type htmlDocument struct {
	elements []*htmlElement
	text     string // but that of style
}

func parseHTML(t *testing.T, page []byte) *htmlDocument {
	t.Helper()
	d := &htmlDocument{}
	tokens := xml.NewDecoder(bytes.NewReader(page))
	var in *htmlElement
	for {
		token, err := tokens.Token()
		if err == io.EOF {
			return d
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			in = &htmlElement{StartElement: token.Copy(), parent: in}
			d.elements = append(d.elements, in)
		case xml.EndElement:
			in = in.parent
		case xml.CharData:
			if in == nil {
				continue
			}
			in.text += string(token)
			if in.name() != "style" {
				d.text += string(token)
			}
		}
	}
}

// checkHTML checks what every page has to be, whatever it shows.
func checkHTML(t *testing.T, page []byte) *htmlDocument {
	t.Helper()
	d := parseHTML(t, page)
	d.checkElements(t)
	d.checkLinks(t)
	d.checkHeadings(t)
	for _, word := range []string{"NaN", "Inf", "%!", "<nil>"} {
		if strings.Contains(d.text, word) {
			t.Errorf("the page says %s", word)
		}
	}
	return d
}

// htmlNames are the elements of a page; none of them runs or loads anything.
var htmlNames = strings.Fields(`html head meta title style body header main section nav aside figure figcaption
	h1 h2 h3 p ul li dl dt dd div span a b small details summary
	table caption colgroup col thead tbody tr th td svg g path line rect text`)

func (d *htmlDocument) checkElements(t *testing.T) {
	t.Helper()
	for i, e := range d.elements {
		if !slices.Contains(htmlNames, e.name()) {
			t.Errorf("the page has <%s>", e.name())
		}
		for _, a := range e.Attr {
			switch key := a.Name.Local; {
			case strings.HasPrefix(key, "on"), key == "src", key == "style":
				t.Errorf("<%s> has %s=%q", e.name(), key, a.Value)
			case strings.Contains(a.Value, "NaN"), strings.Contains(a.Value, "Inf"), strings.Contains(a.Value, "ZgotmplZ"):
				t.Errorf("<%s> has %s=%q", e.name(), key, a.Value)
			}
		}
		switch e.name() {
		case "svg":
			plot := strings.HasPrefix(e.attribute("class"), "plot ")
			if plot && (e.attribute("role") != "img" || e.attribute("aria-label") == "") {
				t.Errorf("chart without a description: %v", e.Attr)
			}
		case "table":
			if d.elements[i+1].name() != "caption" {
				t.Error("table without a caption")
			}
		case "style":
			for _, word := range []string{"url(", "@import", "http:", "https:"} {
				if strings.Contains(e.text, word) {
					t.Errorf("the style has %s", word)
				}
			}
		}
	}
}

// checkLinks checks that links lead to an element of the page, and that no two
// elements are called alike.
func (d *htmlDocument) checkLinks(t *testing.T) {
	t.Helper()
	ids := map[string]bool{}
	for _, e := range d.elements {
		if id := e.attribute("id"); id != "" {
			if ids[id] {
				t.Errorf("two elements are #%s", id)
			}
			ids[id] = true
		}
	}
	for _, e := range d.elements {
		for _, a := range e.Attr {
			target, inPage := strings.CutPrefix(a.Value, "#")
			if a.Name.Local == "aria-labelledby" {
				target, inPage = a.Value, true
			} else if a.Name.Local != "href" {
				continue
			}
			if !inPage || !ids[target] {
				t.Errorf("<%s> leads to %q", e.name(), a.Value)
			}
		}
	}
}

func (d *htmlDocument) checkHeadings(t *testing.T) {
	t.Helper()
	level := byte('0')
	for _, e := range d.elements {
		if name := e.name(); len(name) == 2 && name[0] == 'h' {
			if name[1] > level+1 {
				t.Errorf("<%s> follows <h%c>", name, level)
			}
			level = name[1]
		}
	}
}
