// Package drain takes sockets out of the sockhash: never one whose queue may
// still hold, or get, a byte, for those would be lost.
package drain

import (
	"errors"
	"fmt"
	"time"

	"github.com/cilium/ebpf"

	"github.com/sockaccel/sockaccel/bpf"
	"github.com/sockaccel/sockaccel/internal/state"
)

// Unmatched is how long a client may wait in the sockhash for its server.
const Unmatched = 2 * time.Second

// Step does one sweep: it takes out what is ready and reports what is left. If
// Seams is not zero then readers have to be woken by a pass.
func Step(s *state.State, leaveAll bool) (bpf.AccelSweepArgs, error) {
	for {
		swept, err := s.Sweep(Unmatched, leaveAll)
		if err != nil || swept.Ready == 0 {
			return swept, err
		}
		for i := range swept.Ready {
			if err := remove(s, i); err != nil {
				return swept, err
			}
		}
	}
}

// remove takes out what slot i of the removals names.
func remove(s *state.State, i uint32) error {
	var r bpf.AccelRemoval
	if err := s.Maps.Removals.Lookup(i, &r); err != nil {
		return fmt.Errorf("take sockets out: %w", err)
	}
	// It may have closed, which takes it out as well.
	err := s.Maps.Socks.Delete(r.Cookie)
	if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return fmt.Errorf("take sockets out: %w", err)
	}
	return s.Settle(r)
}
