package state

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sockaccel/sockaccel/bpf"
)

func TestOpenNothing(t *testing.T) {
	if _, err := Open(filepath.Join(t.TempDir(), "state")); !errors.Is(err, ErrDisabled) {
		t.Errorf("open: %v", err)
	}
}

func TestOpenForeign(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(dir); err == nil || errors.Is(err, ErrDisabled) || !strings.Contains(err.Error(), dir) {
		t.Errorf("open: %v", err)
	}
}

// Everything of the object file is pinned: a map or program without a name
// would be lost with the process that loaded it.
func TestFieldsComplete(t *testing.T) {
	spec, err := bpf.LoadAccel()
	if err != nil {
		t.Fatal(err)
	}
	var maps Maps
	names := map[string]bool{}
	for name := range mapFields(&maps) {
		names[name] = true
		// bpffs refuses names with a dot.
		if strings.Contains(pinName(name), ".") {
			t.Errorf("map %s cannot be pinned", name)
		}
	}
	for name := range spec.Maps {
		// What is fixed when programs are loaded, they have each for themselves.
		if !names[name] && name != ".rodata" {
			t.Errorf("map %s is not pinned", name)
		}
	}
	var progs bpf.AccelPrograms
	clear(names)
	for name := range programFields(&progs) {
		names[name] = true
	}
	for name := range spec.Programs {
		if !names[name] {
			t.Errorf("program %s is not pinned", name)
		}
	}
}
