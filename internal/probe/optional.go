package probe

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/sockaccel/sockaccel/bpf"
)

// allowed loads and attaches the programs, over maps of their own in which there
// are no sockets, and tells why this kernel refuses them.
func allowed(names []string) (err error) {
	spec, err := bpf.LoadAccel()
	if err != nil {
		return fmt.Errorf("read programs: %w", err)
	}
	all := spec.Programs
	spec.Programs = make(map[string]*ebpf.ProgramSpec)
	for _, name := range names {
		spec.Programs[name] = all[name]
	}
	for _, m := range spec.Maps {
		switch m.Type {
		case ebpf.Hash, ebpf.LRUHash, ebpf.SockHash:
			m.MaxEntries = 1
		}
	}
	loaded, err := ebpf.NewCollection(spec)
	if err != nil {
		return err
	}
	defer loaded.Close()
	for _, name := range names {
		l, err := link.AttachTracing(link.TracingOptions{Program: loaded.Programs[name]})
		if err != nil {
			return fmt.Errorf("attach %s: %w", name, err)
		}
		defer func() { err = errors.Join(err, l.Close()) }()
	}
	return nil
}
