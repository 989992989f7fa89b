package engine

import (
	"slices"
	"strings"
	"testing"

	"github.com/sockaccel/sockaccel/internal/probe"
)

func TestParseRisks(t *testing.T) {
	for list, want := range map[string][]string{
		"":                             {},
		"splice":                       {"splice"},
		"splice,fionread,blocking":     {"blocking", "fionread", "splice"},
		" splice , splice,, fionread ": {"fionread", "splice"},
		"blocking splice":              {"blocking", "splice"},
	} {
		got, err := ParseRisks(list)
		if err != nil || got == nil || !slices.Equal(got, want) {
			t.Errorf("ParseRisks(%q) = %q, %v", list, got, err)
		}
	}
	for _, list := range []string{"all", "Splice", "splice;fionread", "splice,none"} {
		if _, err := ParseRisks(list); err == nil || !strings.Contains(err.Error(), "splice, fionread and blocking") {
			t.Errorf("ParseRisks(%q): %v", list, err)
		}
	}
}

func TestCheckRisks(t *testing.T) {
	for _, tt := range []struct {
		fionread string
		accepted []string
		advice   string // "" when nothing is missing
	}{
		{probe.FIONREADRight, nil, "--accept-risk splice"},
		{probe.FIONREADRight, []string{"splice"}, ""},
		{probe.FIONREADBlindTCP, nil, "--accept-risk fionread,splice"},
		{probe.FIONREADBlindTCP, []string{"splice"}, "--accept-risk fionread"},
		{probe.FIONREADBlindQueue, []string{"fionread"}, "--accept-risk splice"},
		{probe.FIONREADBlindQueue, []string{"fionread", "splice"}, ""},
	} {
		err := checkRisks(probe.Result{FIONREAD: tt.fionread}, tt.accepted)
		switch {
		case err == nil && tt.advice != "":
			t.Errorf("FIONREAD %s with %q: not refused", tt.fionread, tt.accepted)
		case err != nil && (tt.advice == "" || !strings.HasSuffix(err.Error(), tt.advice)):
			t.Errorf("FIONREAD %s with %q: %v", tt.fionread, tt.accepted, err)
		}
	}
}
