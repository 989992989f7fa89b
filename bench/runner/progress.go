package runner

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Progress tells how far a benchmark is: a line that changes where that is a
// terminal, otherwise a line for each block.
type Progress struct {
	w        io.Writer
	terminal bool
	width    int // of what the changing line shows
	start    time.Time
}

// NewProgress tells on w, which may be a terminal.
func NewProgress(w io.Writer, terminal bool) *Progress {
	return &Progress{w: w, terminal: terminal, start: time.Now()}
}

// Step tells that step i of the plan begins, counted from 0.
func (p *Progress) Step(plan []Step, i int) {
	s, blocks := plan[i], plan[len(plan)-1].Block+1
	if !p.terminal {
		if i == 0 || plan[i-1].Block != s.Block {
			p.Note("block %d of %d%s", s.Block+1, blocks, p.left(i, len(plan)))
		}
		return
	}
	p.Show(fmt.Sprintf("block %d of %d: %s, %s%s", s.Block+1, blocks, s.Case.ID(), s.Mode, p.left(i, len(plan))))
}

// Show changes the line that changes, where there is one.
func (p *Progress) Show(line string) {
	if !p.terminal {
		return
	}
	fmt.Fprintf(p.w, "\r%-*s", p.width, line)
	p.width = len(line)
}

// left says how long the rest takes, once some steps are done.
func (p *Progress) left(done, of int) string {
	if done < 4 {
		return ""
	}
	rest := time.Since(p.start) * time.Duration(of-done) / time.Duration(done)
	return fmt.Sprintf(", %s left", rest.Round(time.Second))
}

// Note prints a line that stays.
func (p *Progress) Note(format string, args ...any) {
	p.End()
	fmt.Fprintf(p.w, format+"\n", args...)
}

// End takes the changing line away.
func (p *Progress) End() {
	if p.width > 0 {
		fmt.Fprintf(p.w, "\r%s\r", strings.Repeat(" ", p.width))
		p.width = 0
	}
}
