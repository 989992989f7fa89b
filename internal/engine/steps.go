package engine

import (
	"errors"
	"fmt"
)

// step is one change on the way to another version. undo is nil where there is
// nothing to undo; it may find the change made, half made or not made.
type step struct {
	name        string
	apply, undo func() error
}

// follow makes the steps in their order. When one fails, that one and those
// before it are undone, the last first. on is called before each, and may fail
// in its place.
func follow(steps []step, on func(name string) error) error {
	for i, s := range steps {
		var err error
		if on != nil {
			err = on(s.name)
		}
		if err == nil {
			err = s.apply()
		}
		if err == nil {
			continue
		}
		err = fmt.Errorf("step %s: %w", s.name, err)
		for ; i >= 0; i-- {
			if steps[i].undo == nil {
				continue
			}
			if failed := steps[i].undo(); failed != nil {
				err = errors.Join(err, fmt.Errorf("undo step %s: %w", steps[i].name, failed))
			}
		}
		return err
	}
	return nil
}
