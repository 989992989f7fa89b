package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// Wrong usage is told before anything is looked at, so that it needs no right.
func TestWrongUsage(t *testing.T) {
	for _, tt := range []struct {
		args []string
		says []string
	}{
		{[]string{"accelerate"}, []string{`unknown command "accelerate"`, "--help"}},
		{[]string{"--nonsense"}, []string{"nonsense"}},
		{[]string{"enable", "--nonsense"}, []string{"nonsense"}},
		{[]string{"enable", "system.slice"}, []string{`unexpected argument "system.slice"`, "enable --help"}},
		{[]string{"disable", "now"}, []string{`unexpected argument "now"`}},
		{[]string{"status", "all"}, []string{`unexpected argument "all"`}},
		{[]string{"version", "2"}, []string{`unexpected argument "2"`}},
		{[]string{"--state-dir", "state", "status"}, []string{`state dir "state"`, "absolute", "bpf"}},
		{[]string{"--state-dir", "/", "status"}, []string{`state dir "/"`, "absolute"}},
		{[]string{"--state-dir", "", "status"}, []string{`state dir ""`, "absolute"}},
		{[]string{"enable", "--max-connections", "0"}, []string{"--max-connections 0", "from 1"}},
		{[]string{"enable", "--max-connections", "-5"}, []string{"--max-connections -5", "from 1"}},
		{[]string{"enable", "--max-connections", "99999999999"}, []string{"--max-connections 99999999999", "from 1"}},
		{[]string{"enable", "--max-connections", "99999999999999999999"}, []string{"max-connections"}},
		{[]string{"enable", "--max-connections", "many"}, []string{"many", "max-connections"}},
		{[]string{"enable", "--splice-guard", "hope"}, []string{`--splice-guard "hope"`, "auto, guard or evidence"}},
		{[]string{"enable", "--accept-risk", "everything"}, []string{`unknown risk "everything"`, "splice, fionread and blocking"}},
		{[]string{"enable", "--port", "http"}, []string{`port "http"`, "1 to 65535"}},
		{[]string{"enable", "--port", "0"}, []string{`port "0"`}},
		{[]string{"enable", "--port", "80,"}, []string{`port ""`}},
		{[]string{"enable", "--port", "8010-8000"}, []string{`port "8010-8000"`}},
		{[]string{"enable", "--exclude-port", "65536"}, []string{`port "65536"`}},
		{[]string{"enable", "--cidr", "10.0.0.0/33"}, []string{`cidr "10.0.0.0/33"`, "10.0.0.0/8"}},
		{[]string{"enable", "--exclude-cidr", "localhost"}, []string{`cidr "localhost"`}},
		{[]string{"enable", "--port", "x", "--cidr", "y"}, []string{`port "x"`, `cidr "y"`}},
		{[]string{"run", "--max-connections", "0"}, []string{"--max-connections 0"}},
		{[]string{"disable", "--drain-timeout", "soon"}, []string{"soon", "drain-timeout"}},
		{[]string{"disable", "--drain-timeout", "-1s"}, []string{"--drain-timeout", "negative"}},
	} {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			inProcess(harmless(tt.args)...).refused(t, 2, tt.says...)
		})
	}
}

// harmless names a scope and a state that are not there: should the mistake
// not be noticed, nothing of this machine is enabled or disabled.
func harmless(args []string) []string {
	safe := slices.Clone(args)
	if safe[0] == "enable" || safe[0] == "run" {
		safe = slices.Insert(safe, 1, "--cgroup", "no-such-cgroup")
	}
	if safe[0] != "--state-dir" {
		safe = slices.Insert(safe, 0, "--state-dir", "/sys/fs/bpf/no-such-state")
	}
	return safe
}

func TestVersion(t *testing.T) {
	r := inProcess("version")
	if r.code != 0 || r.stderr != "" || !strings.HasPrefix(r.stdout, "sockaccel "+version+" (go") || strings.Count(r.stdout, "\n") != 1 {
		t.Errorf("version: %+v", r)
	}
	r = inProcess("version", "--json")
	var v map[string]string
	if err := json.Unmarshal([]byte(r.stdout), &v); err != nil || r.code != 0 || r.stderr != "" {
		t.Fatalf("version --json: %v: %+v", err, r)
	}
	if v["version"] != version || v["go"] == "" || v["kernel"] == "" {
		t.Errorf("version --json: %v", v)
	}
}

// Help is what was asked for, so it is data, and shows how it is used.
func TestHelp(t *testing.T) {
	for _, args := range [][]string{
		{}, {"--help"}, {"enable", "--help"}, {"disable", "--help"}, {"run", "--help"}, {"status", "--help"}, {"doctor", "--help"},
		{"bench"}, {"bench", "--help"}, {"bench", "run", "--help"}, {"bench", "report", "--help"}, {"bench", "list", "--help"}} {
		r := inProcess(args...)
		if r.code != 0 || r.stderr != "" || !strings.Contains(r.stdout, "USAGE") {
			t.Errorf("%q: %+v", args, r)
		}
		if strings.Contains(r.stdout, "internal-") {
			t.Errorf("%q shows hidden commands", args)
		}
	}
	for _, command := range []string{"enable", "disable"} {
		help := inProcess(command, "--help").stdout
		// Its name, the usage, and two examples.
		if n := strings.Count(help, "   sockaccel "+command); n < 4 {
			t.Errorf("%s has no examples: %s", command, help)
		}
	}
	for _, command := range []string{"enable", "disable", "status", "run", "bench", "demo", "doctor", "version"} {
		if help := inProcess("--help").stdout; !strings.Contains(help, "\n   "+command+" ") {
			t.Errorf("help does not list %s", command)
		}
	}
}
