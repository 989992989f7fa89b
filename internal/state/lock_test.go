package state

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// The lock needs no bpffs: any directory does for these.

func TestLockExcludes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	var wg sync.WaitGroup
	var inside, most, done int
	var mu sync.Mutex
	for range 8 {
		wg.Go(func() {
			for range 25 {
				lock, err := Acquire(t.Context(), dir)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				inside++
				most = max(most, inside)
				done++
				mu.Unlock()
				time.Sleep(100 * time.Microsecond) // long enough for another to come in
				mu.Lock()
				inside--
				mu.Unlock()
				if err := lock.Release(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if most != 1 || done != 200 {
		t.Errorf("%d held the lock at once, %d turns", most, done)
	}
	if Exists(dir + "-lock") {
		t.Error("the lock's directory is left")
	}
}

// A holder that was killed leaves the directory, which is no obstacle.
func TestLockLeftBehind(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	if err := os.Mkdir(dir+"-lock", 0o700); err != nil {
		t.Fatal(err)
	}
	lock, err := Acquire(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := lock.Release(); err != nil {
		t.Error(err)
	}
	if Exists(dir + "-lock") {
		t.Error("the lock's directory is left")
	}
}

func TestLockGivesUp(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	lock, err := Acquire(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if _, err := Acquire(ctx, dir); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("second holder: %v", err)
	}
}

// Where the directory cannot be made there is an error, not a wait.
func TestLockNowhere(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Acquire(t.Context(), filepath.Join(file, "state")); err == nil {
		t.Error("a lock below a file")
	}
}
