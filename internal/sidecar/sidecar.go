// Package sidecar is the process that nurses acceleration: it beats the heart,
// adopts connections, takes out what returns to TCP, wakes readers at the seam
// and forgets what is gone. While nothing happens it sleeps.
package sidecar

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/cilium/ebpf/ringbuf"

	"github.com/sockaccel/sockaccel/internal/adopt"
	"github.com/sockaccel/sockaccel/internal/cgroup"
	"github.com/sockaccel/sockaccel/internal/drain"
	"github.com/sockaccel/sockaccel/internal/state"
)

const (
	// beatEvery and deadAfter are the dead man's switch (invariant I5).
	beatEvery = 500 * time.Millisecond
	deadAfter = 2 * time.Second
	// stuckAfter is what one turn of the loop may take.
	stuckAfter = 10 * time.Second
	// shortest and longest pause between two adoption passes that have
	// something to bring on, and between two sweeps of leaving connections.
	passMin, passMax   = 3 * time.Millisecond, time.Second
	sweepMin, sweepMax = time.Millisecond, 20 * time.Millisecond
	// Passes may cost one part in passShare of a processor, after a burst; one
	// that costs more than that is still made every passMax.
	passShare = 10
	passBurst = 250 * time.Millisecond
	// lookEvery is for what announces itself by no event.
	lookEvery = time.Second
	// forgetEvery is the number of looks between two looks for dead cgroups.
	forgetEvery = 5
	// ownersEvery limits how often files are searched for owners.
	ownersEvery = time.Second
)

// Sidecar is the state of the loop.
type Sidecar struct {
	state  *state.State
	log    *slog.Logger
	walker *adopt.Walker

	passAt, sweepAt     time.Time
	passPause, sweepGap time.Duration
	ownersAt            time.Time
	budget              time.Duration // of processor time for passes
	budgetAt            time.Time
	looks               int
	pending             uint32       // ends that the last pass could not bring on
	turned              atomic.Int64 // when the loop last turned, Unix nanoseconds
}

// Run nurses the state until ctx ends. ready is called when the heart beats.
// It wraps unix.EWOULDBLOCK when another sidecar is at it.
func Run(ctx context.Context, s *state.State, log *slog.Logger, ready func()) error {
	role, err := s.Claim(state.Sidecar)
	if err != nil {
		return err
	}
	defer role.Release()
	walker, err := adopt.New(s)
	if err != nil {
		return err
	}
	defer walker.Close()
	events, err := ringbuf.NewReader(s.Maps.Events)
	if err != nil {
		return fmt.Errorf("read events: %w", err)
	}
	defer events.Close()
	if err := s.Beat(deadAfter); err != nil {
		return err
	}
	ready()
	sc := &Sidecar{state: s, log: log, walker: walker}
	return sc.loop(ctx, listen(events))
}

// listen passes on that something happened; what, the programs know better.
func listen(events *ringbuf.Reader) <-chan event {
	out := make(chan event, 64)
	go func() {
		defer close(out)
		var record ringbuf.Record
		for {
			if err := events.ReadInto(&record); err != nil {
				return
			}
			select {
			case out <- event(record.RawSample[0]):
			default: // a pass or sweep is due anyway
			}
		}
	}()
	return out
}

type event byte

const (
	eventAdopt event = iota
	eventLeave
)

func (sc *Sidecar) loop(ctx context.Context, events <-chan event) error {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	timer := time.NewTimer(0)
	defer timer.Stop()
	// The heart is apart from the loop, because a pass over very many sockets
	// may take longer than deadAfter; it stops when the loop does not turn.
	stopped := make(chan error, 1)
	heart, stop := context.WithCancel(ctx)
	defer stop()
	go func() { stopped <- sc.keepBeating(heart) }()
	// What was under way when a sidecar before us died.
	sc.passSoon()
	sc.sweepSoon()
	for {
		sc.turned.Store(time.Now().UnixNano())
		timer.Reset(sc.untilDue())
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-events:
			if !ok {
				return errors.New("read events: closed")
			}
			if e == eventLeave {
				sc.sweepSoon()
			} else {
				sc.passSoon()
			}
		case err := <-stopped:
			return err
		case <-look.C:
			sc.lookAround()
		case <-timer.C:
		}
		now := time.Now()
		if !sc.sweepAt.IsZero() && !now.Before(sc.sweepAt) {
			sc.sweep()
		}
		if !sc.passAt.IsZero() && !now.Before(sc.passAt) {
			if debt := sc.debt(now); debt > 0 {
				sc.passAt = now.Add(debt)
			} else {
				sc.pass()
			}
		}
	}
}

