package engine

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// A step that fails is undone with those before it, the last first, whatever
// fails then.
func TestFollow(t *testing.T) {
	var log []string
	do := func(what string, err error) func() error {
		return func() error {
			log = append(log, what)
			return err
		}
	}
	cause, worse := errors.New("cause"), errors.New("worse")
	steps := []step{
		{"a", do("a", nil), do("undo a", nil)},
		{"b", do("b", nil), nil},
		{"c", do("c", nil), do("undo c", worse)},
		{"d", do("d", cause), do("undo d", nil)},
		{"e", do("e", nil), do("undo e", nil)},
	}
	err := follow(steps, nil)
	if !errors.Is(err, cause) || !errors.Is(err, worse) || !strings.HasPrefix(err.Error(), "step d: cause") {
		t.Error(err)
	}
	if want := []string{"a", "b", "c", "d", "undo d", "undo c", "undo a"}; !slices.Equal(log, want) {
		t.Errorf("done: %q, want %q", log, want)
	}
	log = nil
	if err := follow(steps[:3], nil); err != nil || !slices.Equal(log, []string{"a", "b", "c"}) {
		t.Errorf("%v: done: %q", err, log)
	}
	log = nil
	err = follow(steps, func(name string) error {
		if name == "b" {
			return cause
		}
		return nil
	})
	if !errors.Is(err, cause) || !slices.Equal(log, []string{"a", "undo a"}) {
		t.Errorf("%v: done: %q", err, log)
	}
}
