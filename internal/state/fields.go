package state

import (
	"iter"
	"reflect"
	"strings"

	"github.com/cilium/ebpf"

	"github.com/sockaccel/sockaccel/bpf"
)

// Maps are all maps that programs share.
type Maps struct {
	bpf.AccelMaps
	// Globals are the variables of the programs. Nil in a state of a version
	// that did not pin them.
	Globals *ebpf.Map `ebpf:".bss"`
}

// mapFields yields the name in the object file and the place of each map.
func mapFields(maps *Maps) iter.Seq2[string, **ebpf.Map] {
	return fields[*ebpf.Map](maps)
}

// programFields yields the name and the place of each program.
func programFields(progs *bpf.AccelPrograms) iter.Seq2[string, **ebpf.Program] {
	return fields[*ebpf.Program](progs)
}

// pinName is the name of a map's pin: bpffs refuses dots.
func pinName(name string) string { return strings.TrimPrefix(name, ".") }

func fields[T any](of any) iter.Seq2[string, *T] {
	return func(yield func(string, *T) bool) {
		for field, place := range reflect.ValueOf(of).Elem().Fields() {
			if field.Anonymous {
				for name, inner := range fields[T](place.Addr().Interface()) {
					if !yield(name, inner) {
						return
					}
				}
				continue
			}
			name := field.Tag.Get("ebpf")
			p, ok := place.Addr().Interface().(*T)
			if name != "" && ok && !yield(name, p) {
				return
			}
		}
	}
}
