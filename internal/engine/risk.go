package engine

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sockaccel/sockaccel/internal/probe"
)

// Risks that a user may accept by name; design and docs/known-issues.md say
// what each means.
const (
	RiskSplice   = "splice"
	RiskFIONREAD = "fionread"
	RiskBlocking = "blocking"
)

// ParseRisks reads a comma-separated list of risks.
func ParseRisks(list string) ([]string, error) {
	risks := []string{}
	for _, name := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' }) {
		if name != RiskSplice && name != RiskFIONREAD && name != RiskBlocking {
			return nil, fmt.Errorf("unknown risk %q: the risks are splice, fionread and blocking", name)
		}
		if !slices.Contains(risks, name) {
			risks = append(risks, name)
		}
	}
	slices.Sort(risks)
	return risks, nil
}

// Risk is what a kernel cannot exclude.
type Risk struct{ Name, Reason string }

// Risks are those that enabling demands to be accepted, by name.
func Risks(found probe.Result) (risks []Risk) {
	if found.FIONREAD != probe.FIONREADRight && !found.Correction {
		risks = append(risks, Risk{RiskFIONREAD,
			"FIONREAD is " + found.FIONREAD + " bytes here: a program that trusts it can stop reading"})
	}
	if !found.Guard {
		risks = append(risks, Risk{RiskSplice, "a program that reads with recv first and splices later can hang"})
	}
	return risks
}

// RiskNames are the names of Risks, never nil.
func RiskNames(found probe.Result) []string {
	names := []string{}
	for _, risk := range Risks(found) {
		names = append(names, risk.Name)
	}
	return names
}

// checkRisks refuses what this kernel cannot exclude and nobody accepted.
func checkRisks(found probe.Result, accepted []string) error {
	var missing, why []string
	for _, risk := range Risks(found) {
		if !slices.Contains(accepted, risk.Name) {
			missing = append(missing, risk.Name)
			why = append(why, risk.Name+": "+risk.Reason)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("this kernel cannot exclude %s (%s): accept by name with --accept-risk %s",
		strings.Join(missing, " and "), strings.Join(why, "; "), strings.Join(missing, ","))
}

func parent(dir string) string { return filepath.Dir(dir) }
