package capacity_test

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"testing"
)

// kernelMemory is what sockets and maps are made of, in bytes. Others on this
// machine change it too: the result is for the log, a rough bound for the test.
func kernelMemory(tb testing.TB) (bytes int64) {
	tb.Helper()
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		name, rest, _ := strings.Cut(lines.Text(), ":")
		switch name {
		case "Slab", "Percpu", "VmallocUsed":
			kilobytes, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err != nil {
				tb.Fatal(err)
			}
			bytes += kilobytes << 10
		}
	}
	return bytes
}
