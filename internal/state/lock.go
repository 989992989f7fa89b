package state

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Lock serialises everything that changes one state directory. It is a
// directory beside it (bpffs holds no regular files) that exists only while
// somebody holds or wants the lock, so that disable leaves nothing behind.
type Lock struct {
	dir  *os.File
	path string
}

// Acquire waits for the lock of the state directory until ctx ends.
func Acquire(ctx context.Context, stateDir string) (*Lock, error) {
	path := stateDir + "-lock" // no dot: bpffs refuses those
	for {
		lock, err := tryLock(path)
		if err == nil {
			return lock, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("lock %s: %w", stateDir, err)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("lock %s: another sockaccel is at work on it: %w", stateDir, ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func tryLock(path string) (*Lock, error) {
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	dir, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		dir.Close()
		return nil, err
	}
	// The holder before us may have removed the directory that we locked.
	if !sameInode(dir, path) {
		dir.Close()
		return nil, os.ErrNotExist
	}
	return &Lock{dir, path}, nil
}

func sameInode(f *os.File, path string) bool {
	var held, named unix.Stat_t
	if unix.Fstat(int(f.Fd()), &held) != nil || unix.Stat(path, &named) != nil {
		return false
	}
	return held.Ino == named.Ino && held.Dev == named.Dev
}

// Release gives the lock up and removes its directory.
func (l *Lock) Release() error {
	return errors.Join(os.Remove(l.path), l.dir.Close())
}

// Singleton marks the one process of a kind that runs for a state directory
// (its sidecar, its supervisor) by a lock on a subdirectory.
type Singleton struct{ dir *os.File }

// Claim takes the role; it wraps unix.EWOULDBLOCK when another process has it.
func (s *State) Claim(role string) (*Singleton, error) {
	dir, err := os.Open(s.path(role))
	if err != nil {
		return nil, fmt.Errorf("claim %s: %w", role, err)
	}
	if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		dir.Close()
		return nil, fmt.Errorf("claim %s: %w", role, err)
	}
	if err := s.pids.Put(pidSlots[role], uint32(os.Getpid())); err != nil {
		dir.Close()
		return nil, fmt.Errorf("claim %s: %w", role, err)
	}
	return &Singleton{dir}, nil
}

// Release gives the role up.
func (s *Singleton) Release() error { return s.dir.Close() }

// Held reports whether a process has the role.
func (s *State) Held(role string) bool {
	dir, err := os.Open(s.path(role))
	if err != nil {
		return false
	}
	defer dir.Close()
	return errors.Is(unix.Flock(int(dir.Fd()), unix.LOCK_SH|unix.LOCK_NB), unix.EWOULDBLOCK)
}
