package docs_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/sockaccel/sockaccel/internal/filter"
	"github.com/sockaccel/sockaccel/internal/status"
)

// keys returns the paths of all leaves, arrays as name[].
func keys(v any, path string, found map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			keys(inner, strings.TrimPrefix(path+"."+name, "."), found)
		}
	case []any:
		if len(v) == 0 {
			found[path] = true
		}
		for _, inner := range v {
			if _, ok := inner.(map[string]any); ok {
				keys(inner, path+"[]", found)
			} else {
				found[path] = true
			}
		}
	default:
		found[path] = true
	}
}

// statusKeys are those that `status --json` prints.
func statusKeys(t *testing.T) map[string]bool {
	t.Helper()
	text, err := json.Marshal(status.Status{
		AcceptedRisks: []string{}, Scopes: make([]status.Scope, 1), Filters: filter.Set{}.Normalize(),
	})
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	found := make(map[string]bool)
	keys(v, "", found)
	return found
}

// Every key of the status is described, and no other.
func TestStatusKeys(t *testing.T) {
	_, text, ok := strings.Cut(pages(t)["docs/cli.md"], "## status --json")
	if !ok {
		t.Fatal("docs/cli.md has no section on status --json")
	}
	have := statusKeys(t)
	groups := make(map[string]bool)
	for key := range have {
		if !strings.Contains(text, "`"+key+"`") {
			t.Errorf("docs/cli.md does not describe the key %s", key)
		}
		group, _, _ := strings.Cut(key, ".")
		groups[strings.TrimSuffix(group, "[]")] = true
	}
	dotted := regexp.MustCompile("`([a-z_]+)(\\[\\])?\\.([a-z_]+)`")
	for _, m := range dotted.FindAllStringSubmatch(text, -1) {
		key := m[1] + m[2] + "." + m[3]
		if groups[m[1]] && !have[key] {
			t.Errorf("docs/cli.md describes %s, which status does not print", key)
		}
	}
}

// The README's table of reasons has exactly the keys of not_accelerated.
func TestReasons(t *testing.T) {
	_, table, ok := strings.Cut(pages(t)["README.md"], "| `not_accelerated` |")
	table, _, ok2 := strings.Cut(table, "\n\n")
	if !ok || !ok2 {
		t.Fatal("README.md has no table of not_accelerated")
	}
	rows := make(map[string]bool)
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|").FindAllStringSubmatch(table, -1) {
		rows[m[1]] = true
	}
	for key := range statusKeys(t) {
		reason, ok := strings.CutPrefix(key, "not_accelerated.")
		if !ok {
			continue
		}
		if !rows[reason] {
			t.Errorf("README.md does not explain %s", key)
		}
		delete(rows, reason)
	}
	for reason := range rows {
		t.Errorf("README.md explains %s, which status does not print", reason)
	}
}
