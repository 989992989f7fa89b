package state

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// dropPatience is how long the processes of a state that is dropped may take to
// notice: they look at every beat of the heart.
const dropPatience = 10 * time.Second

// Drop gives up a state that may be damaged or of any version: it is unpinned
// without asking its programs or its data, and returns when its processes have
// noticed. Live sockets keep the program that returns them to TCP. ErrDisabled
// when there is nothing; what is not a state of ours is refused. The caller
// holds the Lock.
func Drop(ctx context.Context, dir string) error {
	if !Exists(dir) {
		return ErrDisabled
	}
	meta, err := loadMeta(dir)
	if err != nil {
		return err
	}
	s := &State{Dir: dir, meta: meta}
	defer s.Close()
	// While they run they keep the heart beating.
	roles := []*os.File{}
	for _, role := range []string{Supervisor, Sidecar} {
		f, err := os.Open(filepath.Join(dir, role))
		if errors.Is(err, os.ErrNotExist) {
			continue
		} else if err != nil {
			return fmt.Errorf("drop state: %w", err)
		}
		defer f.Close()
		roles = append(roles, f)
	}
	if err := s.Remove(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, dropPatience)
	defer cancel()
	for _, f := range roles {
		if err := awaitUnlocked(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

// Settings reads what was enabled from a state of any version, as long as there
// is nothing in it that this version does not know.
func Settings(dir string) (*Meta, error) {
	if !Exists(dir) {
		return nil, ErrDisabled
	}
	m, err := loadMeta(dir)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	value, err := readValue(m)
	if err != nil {
		return nil, err
	}
	return parseSettings(value)
}

func awaitUnlocked(ctx context.Context, role *os.File) error {
	for {
		err := unix.Flock(int(role.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("drop state: it is removed, but its %s runs still: end that process", filepath.Base(role.Name()))
		case <-time.After(5 * time.Millisecond):
		}
	}
}
