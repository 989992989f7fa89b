package report

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// printer collects lines of text.
type printer struct{ text strings.Builder }

// line prints one line, whatever its arguments contain.
func (p *printer) line(format string, args ...any) {
	p.text.WriteString(strings.TrimRight(printable(fmt.Sprintf(format, args...)), " "))
	p.text.WriteByte('\n')
}

// printable replaces what would end a line, or what a terminal obeys.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}

// names is how many columns of a table, from the left, hold names.
const names = 2

// table lines up rows: names at the left, numbers at the right.
type table [][]string

func (t *table) add(cells ...string) { *t = append(*t, cells) }

func (t table) print(p *printer) {
	widths := make([]int, len(t[0]))
	for _, row := range t {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range t {
		var line strings.Builder
		for i, cell := range row {
			width := widths[i]
			if i < names {
				width = -width
			}
			fmt.Fprintf(&line, "%*s  ", width, cell)
		}
		p.line("%s", line.String())
	}
}
