package demo

import (
	"fmt"
	"io"
	"strings"
)

// progress tells on stderr how far the demonstration is: a line that changes
// where that is a terminal, otherwise a line for each block.
type progress struct {
	w        io.Writer
	terminal bool
	width    int // of what the changing line shows
}

func newProgress(w io.Writer, terminal bool) *progress { return &progress{w: w, terminal: terminal} }

// show replaces the changing line.
func (p *progress) show(format string, args ...any) {
	if !p.terminal {
		return
	}
	line := fmt.Sprintf(format, args...)
	fmt.Fprintf(p.w, "\r%-*s", p.width, line)
	p.width = len(line)
}

// note prints a line that stays.
func (p *progress) note(format string, args ...any) {
	p.end()
	fmt.Fprintf(p.w, format+"\n", args...)
}

// end takes the changing line away.
func (p *progress) end() {
	if p.width > 0 {
		fmt.Fprintf(p.w, "\r%s\r", strings.Repeat(" ", p.width))
		p.width = 0
	}
}

// block reports a block that is done.
func (p *progress) block(block, of int, s *samples) {
	if p.terminal {
		return
	}
	var ratios []string
	for w := range workloads {
		ratios = append(ratios, fmt.Sprintf("%s %.2fx", workloads[w].name, s.ratio(w, block)))
	}
	p.note("block %d of %d: %s", block+1, of, strings.Join(ratios, ", "))
}
