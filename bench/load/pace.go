package load

import (
	"math"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// pace is when requests of a fixed rate are due, whatever became of those
// before: request k of all goes out on connection k modulo their number.
type pace struct {
	begin    time.Time
	interval float64 // ns
}

func newPace(begin time.Time, rate float64) pace { return pace{begin, float64(time.Second) / rate} }

func (p pace) due(k int64) time.Time {
	return p.begin.Add(time.Duration(math.Round(float64(k) * p.interval)))
}

// preciseTimers makes timers of this thread exact, until restore: by default
// the kernel lets them be 50 µs late, more than a local exchange takes.
func preciseTimers() (restore func()) {
	runtime.LockOSThread()
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0) // without it latencies are larger, not wrong
	return func() {
		_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 0, 0, 0, 0)
		runtime.UnlockOSThread()
	}
}