// keepBeating ends with ErrDisabled when the state has been removed.
func (sc *Sidecar) keepBeating(ctx context.Context) error {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if !state.Exists(sc.state.Dir) {
			return state.ErrDisabled
		}
		if time.Since(time.Unix(0, sc.turned.Load())) > stuckAfter {
			sc.log.Error("the loop is stuck: letting the heart stop")
			continue
		}
		if err := sc.state.Beat(deadAfter); err != nil {
			return err
		}
	}
}

// lookAround sweeps for what has closed or was left waiting.
func (sc *Sidecar) lookAround() {
	if sc.sweepAt.IsZero() {
		sc.sweepSoon()
	}
	if sc.looks++; sc.looks%forgetEvery == 0 {
		if meta, err := sc.state.Meta(); err == nil {
			sc.forget(meta)
		}
	}
}

func (sc *Sidecar) untilDue() time.Duration {
	next := time.Hour
	for _, at := range []time.Time{sc.passAt, sc.sweepAt} {
		if !at.IsZero() {
			next = min(next, max(0, time.Until(at)))
		}
	}
	return next
}

func (sc *Sidecar) passSoon() {
	sc.passPause = passMin
	if soon := time.Now().Add(passMin); sc.passAt.IsZero() || soon.Before(sc.passAt) {
		sc.passAt = soon
	}
}

func (sc *Sidecar) sweepSoon() {
	sc.sweepGap = sweepMin
	sc.sweepAt = time.Now()
}

// sweep takes out what is ready; while something is leaving it comes again.
func (sc *Sidecar) sweep() {
	swept, err := drain.Step(sc.state, false)
	if err != nil {
		sc.log.Error("sweep", "error", err)
	}
	sc.sweepAt = time.Time{}
	if swept.Leaving > 0 {
		sc.sweepAt = time.Now().Add(sc.sweepGap)
		sc.sweepGap = min(2*sc.sweepGap, sweepMax)
	}
	if swept.Seams > 0 {
		sc.passAt = time.Now()
	}
}

// pass visits all sockets; while it brings something on it comes again, more
// and more slowly, and never for more than its share of the time.
func (sc *Sidecar) pass() {
	meta, err := sc.state.Meta()
	if err != nil {
		sc.log.Error("pass", "error", err)
		return
	}
	sc.forget(meta)
	result, cost, err := sc.walker.Pass(meta.Scopes)
	if err != nil {
		sc.log.Warn("pass", "error", err)
	}
	if result.Unowned > 0 && time.Since(sc.ownersAt) > ownersEvery {
		more, err := sc.walker.FindOwners()
		if err != nil {
			sc.log.Warn("find owners", "error", err)
		}
		cost += more
		sc.ownersAt = time.Now()
	}
	sc.budget -= cost
	sc.log.Debug("pass", "visited", result.Visited, "pending", result.Pending, "unowned", result.Unowned, "took", cost)
	sc.passAt = time.Time{}
	defer func() { sc.pending = result.Pending }()
	if result.Pending > 0 {
		sc.passAt = time.Now().Add(sc.passPause)
		if result.Pending < sc.pending {
			sc.passPause = passMin
		} else {
			sc.passPause = min(sc.passPause*5/4, passMax)
		}
	}
}

// debt is how long to wait until passes have cost no more than their share.
func (sc *Sidecar) debt(now time.Time) time.Duration {
	if sc.budgetAt.IsZero() {
		sc.budgetAt, sc.budget = now, passBurst
	}
	sc.budget = min(sc.budget+now.Sub(sc.budgetAt)/passShare, passBurst)
	sc.budgetAt = now
	return min(max(0, -sc.budget*passShare), passMax)
}

// forget drops scopes whose cgroups are gone.
func (sc *Sidecar) forget(meta *state.Meta) {
	gone := func(scope cgroup.Cgroup) bool { return !scope.Exists() }
	if !slices.ContainsFunc(meta.Scopes, gone) {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), beatEvery/2)
	defer cancel()
	lock, err := state.Acquire(ctx, sc.state.Dir)
	if err != nil {
		return // somebody is changing the scopes: next time
	}
	defer lock.Release()
	err = sc.state.Update(func(m *state.Meta) {
		m.Scopes = slices.DeleteFunc(m.Scopes, func(scope cgroup.Cgroup) bool {
			if !gone(scope) {
				return false
			}
			sc.log.Info("cgroup is gone", "scope", scope.Name)
			if err := sc.state.DetachScope(scope.ID); err != nil {
				sc.log.Warn("forget scope", "scope", scope.Name, "error", err)
			}
			return true
		})
	})
	if err != nil {
		sc.log.Warn("forget scopes", "error", err)
	}
}
