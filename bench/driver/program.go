package driver

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
)

// Names of the programs.
const (
	NameNginx          = "nginx"
	NameWrk            = "wrk"
	NameRedis          = "redis-server"
	NameRedisBenchmark = "redis-benchmark"
)

// Program is one that is installed here.
type Program struct {
	Name, Path string
	Version    string // "unknown" if it does not say
}

// programs are what asks each for its version, and the package of Debian and
// Ubuntu that has it.
var programs = map[string]struct{ ask, pkg string }{
	NameNginx:          {"-v", "nginx"},
	NameWrk:            {"-v", "wrk"},
	NameRedis:          {"--version", "redis-server"},
	NameRedisBenchmark: {"--version", "redis-tools"},
}

// sbin is where servers are that a user's PATH does not show.
var sbin = []string{"/usr/sbin", "/usr/local/sbin"}

// Find looks for a program; the error says how to get it.
func Find(name string) (Program, error) {
	known, ok := programs[name]
	if !ok {
		return Program{}, fmt.Errorf("find %s: not a program of the benchmark", name)
	}
	path, err := exec.LookPath(name)
	for _, dir := range sbin {
		if err != nil {
			path, err = exec.LookPath(filepath.Join(dir, name))
		}
	}
	if err != nil {
		return Program{}, fmt.Errorf("%s not found: apt-get install %s, or scripts/setup bench", name, known.pkg)
	}
	// wrk says its version and exits with 1.
	said, _ := exec.Command(path, known.ask).CombinedOutput()
	return Program{Name: name, Path: path, Version: version(string(said))}, nil
}

var versionNumber = regexp.MustCompile(`[0-9]+\.[0-9]+\S*`)

// version finds it in what a program says of itself.
func version(said string) string {
	if v := versionNumber.FindString(said); v != "" {
		return v
	}
	return "unknown"
}
