package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/sockaccel/sockaccel/internal/engine"
	"github.com/sockaccel/sockaccel/internal/remedy"
)

func TestSafe(t *testing.T) {
	for _, tt := range []struct {
		name   string
		check  Check
		accept []string
		safe   bool
	}{
		{"needed and there", Check{Result: Yes, Needed: true}, nil, true},
		{"needed and not there", Check{Result: No, Needed: true}, nil, false},
		{"needed and not tried", Check{Result: Skipped, Needed: true}, nil, false},
		{"not needed and not there", Check{Result: No}, nil, true},
		{"not needed and not tried", Check{Result: Skipped}, nil, true},
		{"broken", Check{Result: Broken, Needed: true}, []string{engine.RiskSplice}, false},
		{"broken, not needed", Check{Result: Broken}, nil, false},
		{"broken, to be accepted", Check{Result: Broken, risk: engine.RiskSplice}, []string{engine.RiskFIONREAD, engine.RiskSplice}, true},
		{"broken, but enable would not say so", Check{Result: Broken, risk: engine.RiskSplice}, []string{engine.RiskFIONREAD}, false},
	} {
		r := &Report{AcceptRisk: tt.accept, Checks: []Check{{Result: Yes, Needed: true}, tt.check}}
		if safe := !slices.ContainsFunc(r.Checks, r.endangers); safe != tt.safe {
			t.Errorf("%s: safe is %t", tt.name, safe)
		}
	}
}

// What is needed and not there keeps later stages from being tried, not its own.
func TestMissing(t *testing.T) {
	e := &examination{}
	if f := e.missing(test{stage: working}); f != nil {
		t.Errorf("skipped for nothing: %+v", f)
	}
	e.unmet = &unmet{trying, "programs"}
	if f := e.missing(test{stage: trying}); f != nil {
		t.Errorf("skipped with its stage: %+v", f)
	}
	if f := e.missing(test{stage: attaching}); f == nil || f.result != Skipped || f.do != "see programs" {
		t.Errorf("later stage: %+v", f)
	}
	e.unmet = &unmet{reading - 1, "limit"}
	if f := e.missing(test{stage: reading}); f == nil || f.means != "not tried after limit hung" {
		t.Errorf("after a hang: %+v", f)
	}
	e.unmet = &unmet{reading, capabilities}
	if f := e.missing(test{stage: trying}); f == nil || f.do != "run as root" {
		t.Errorf("without rights: %+v", f)
	}
}

func TestFindings(t *testing.T) {
	f := lacking(remedy.New("no thing", "get one"), "else")
	if f.result != No || f.means != "no thing" || f.do != "get one" {
		t.Errorf("%+v", f)
	}
	f = lacking(errors.Join(errors.New("one"), errors.New("two")), "else")
	if f.means != "one; two" || f.do != "else" {
		t.Errorf("%+v", f)
	}
	if f = lacking(errors.New("unheard of"), ""); f.do == "" {
		t.Errorf("nothing to do: %+v", f)
	}
	for err, hung := range map[error]bool{
		errors.New("wrong"): false, fmt.Errorf("late: %w", os.ErrDeadlineExceeded): true,
	} {
		if f := broken(err); f.result != Broken || f.hung != hung {
			t.Errorf("%+v", f)
		}
	}
}

func TestUnsafeNames(t *testing.T) {
	r := &Report{Checks: []Check{
		{Name: "a", Result: No, Needed: true}, {Name: "b", Result: Skipped, Needed: true}, {Name: "c", Result: Broken},
		{Name: "d", Result: Broken}, {Name: "e", Result: No}, {Name: "f", Result: Broken},
	}}
	if got := strings.Join(r.Unsafe(), ", "); got != "a, c, d, 1 more" {
		t.Error(got)
	}
	// What was only not tried is named when there is nothing else.
	r.Checks = []Check{{Name: "b", Result: Skipped, Needed: true}}
	if got := strings.Join(r.Unsafe(), ", "); got != "b" {
		t.Error(got)
	}
}

func TestTable(t *testing.T) {
	r := &Report{Safe: true, AcceptRisk: []string{"fionread", "splice"}, Checks: []Check{
		{Name: "btf", Result: Yes, Means: "there"}, {Name: "capabilities", Result: No, Means: "none", Do: "run as root"},
	}}
	var out bytes.Buffer
	if err := r.WriteText(&out); err != nil {
		t.Fatal(err)
	}
	want := `CHECK         RESULT  MEANS  DO
btf           yes     there  -
capabilities  no      none   run as root

acceleration is safe here: sockaccel enable --accept-risk fionread,splice
`
	if out.String() != want {
		t.Errorf("got\n%s", &out)
	}
	for _, r := range []struct {
		Report
		last string
	}{
		{Report{Safe: true}, "acceleration is safe here: sockaccel enable\n"},
		{Report{AcceptRisk: []string{"splice"}}, "acceleration is not safe here\n"},
	} {
		out.Reset()
		if err := r.WriteText(&out); err != nil || !strings.HasSuffix(out.String(), "\n"+r.last) {
			t.Errorf("%v: %q", err, &out)
		}
	}
}

// Names are for programs: none twice, none that JSON users could not write, and
// all of them documented.
func TestNames(t *testing.T) {
	text, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	last := reading
	for _, x := range tests {
		if seen[x.name] || strings.Trim(x.name, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
			t.Errorf("name %q", x.name)
		}
		if !bytes.Contains(text, []byte("`"+x.name+"`")) {
			t.Errorf("docs/cli.md does not describe %s", x.name)
		}
		if x.stage < last {
			t.Errorf("%s is tried too late", x.name)
		}
		seen[x.name], last = true, x.stage
	}
	if !seen[capabilities] {
		t.Error("no check of " + capabilities)
	}
}

func TestInterruptedBefore(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r, err := Run(ctx, Options{}); r != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("%+v, %v", r, err)
	}
}
