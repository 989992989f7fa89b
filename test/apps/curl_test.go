package apps_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"
)

// curl down and up, many small bodies and a large one, with nginx.
func TestCurl(t *testing.T) {
	curl := requireTool(t, "curl")
	size := volume(64<<20, 1<<30)
	published := filepath.Join(files(t, size), fmt.Sprint(size))
	offAndOn(t, func(t *testing.T, s *scope) {
		web := startNginx(t, s, "", `
			root html; client_max_body_size 0;
			location / { }
			location /put/ { dav_methods PUT; create_full_put_path on; }`)
		web.link(t, published, "large")
		name := web.publish(t, seed, small)
		get := filepath.Join(t.TempDir(), "got")
		base := "http://" + web.addr.String()
		quiet := []string{"--silent", "--show-error", "--fail", "--noproxy", "*"}

		n := volume(2000, 5000)
		many := fmt.Sprintf("%s/%s?[1-%d]", base, name, n)
		s.counted(t, claim{bytes: n * small, share: learning(0.9)}, func() {
			s.run(t, exec.Command(curl, append(quiet, "--output", get+"-#1", many)...))
		})
		for i := range n {
			sameFile(t, fmt.Sprintf("%s-%d", get, i+1), seed, small)
		}

		// A new process is adopted between messages: a stream has no between.
		s.counted(t, claim{bytes: size, share: 0.9, or: undrained}, func() {
			s.run(t, exec.Command(curl, append(quiet, "--output", get, base+"/large")...))
		})
		sameFile(t, get, seed, size)

		// curl hardly reads while it writes.
		s.counted(t, claim{bytes: size, share: 0.01, why: noEvidence}, func() {
			s.run(t, exec.Command(curl, append(quiet, "--upload-file", published, base+"/put/up")...))
		})
		web.uploaded(t, "put/up", seed, size)
	})
}
