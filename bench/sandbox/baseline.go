package sandbox

import (
	"github.com/sockaccel/sockaccel/bench/baseline"
)

// attachBaseline accelerates as everybody does. Nothing is pinned: it ends
// with this process at the latest.
func (b *Sandbox) attachBaseline() (leave func() error, err error) {
	accelerator, err := baseline.Attach(b.scope.Path)
	if err != nil {
		return nil, err
	}
	return accelerator.Close, nil
}
