package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// host is the kernel of the machine itself, as make test records it.
const host = "host"

// matrix is the kernels that together have to run every test.
var matrix = []string{host, "6.1", "6.12"}

// elsewhere are tests that may skip on all of them, and why.
var elsewhere = map[string]string{
	"bench/report TestHTMLInBrowser":        "chromium is not in every distribution",
	"bench/report TestHTMLEscapesInBrowser": "chromium is not in every distribution",
	"bench/report TestBenchstat/few":        "skips at its end, when all is compared",
	"test/soak TestSoak":                    "make soak runs it, for as long as it is told",
}

// compare prints what ran where, and why not. It fails when a test failed, when
// of a package nothing ran on a kernel, and, when the whole matrix is there,
// when a test passed nowhere.
func compare(w io.Writer, files []string) error {
	var all []*results
	var bad []string
	for _, file := range files {
		r, err := load(file)
		if err != nil {
			return err
		}
		all = append(all, r)
		bad = append(bad, r.table(w)...)
	}
	have := func(kernel string) bool {
		return slices.ContainsFunc(all, func(r *results) bool { return r.kernel == kernel })
	}
	if missing := slices.DeleteFunc(slices.Clone(matrix), have); len(missing) > 0 {
		fmt.Fprintf(w, "not compared: no results of %s (make test, make test-kernels)\n", strings.Join(missing, ", "))
	} else {
		bad = append(bad, nowhere(all)...)
	}
	for _, line := range bad {
		fmt.Fprintln(w, line)
	}
	if len(bad) > 0 {
		return errors.New("the matrix is not right")
	}
	return nil
}

// table prints the results of one kernel by package and returns what is wrong.
func (r *results) table(w io.Writer) (bad []string) {
	type row struct {
		passed, failed, skipped int
		seconds                 float64
	}
	rows := make(map[string]*row)
	var packages, skips []string
	for _, name := range r.order {
		pkg, test, _ := strings.Cut(name, " ")
		if rows[pkg] == nil {
			rows[pkg] = &row{}
			packages = append(packages, pkg)
		}
		t, p := r.tests[name], rows[pkg]
		top := 0
		if !strings.Contains(test, "/") {
			top = 1
			p.seconds += t.seconds
		}
		switch t.action {
		case "pass":
			p.passed += top
		case "skip":
			p.skipped += top
			skips = append(skips, fmt.Sprintf("  skipped: %s: %s", name, t.why))
		default:
			p.failed += top
			bad = append(bad, fmt.Sprintf("failed on %s: %s", r.kernel, name))
		}
	}
	out := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(out, "KERNEL %s\tRAN\tPASSED\tFAILED\tSKIPPED\tSECONDS\t\n", r.kernel)
	for _, pkg := range packages {
		p := rows[pkg]
		fmt.Fprintf(out, "%s\t%d\t%d\t%d\t%d\t%.0f\t\n",
			pkg, p.passed+p.failed, p.passed, p.failed, p.skipped, p.seconds)
		if p.passed+p.failed == 0 && r.kernel != host {
			bad = append(bad, fmt.Sprintf("nothing ran on %s: %s", r.kernel, pkg))
		}
	}
	out.Flush()
	for _, line := range skips {
		fmt.Fprintln(w, line)
	}
	fmt.Fprintln(w)
	return bad
}

// nowhere returns the tests that no kernel of the matrix ran: they test nothing,
// and nobody would notice.
func nowhere(all []*results) (bad []string) {
	all = slices.DeleteFunc(slices.Clone(all), func(r *results) bool { return !slices.Contains(matrix, r.kernel) })
	ran, seen := make(map[string]bool), make(map[string]bool)
	for _, r := range all {
		for name, t := range r.tests {
			ran[name] = ran[name] || t.action == "pass" || t.action == "fail"
		}
	}
	for _, r := range all {
		for _, name := range r.order {
			if !ran[name] && !seen[name] && elsewhere[name] == "" {
				bad = append(bad, fmt.Sprintf("ran on no kernel: %s: %s", name, r.tests[name].why))
			}
			seen[name] = true
		}
	}
	return bad
}
