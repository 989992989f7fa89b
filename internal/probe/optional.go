package probe

import (
	"fmt"
	"maps"

	"github.com/cilium/ebpf"

	"github.com/sockaccel/sockaccel/bpf"
)

// allowed loads the programs, over maps of their own, and tells why this kernel
// refuses them. To attach them as well would wait for all tasks of the host.
func allowed(names []string) error {
	spec, err := bpf.LoadAccel()
	if err != nil {
		return fmt.Errorf("read programs: %w", err)
	}
	programs, all := spec.Programs, spec.Maps
	spec.Programs, spec.Maps = map[string]*ebpf.ProgramSpec{}, map[string]*ebpf.MapSpec{}
	for _, name := range names {
		spec.Programs[name] = programs[name]
		for _, ins := range programs[name].Instructions {
			if m := all[ins.Reference()]; ins.IsLoadFromMap() && m != nil {
				spec.Maps[m.Name] = m
			}
		}
	}
	maps.DeleteFunc(spec.Variables, func(_ string, v *ebpf.VariableSpec) bool { return spec.Maps[v.SectionName] == nil })
	loaded, err := ebpf.NewCollection(spec)
	if err != nil {
		return err
	}
	loaded.Close()
	return nil
}
