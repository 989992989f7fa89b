package driver

import (
	"context"
	_ "embed"
	"fmt"
	"math"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockaccel/sockaccel/bench/record"
)

// WrkOptions say what wrk asks for.
type WrkOptions struct {
	Program     Program
	Cgroup      *os.File // as in Options
	URL         string
	Connections int // kept alive, a multiple of Threads
	Threads     int
	Duration    time.Duration
	BodySize    int // of each answer, in bytes
	// Ended, if there is one, is called when the load is over: wrk then uses
	// some CPU time to make its summary, which is not the load's.
	Ended func()
}

//go:embed wrk.lua
var wrkScript string

// Wrk runs wrk: a closed loop, each connection sends its next request when the
// answer to the last is there. The measured time is wrk's own, connecting
// included, and some 100 ms longer than the Duration at most: so often its
// threads look whether it is over. When ctx ends, wrk is killed, and the error is that
// of ctx. wrk does not look at bodies, only at their number and length.
func Wrk(ctx context.Context, o WrkOptions) (record.Measurement, error) {
	script, err := scriptFile()
	if err != nil {
		return record.Measurement{}, err
	}
	defer script.Close()
	// wrk takes whole seconds only; SIGINT ends it before, as at a terminal.
	seconds := int(math.Ceil(o.Duration.Seconds())) + 1
	c := client{
		program: o.Program, cgroup: o.Cgroup, files: []*os.File{script},
		args: []string{"-t", strconv.Itoa(o.Threads), "-c", strconv.Itoa(o.Connections),
			"-d", strconv.Itoa(seconds), "-s", "/proc/self/fd/3", o.URL},
		interrupt: o.Duration, said: o.Ended,
	}
	out, err := c.run(ctx)
	if err != nil {
		return record.Measurement{}, err
	}
	summary, err := parseWrk(out)
	if err != nil {
		return record.Measurement{}, err
	}
	return summary.measurement(o.Connections, o.BodySize)
}

// scriptFile returns the script as a file without a name, which each of wrk's
// threads can open anew as 3 of its descriptors.
func scriptFile() (*os.File, error) {
	fd, err := unix.MemfdCreate("wrk.lua", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("create script for wrk: %w", err)
	}
	f := os.NewFile(uintptr(fd), "wrk.lua")
	if _, err := f.WriteString(wrkScript); err != nil {
		f.Close()
		return nil, fmt.Errorf("write script for wrk: %w", err)
	}
	return f, nil
}
