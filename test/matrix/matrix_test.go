package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// write makes a result file; a line is "action package test why".
func write(tb testing.TB, kernel string, lines ...string) string {
	tb.Helper()
	var text strings.Builder
	for _, line := range lines {
		f := strings.SplitN(line, " ", 4)
		at := `","Package":"example.com/a/b/` + f[1] + `","Test":"` + f[2] + `"`
		text.WriteString(`{"Action":"run` + at + "}\n")
		if len(f) > 3 {
			text.WriteString(`{"Action":"output` + at + `,"Output":"    x_test.go:1: ` + f[3] + `\n"}` + "\n")
		}
		text.WriteString(`{"Action":"` + f[0] + at + "}\n")
	}
	file := filepath.Join(tb.TempDir(), kernel+".json")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		tb.Fatal(err)
	}
	return file
}

func TestCompare(t *testing.T) {
	good := []string{"pass core TestA", "skip core TestB no kTLS", "pass core TestC"}
	for _, x := range []struct {
		name           string
		host, old, new []string
		want           string // empty: all is well
	}{
		{"all run somewhere", []string{"pass core TestA", "pass core TestB"}, good, good, ""},
		{"one runs nowhere", good, good, good, "ran on no kernel: core TestB: no kTLS"},
		{"one skips where its package runs once", append(good, "skip docs TestD no docs"), good, good,
			"ran on no kernel: docs TestD: no docs"},
		{"a subtest runs nowhere", []string{"pass core TestA", "skip core TestA/tls no kTLS"}, good, good,
			"ran on no kernel: core TestA/tls: no kTLS"},
		{"one failed", []string{"fail core TestA", "pass core TestB"}, good, good, "failed on host: core TestA"},
		{"one never ended", []string{"pass core TestB", "run core TestA"}, good, good, "failed on host: core TestA"},
		{"a package does not run on a kernel", []string{"pass core TestA", "pass core TestB"}, good,
			[]string{"skip core TestA no root", "skip core TestB no root"}, "nothing ran on 6.12: core"},
	} {
		t.Run(x.name, func(t *testing.T) {
			var out strings.Builder
			err := compare(&out, []string{write(t, host, x.host...), write(t, "6.1", x.old...), write(t, "6.12", x.new...)})
			if (err == nil) != (x.want == "") || !strings.Contains(out.String(), x.want) {
				t.Errorf("%v, want %q:\n%s", err, x.want, out.String())
			}
		})
	}
}

// One kernel alone cannot tell what runs nowhere.
func TestCompareIncomplete(t *testing.T) {
	var out strings.Builder
	file := write(t, "6.1", "pass core TestA", "skip core TestB no kTLS")
	if err := compare(&out, []string{file}); err != nil || !strings.Contains(out.String(), "not compared: no results of host, 6.12") {
		t.Errorf("%v:\n%s", err, out.String())
	}
}

func TestRecord(t *testing.T) {
	const start = `{"Action":"start","Package":"p"}` + "\n"
	const failing = `{"Action":"output","Package":"p","Test":"TestA","Output":"said\n"}` + "\n" +
		`{"Action":"fail","Package":"p","Test":"TestA"}` + "\n"
	const quiet = `{"Action":"output","Package":"p","Test":"TestB","Output":"not said\n"}` + "\n" +
		`{"Action":"pass","Package":"p","Test":"TestB"}` + "\n"
	for _, x := range []struct {
		name, events, want string
		good               bool
	}{
		{"passed", start + quiet + `{"Action":"output","Package":"p","Output":"ok p\n"}` + "\n" + `{"Action":"pass","Package":"p"}`, "ok p\n", true},
		{"failed", start + quiet + failing + `{"Action":"fail","Package":"p"}`, "said\n", false},
		{"killed", start + quiet, "", false},
		{"not built", "# p: no such file\n" + `{"Action":"fail","Package":"p"}`, "# p: no such file\n", false},
		{"nothing", "", "", false},
	} {
		t.Run(x.name, func(t *testing.T) {
			var out strings.Builder
			file := filepath.Join(t.TempDir(), "new", "host.json")
			err := record(strings.NewReader(x.events), &out, file)
			if (err == nil) != x.good || out.String() != x.want {
				t.Errorf("%v, printed %q, want %q", err, out.String(), x.want)
			}
			if text, err := os.ReadFile(file); err != nil || string(text) != x.events {
				t.Errorf("recorded %q, %v", text, err)
			}
		})
	}
}
