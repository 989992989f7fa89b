package state

import (
	"iter"
	"reflect"

	"github.com/cilium/ebpf"

	"github.com/sockaccel/sockaccel/bpf"
)

// mapFields yields the name in the object file and the place of each map.
func mapFields(maps *bpf.AccelMaps) iter.Seq2[string, **ebpf.Map] {
	return fields[*ebpf.Map](maps)
}

// programFields yields the name and the place of each program.
func programFields(progs *bpf.AccelPrograms) iter.Seq2[string, **ebpf.Program] {
	return fields[*ebpf.Program](progs)
}

func fields[T any](of any) iter.Seq2[string, *T] {
	return func(yield func(string, *T) bool) {
		v := reflect.ValueOf(of).Elem()
		for i := range v.NumField() {
			name := v.Type().Field(i).Tag.Get("ebpf")
			place, ok := v.Field(i).Addr().Interface().(*T)
			if name == "" || !ok {
				continue
			}
			if !yield(name, place) {
				return
			}
		}
	}
}
