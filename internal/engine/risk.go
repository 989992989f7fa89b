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

// checkRisks refuses what this kernel cannot exclude and nobody accepted.
func checkRisks(found probe.Result, accepted []string) error {
	reasons := map[string]string{
		RiskSplice: "a program that reads with recv first and splices later can hang",
	}
	if found.FIONREAD != probe.FIONREADRight {
		reasons[RiskFIONREAD] = "FIONREAD is " + found.FIONREAD + " bytes here: a program that trusts it can stop reading"
	}
	var missing, why []string
	for _, name := range []string{RiskFIONREAD, RiskSplice} {
		if reason, ok := reasons[name]; ok && !slices.Contains(accepted, name) {
			missing = append(missing, name)
			why = append(why, name+": "+reason)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("this kernel cannot exclude %s (%s): accept by name with --accept-risk %s",
		strings.Join(missing, " and "), strings.Join(why, "; "), strings.Join(missing, ","))
}

func parent(dir string) string { return filepath.Dir(dir) }
