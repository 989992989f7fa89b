package record

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// Recording is a complete file.
type Recording struct {
	Environment Environment
	Samples     []Sample // in the order in which they were taken
	Skips       []Skip
	Ended       time.Time
}

// Writer writes a recording, each line at once: what was measured is not lost
// when a benchmark is interrupted.
type Writer struct {
	enc     *json.Encoder
	samples int
}

// NewWriter writes the environment to w, whose owner the caller remains.
func NewWriter(w io.Writer, e Environment) (*Writer, error) {
	e.Type, e.Format = "environment", Format
	out := &Writer{enc: json.NewEncoder(w)}
	return out, out.write(e)
}

// Sample appends a sample and numbers it.
func (w *Writer) Sample(s Sample) error {
	s.Type, s.Position = "sample", w.samples
	w.samples++
	return w.write(s)
}

// Skip notes a scenario that can not be run.
func (w *Writer) Skip(scenario, reason string) error {
	return w.write(Skip{"skip", scenario, reason})
}

// End completes the recording.
func (w *Writer) End(at time.Time) error { return w.write(End{"end", w.samples, at}) }

func (w *Writer) write(line any) error {
	if err := w.enc.Encode(line); err != nil {
		return fmt.Errorf("write recording: %w", err)
	}
	return nil
}

// maxLine is far more than an environment or a sample needs.
const maxLine = 16 << 20

var errNoRecording = errors.New("not a recording of sockaccel bench run, or truncated in its first line")

// Read reads a recording. It is an error if it is of another version, damaged
// or not complete.
func Read(r io.Reader) (*Recording, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	rec := &Recording{}
	ended := false
	n := 0
	for lines.Scan() {
		n++
		if ended {
			return nil, fmt.Errorf("line %d: behind the end of the recording", n)
		}
		var err error
		if ended, err = rec.line(n, lines.Bytes()); err != nil {
			return nil, err
		}
	}
	if err := lines.Err(); n == 0 && errors.Is(err, bufio.ErrTooLong) {
		return nil, errNoRecording
	} else if err != nil {
		return nil, fmt.Errorf("line %d: %w", n+1, err)
	}
	if n == 0 {
		return nil, errNoRecording
	}
	if !ended {
		return nil, fmt.Errorf("truncated: ends after %d of %d samples, so nothing can be said: run it again",
			len(rec.Samples), rec.planned())
	}
	return rec, nil
}

// line takes in line n, and reports whether it is the end.
func (rec *Recording) line(n int, text []byte) (end bool, err error) {
	var head struct {
		Type   string `json:"type"`
		Format int    `json:"format"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		if n == 1 {
			return false, errNoRecording
		}
		return false, fmt.Errorf("line %d: truncated or damaged: %w", n, err)
	}
	switch {
	case n == 1 && head.Type != "environment":
		return false, errNoRecording
	case n == 1 && head.Format != Format:
		return false, fmt.Errorf("recording of format %d, this version reads format %d: use the sockaccel that made it",
			head.Format, Format)
	case n == 1:
		return false, decode(n, text, &rec.Environment)
	}
	switch head.Type {
	case "sample":
		var s Sample
		if err := decode(n, text, &s); err != nil {
			return false, err
		}
		if err := rec.check(&s); err != nil {
			return false, fmt.Errorf("line %d: %w", n, err)
		}
		rec.Samples = append(rec.Samples, s)
	case "skip":
		var s Skip
		if err := decode(n, text, &s); err != nil {
			return false, err
		}
		rec.Skips = append(rec.Skips, s)
	case "end":
		var e End
		if err := decode(n, text, &e); err != nil {
			return false, err
		}
		if e.Samples != len(rec.Samples) || e.Samples != rec.planned() {
			return false, fmt.Errorf("truncated: %d of %d samples are there", len(rec.Samples), rec.planned())
		}
		rec.Ended = e.Ended
		return true, nil
	default:
		return false, fmt.Errorf("line %d: unknown type %q", n, head.Type)
	}
	return false, nil
}

func decode(n int, text []byte, v any) error {
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(v); err != nil {
		return fmt.Errorf("line %d: damaged: %w", n, err)
	}
	return nil
}

// check refuses a sample that belongs to no case, or is out of order.
func (rec *Recording) check(s *Sample) error {
	if s.Position != len(rec.Samples) {
		return fmt.Errorf("sample %d follows %d others: lines are missing", s.Position, len(rec.Samples))
	}
	i := slices.IndexFunc(rec.Environment.Cases, func(c Case) bool { return c.ID() == s.ID() })
	if i < 0 || !slices.Contains(rec.Environment.Cases[i].Modes, s.Mode) || s.Block < 0 || s.Block >= rec.Environment.Rounds {
		return fmt.Errorf("sample of %q, %q, block %d was not to be taken", s.ID(), s.Mode, s.Block)
	}
	// Then a recording that has all samples has each.
	if slices.ContainsFunc(rec.Samples, func(other Sample) bool {
		return other.Block == s.Block && other.Mode == s.Mode && other.ID() == s.ID()
	}) {
		return fmt.Errorf("second sample of %q, %q, block %d", s.ID(), s.Mode, s.Block)
	}
	return nil
}

// planned is the number of samples of a complete recording.
func (rec *Recording) planned() (n int) {
	for _, c := range rec.Environment.Cases {
		n += len(c.Modes) * rec.Environment.Rounds
	}
	return n
}
