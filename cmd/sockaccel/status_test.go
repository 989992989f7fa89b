package main

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/sockaccel/sockaccel/internal/probe"
	"github.com/sockaccel/sockaccel/internal/state"
	"github.com/sockaccel/sockaccel/internal/testkit"
)

// schema is what other programs rely on. Keys are added, never renamed.
const schema = `
{"enabled": true, "state_dir": "/sys/fs/bpf/sockaccel", "version": "…", "since": "RFC 3339",
 "sidecar": {"running": true, "pid": 1}, "splice_guard": "guard|evidence|none",
 "accepted_risks": [],
 "scopes": [{"name": "as given", "cgroup": "/sys/fs/cgroup/…", "cgroup_id": 123, "attached": true}],
 "connections": {"accelerated": 0, "paired_total": 0, "adopted_total": 0, "handed_over_total": 0},
 "messages": {"redirected": 0, "tcp": 0}, "bytes": {"redirected": 0, "tcp": 0},
 "not_accelerated": {"remote": 0, "blocking": 0, "no_evidence": 0, "splice": 0, "fionread": 0,
                     "ulp": 0, "zerocopy": 0, "mptcp": 0, "excluded": 0, "map_full": 0,
                     "ambiguous": 0, "in_use": 0},
 "stayed_on_tcp": {"undrained": 0, "limit": 0, "bulk": 0, "draining": 0, "peer_gone": 0}}`

// missing lists what got lacks of want, by path: keys and the kind of values.
func missing(path string, want, got any) (paths []string) {
	switch want := want.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok {
			return []string{path + " is no object"}
		}
		for _, key := range slices.Sorted(maps.Keys(want)) {
			value, ok := object[key]
			if !ok {
				paths = append(paths, path+"."+key)
				continue
			}
			paths = append(paths, missing(path+"."+key, want[key], value)...)
		}
	case []any:
		list, ok := got.([]any)
		if !ok {
			return []string{path + " is no list"}
		}
		for _, elem := range list {
			if len(want) > 0 {
				paths = append(paths, missing(path+"[]", want[0], elem)...)
			}
		}
	case float64:
		if _, ok := got.(float64); !ok {
			return []string{path + " is no number"}
		}
	case bool:
		if _, ok := got.(bool); !ok {
			return []string{path + " is no bool"}
		}
	case string:
		if _, ok := got.(string); !ok && (path != ".since" || got != nil) {
			return []string{path + " is no string"}
		}
	}
	return paths
}

func statusJSON(tb testing.TB, r result) map[string]any {
	tb.Helper()
	if r.code != 0 || r.stderr != "" {
		tb.Fatalf("status --json: %+v", r)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(r.stdout), &got); err != nil {
		tb.Fatalf("stdout is not JSON alone: %v: %s", err, r.stdout)
	}
	var want any
	if err := json.Unmarshal([]byte(schema), &want); err != nil {
		tb.Fatal(err)
	}
	if paths := missing("", want, got); len(paths) > 0 {
		tb.Errorf("missing: %q in %s", paths, r.stdout)
	}
	return got
}

// Where nothing is on, status says so with zeros, and does not fail. It needs
// no rights: the directory is one that everybody may look into.
func TestStatusNotEnabled(t *testing.T) {
	const dir = "/proc/no-such-state"
	got := statusJSON(t, inProcess("--state-dir", dir, "status", "--json"))
	if got["enabled"] != false || got["state_dir"] != dir || got["since"] != nil {
		t.Errorf("status: %v", got)
	}
	for _, key := range []string{"connections", "messages", "bytes", "not_accelerated", "stayed_on_tcp"} {
		for name, value := range got[key].(map[string]any) {
			if value != 0.0 {
				t.Errorf("%s.%s is %v", key, name, value)
			}
		}
	}
	r := inProcess("--state-dir", dir, "status")
	if r.code != 0 || r.stdout != "not enabled (state dir "+dir+")\n" || r.stderr != "" {
		t.Errorf("status: %+v", r)
	}
}

func TestStatusEnabled(t *testing.T) {
	tool, cg := testkit.NewTool(t), testkit.NewCgroup(t)
	tool.Enable(t, cg)
	found, err := probe.Run()
	if err != nil {
		t.Fatal(err)
	}
	guard := state.GuardEvidence
	if found.Guard {
		guard = state.GuardOn
	}
	got := statusJSON(t, run(t, tool, "status", "--json"))
	if got["enabled"] != true || got["splice_guard"] != guard || got["fionread_corrected"] != found.Correction || len(got["accepted_risks"].([]any)) != 3 {
		t.Errorf("status: %v", got)
	}
	scopes := got["scopes"].([]any)
	if len(scopes) != 1 || scopes[0].(map[string]any)["cgroup"] != cg.Path || scopes[0].(map[string]any)["attached"] != true {
		t.Errorf("scopes: %v", scopes)
	}
	r := run(t, tool, "status")
	if r.code != 0 || r.stderr != "" {
		t.Errorf("status: %+v", r)
	}
	for line := range strings.Lines(r.stdout) {
		// A name that is long is long.
		line = strings.ReplaceAll(strings.ReplaceAll(line, cg.Path, ""), tool.StateDir, "")
		if len(line) > 100 {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
	for _, words := range []string{"enabled", "sidecar", "running", cg.Path, "accelerated now", "messages", "not accelerated"} {
		if !strings.Contains(r.stdout, words) {
			t.Errorf("status does not tell %q: %s", words, r.stdout)
		}
	}
}
