package record

import (
	"bytes"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

var started = time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)

// small is a recording of two rounds of a case.
func small() *Recording {
	c := Case{
		Scenario: "rr", Name: "64B x16", Modes: []string{ModeOff, ModeOn}, Connections: 16, Size: 64, Pipeline: 1,
		Unit: UnitRequests, Operation: "request",
	}
	rec := &Recording{
		Environment: Environment{
			Type: "environment", Format: Format, Version: "0.3", Revision: "unknown", Args: []string{"bench", "run", "rr"},
			Started: started, Rounds: 2, DurationSeconds: 1, WarmupSeconds: 0.3, Seed: 1<<64 - 1, Cases: []Case{c},
			AcceptedRisks: []string{}, Programs: map[string]string{"wrk": "4.1.0"},
			Host: Host{Kernel: "6.18.44", CPUs: 2, MemoryBytes: 1 << 33, SockOps: []string{"other"}},
		},
		Skips: []Skip{{"skip", "redis", "redis-server is missing"}},
		Ended: started.Add(time.Minute),
	}
	for i, mode := range []string{ModeOff, ModeOn, ModeOn, ModeOff} {
		s := Sample{Type: "sample", Scenario: "rr", Case: "64B x16", Mode: mode, Block: i / 2, Position: i}
		s.Operations, s.AllOperations, s.Bytes, s.Seconds = 1000, 1300, 64_000, 1.5
		s.Latency = NewHistogram()
		s.Latency.Add(time.Millisecond, 1000)
		s.CPUSeconds, s.SentMessages = 0.25, 2600
		if mode == ModeOn {
			s.Counted = &Counted{Redirected: 2500, TCP: 100, NotAccelerated: map[string]uint64{"no_evidence": 4}}
		}
		rec.Samples = append(rec.Samples, s)
	}
	return rec
}

// written is what a Writer makes of a recording.
func written(t testing.TB, rec *Recording) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out, rec.Environment)
	for _, s := range rec.Skips {
		err = errors.Join(err, w.Skip(s.Scenario, s.Reason))
	}
	for _, s := range rec.Samples {
		err = errors.Join(err, w.Sample(s))
	}
	if err = errors.Join(err, w.End(rec.Ended)); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestRoundTrip(t *testing.T) {
	want := small()
	got, err := Read(bytes.NewReader(written(t, want)))
	if err != nil {
		t.Fatal(err)
	}
	for i := range got.Samples {
		g, w := got.Samples[i].Latency, want.Samples[i].Latency
		if g.Count() != w.Count() || g.Quantile(0.5) != w.Quantile(0.5) {
			t.Errorf("sample %d: latency of %d, median %s", i, g.Count(), g.Quantile(0.5))
		}
		got.Samples[i].Latency, want.Samples[i].Latency = nil, nil
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("read    %+v\nwritten %+v", got, want)
	}
}

// What was measured is not lost when a benchmark is interrupted.
func TestWriterWritesAtOnce(t *testing.T) {
	var out bytes.Buffer
	rec := small()
	w, err := NewWriter(&out, rec.Environment)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range rec.Samples {
		s.Type, s.Position = "", 99
		if err := w.Sample(s); err != nil {
			t.Fatal(err)
		}
		if got := bytes.Count(out.Bytes(), []byte("\n")); got != i+2 {
			t.Errorf("%d lines after %d samples", got, i+1)
		}
	}
}

// A recording that ends anywhere before its end is an error of one line that
// says so. Only the last newline may be missing.
func TestTruncated(t *testing.T) {
	text := written(t, small())
	for n := range len(text) - 1 {
		rec, err := Read(bytes.NewReader(text[:n]))
		if err == nil || rec != nil {
			t.Fatalf("%d of %d bytes are a recording", n, len(text))
		}
		if !strings.Contains(err.Error(), "truncated") || strings.Contains(err.Error(), "\n") {
			t.Fatalf("%d bytes: %q", n, err)
		}
	}
	if _, err := Read(bytes.NewReader(text[:len(text)-1])); err != nil {
		t.Errorf("without the last newline: %v", err)
	}
}

// edited returns the lines of a recording after a change.
func edited(t *testing.T, change func(lines []string) []string) string {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(string(written(t, small())), "\n"), "\n")
	return strings.Join(change(lines), "\n") + "\n"
}

func replaced(line int, old, new string) func([]string) []string {
	return func(lines []string) []string {
		if !strings.Contains(lines[line], old) {
			return nil
		}
		lines[line] = strings.ReplaceAll(lines[line], old, new)
		return lines
	}
}

