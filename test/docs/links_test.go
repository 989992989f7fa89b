package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	link       = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading    = regexp.MustCompile(`(?m)^#+ +(.+)$`)
	notInSlug  = regexp.MustCompile(`[^a-z0-9 _-]`)
	sourcePath = regexp.MustCompile("`((?:bpf|internal|cmd|scripts|test|bench)/[A-Za-z0-9_./-]*)`")
)

// Links within the documentation lead to files and headings that exist.
func TestLinks(t *testing.T) {
	all := pages(t)
	seen := 0
	for page, text := range all {
		for _, m := range link.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			seen++
			path, anchor, _ := strings.Cut(m[1], "#")
			target := page
			if path != "" {
				target = filepath.Join(filepath.Dir(page), path)
			}
			if _, err := os.Stat(filepath.Join(root, target)); err != nil {
				t.Errorf("%s: link to %s: %v", page, m[1], err)
			} else if anchor != "" && !anchors(all[target])[anchor] {
				t.Errorf("%s: link to %s: no such heading", page, m[1])
			}
		}
	}
	if seen < 5 {
		t.Errorf("only %d links found", seen)
	}
}

// anchors are the headings as GitHub and GitLab name them.
func anchors(text string) map[string]bool {
	found := make(map[string]bool)
	for _, m := range heading.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		slug := notInSlug.ReplaceAllString(strings.ToLower(m[1]), "")
		found[strings.ReplaceAll(slug, " ", "-")] = true
	}
	return found
}

// Files and directories of the repository that the pages name exist.
func TestPaths(t *testing.T) {
	for page, text := range pages(t) {
		for _, m := range sourcePath.FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join(root, m[1])); err != nil {
				t.Errorf("%s: %v", page, err)
			}
		}
	}
}

// Targets of make that the pages name exist, and the README names all.
func TestMakeTargets(t *testing.T) {
	makefile := read(t, filepath.Join(root, "Makefile"))
	targets := make(map[string]bool)
	for _, m := range regexp.MustCompile(`(?m)^([a-z-]+):.*## `).FindAllStringSubmatch(makefile, -1) {
		targets[m[1]] = true
	}
	if len(targets) < 5 {
		t.Fatalf("only %d targets found in the Makefile", len(targets))
	}
	named := regexp.MustCompile("(?m)(?:^|`|sudo )make ([a-z-]+)")
	for page, text := range pages(t) {
		for _, m := range named.FindAllStringSubmatch(text, -1) {
			if !targets[m[1]] {
				t.Errorf("%s: no target %s", page, m[1])
			}
		}
	}
	readme := read(t, filepath.Join(root, "README.md"))
	for target := range targets {
		if !strings.Contains(readme, "make "+target+"`") {
			t.Errorf("README.md does not name make %s", target)
		}
	}
}
