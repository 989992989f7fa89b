package runner

import (
	"bytes"
	"strings"
	"testing"

	"github.com/sockaccel/sockaccel/bench/record"
)

var aPlan = []Step{
	{record.Case{Scenario: "with-a-long-name"}, record.ModeBaseline, 0},
	{record.Case{Scenario: "rr"}, record.ModeOn, 0},
	{record.Case{Scenario: "rr"}, record.ModeOff, 1},
}

func TestProgressTerminal(t *testing.T) {
	var out bytes.Buffer
	p := NewProgress(&out, true)
	for i := range aPlan {
		p.Step(aPlan, i)
	}
	p.Note("stays")
	lines := strings.Split(out.String(), "\n")
	if len(lines) != 2 || !strings.HasSuffix(lines[0], "\rstays") {
		t.Fatalf("%q", out.String())
	}
	// Each covers what was there before it.
	shown := strings.Split(lines[0], "\r")[1:]
	for i := 1; i < len(shown)-1; i++ {
		if len(shown[i]) < len(strings.TrimRight(shown[i-1], " ")) {
			t.Errorf("%q does not cover %q", shown[i], shown[i-1])
		}
	}
}

func TestProgressFile(t *testing.T) {
	var out bytes.Buffer
	p := NewProgress(&out, false)
	for i := range aPlan {
		p.Step(aPlan, i)
	}
	p.End()
	if want := "block 1 of 2\nblock 2 of 2\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}