// The lines of small are: environment, skip, four samples, end.
func TestRefused(t *testing.T) {
	without := func(n int) func([]string) []string {
		return func(lines []string) []string { return append(lines[:n], lines[n+1:]...) }
	}
	twice := func(n int) func([]string) []string {
		return func(lines []string) []string { return append(lines[:n+1], lines[n:]...) }
	}
	for _, x := range []struct {
		name, text, want string
	}{
		{"empty", "", "not a recording"},
		{"empty line", "\n", "not a recording"},
		{"binary", "\x7fELF\x02\x01\x01\x00\n\x00\x00", "not a recording"},
		{"long binary", strings.Repeat("\x00", maxLine+1), "not a recording"},
		{"other JSON", `{"results": []}`, "not a recording"},
		{"other type", `{"type": "sample"}`, "not a recording"},
		{"a list", `[{"type": "environment"}]`, "not a recording"},
		{"null", "null", "not a recording"},
		{"other format", edited(t, replaced(0, `"format":1`, `"format":2`)), "recording of format 2, this version reads format 1"},
		{"no format", edited(t, replaced(0, `"format":1`, `"x":1`)), "recording of format 0"},
		{"no environment", edited(t, without(0)), "not a recording"},
		{"no first sample", edited(t, without(2)), "line 3: sample 1 follows 0 others: lines are missing"},
		{"no middle sample", edited(t, without(4)), "line 5: sample 3 follows 2 others"},
		{"no last sample", edited(t, without(5)), "truncated: 3 of 4 samples are there"},
		{"no end", edited(t, without(6)), "truncated"},
		{"two environments", edited(t, twice(0)), `line 2: unknown type "environment"`},
		{"a sample twice", edited(t, twice(3)), "line 5: sample 1 follows 2 others"},
		{"two ends", edited(t, twice(6)), "line 8: behind the end"},
		{"a line behind", edited(t, func(l []string) []string { return append(l, "") }), "line 8: behind the end"},
		{"an empty line", edited(t, func(l []string) []string { return append(l[:3], append([]string{""}, l[3:]...)...) }), "line 4: truncated or damaged"},
		{"another block", edited(t, replaced(2, `"block":0`, `"block":2`)), "was not to be taken"},
		{"a negative block", edited(t, replaced(2, `"block":0`, `"block":-1`)), "was not to be taken"},
		{"a block twice", edited(t, replaced(4, `"block":1`, `"block":0`)), "line 5: second sample of "},
		{"another mode", edited(t, replaced(2, `"mode":"off"`, `"mode":"unix"`)), "was not to be taken"},
		{"another case", edited(t, replaced(2, `64B x16`, `a\nb\u001b`)), "was not to be taken"},
		{"wrong sample", edited(t, replaced(2, `"block":0`, `"block":"0"`)), "line 3: damaged"},
		{"wrong environment", edited(t, replaced(0, `"rounds":2`, `"rounds":"2"`)), "line 1: damaged"},
		{"wrong skip", edited(t, replaced(1, `"scenario":"redis"`, `"scenario":1`)), "line 2: damaged"},
		{"wrong end", edited(t, replaced(6, `"samples":4`, `"samples":"4"`)), "line 7: damaged"},
		{"end of fewer", edited(t, replaced(6, `"samples":4`, `"samples":3`)), "truncated"},
		{"unknown line", edited(t, replaced(1, `"type":"skip"`, `"type":"a\nb"`)), `line 2: unknown type "a\nb"`},
		{"no histogram", edited(t, replaced(2, `"latency":"`, `"latency":"x`)), "line 3: damaged: decode histogram"},
	} {
		t.Run(x.name, func(t *testing.T) {
			rec, err := Read(strings.NewReader(x.text))
			if err == nil || rec != nil {
				t.Fatalf("read %q", x.text)
			}
			if !strings.Contains(err.Error(), x.want) || strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("%q, want %q in one line", err, x.want)
			}
		})
	}
}

// failing is a file that can not be read or written.
type failing struct{}

func (failing) Read([]byte) (int, error)  { return 0, os.ErrPermission }
func (failing) Write([]byte) (int, error) { return 0, os.ErrPermission }

func TestIOErrors(t *testing.T) {
	if _, err := Read(failing{}); !errors.Is(err, os.ErrPermission) {
		t.Errorf("%v", err)
	}
	if _, err := NewWriter(failing{}, Environment{}); !errors.Is(err, os.ErrPermission) {
		t.Errorf("%v", err)
	}
}
