package state

import (
	"errors"
	"fmt"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/sockaccel/sockaccel/bpf"
)

// run executes a control program; args are its context, in and out.
func run[T any](prog *ebpf.Program, args *T) error {
	if prog == nil {
		return errors.New("run control program: the version that enabled has none: run sockaccel upgrade")
	}
	raw := unsafe.Slice((*byte)(unsafe.Pointer(args)), unsafe.Sizeof(*args))
	if _, err := prog.Run(&ebpf.RunOptions{Context: raw, ContextOut: raw}); err != nil {
		return fmt.Errorf("run control program: %w", err)
	}
	return nil
}

// Beat allows redirection for another timeout (invariant I5).
func (s *State) Beat(timeout time.Duration) error {
	tick, err := jiffy()
	if err != nil {
		return err
	}
	return run(s.Progs.SockaccelBeat, &bpf.AccelBeatArgs{TimeoutJiffies: uint64(timeout / tick)})
}

// jiffy is 1/HZ: what the kernel gives as the resolution of its coarse clocks
// (kernel/time/posix-timers.c, KTIME_LOW_RES).
func jiffy() (time.Duration, error) {
	var res unix.Timespec
	if err := unix.ClockGetres(unix.CLOCK_MONOTONIC_COARSE, &res); err != nil {
		return 0, fmt.Errorf("read the timer frequency: %w", err)
	}
	return time.Duration(res.Nano()), nil
}

// Drain modes; see verdict.c.
const (
	DrainSoft = 1 // back to TCP where the queue is empty
	DrainHard = 2 // back to TCP at once; readers have to be woken
)

// SetDraining makes every connection return to TCP.
func (s *State) SetDraining(mode uint32) error {
	return run(s.Progs.SockaccelMode, &bpf.AccelModeArgs{Draining: mode, SetDraining: 1})
}

// setFilterGen makes everything that was decided by filters and scopes be
// decided again.
func (s *State) setFilterGen(gen uint32) error {
	return run(s.Progs.SockaccelMode, &bpf.AccelModeArgs{FilterGen: gen, SetFilterGen: 1})
}

// BeginPass starts an adoption pass.
func (s *State) BeginPass() error {
	return run(s.Progs.SockaccelPass, &bpf.AccelPassArgs{Begin: 1})
}

// EndPass ends it and tells what it met.
func (s *State) EndPass() (bpf.AccelPassArgs, error) {
	var args bpf.AccelPassArgs
	err := run(s.Progs.SockaccelPass, &args)
	return args, err
}

// Sweep looks through the pair records; see control.c. What is ready to be
// taken out is then in Maps.Removals.
func (s *State) Sweep(unmatched time.Duration, leaveAll bool) (bpf.AccelSweepArgs, error) {
	args := bpf.AccelSweepArgs{UnmatchedNs: uint64(unmatched)}
	if leaveAll {
		args.LeaveAll = 1
	}
	err := run(s.Progs.SockaccelSweep, &args)
	return args, err
}

// Settle tells the pair record that an end is out of the sockhash.
func (s *State) Settle(r bpf.AccelRemoval) error {
	return run(s.Progs.SockaccelSettle, &bpf.AccelSettleArgs{Key: r.Key, Role: r.Role})
}

// Kick makes the sidecar look at once for what there is to do.
func (s *State) Kick() error {
	if _, err := s.Progs.SockaccelKick.Run(&ebpf.RunOptions{}); err != nil {
		return fmt.Errorf("run control program: %w", err)
	}
	return nil
}

// Gauges reads what changes from moment to moment.
func (s *State) Gauges() (bpf.AccelGauges, error) {
	var g bpf.AccelGauges
	err := run(s.Progs.SockaccelGauges, &g)
	return g, err
}

// Alive reports whether the heart beats: whether anything is redirected.
func Alive(g bpf.AccelGauges) bool { return g.Alive != 0 }

// Counters sums the counters of all CPUs.
func (s *State) Counters() (bpf.AccelCounters, error) {
	var per []bpf.AccelCounters
	var sum bpf.AccelCounters
	if err := s.Maps.Stats.Lookup(uint32(0), &per); err != nil {
		return sum, fmt.Errorf("read counters: %w", err)
	}
	total := words(&sum)
	for i := range per {
		for j, n := range words(&per[i]) {
			total[j] += n
		}
	}
	return sum, nil
}

// words views the counters, all of them 64 bits wide, as one slice.
func words(c *bpf.AccelCounters) []uint64 {
	return unsafe.Slice((*uint64)(unsafe.Pointer(c)), unsafe.Sizeof(*c)/8)
}
