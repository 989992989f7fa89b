package state

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"

	"github.com/sockaccel/sockaccel/bpf"
)

// meaning is to be raised when something in a map or a global comes to mean
// something else and bpf/src/types.h does not show it: programs from before and
// after must not share it.
const meaning = 1

// constants is the map of what is settled when programs are loaded: each set of
// programs has its own.
const constants = ".rodata"

const globals = ".bss"

// build is programs and maps as they are before the kernel sees them, with
// fingerprints by name: equal ones of two versions are interchangeable.
type build struct {
	spec             *ebpf.CollectionSpec
	layout, programs map[string]string
}

type objects struct {
	Maps
	bpf.AccelPrograms
}

func newBuild(cfg Config) (*build, error) {
	spec, err := Spec(cfg)
	if err != nil {
		return nil, err
	}
	// What is configured is found out at each load: it makes no other version.
	bare, err := object(cfg)
	if err != nil {
		return nil, err
	}
	b := &build{spec: spec}
	if b.layout, err = layoutOf(bare); err != nil {
		return nil, fmt.Errorf("read programs: %w", err)
	}
	b.programs = programsOf(bare)
	maps.DeleteFunc(b.programs, func(name, _ string) bool { return spec.Programs[name] == nil })
	maps.DeleteFunc(b.layout, func(name, _ string) bool { return spec.Maps[name] == nil })
	return b, nil
}

// object is what bpf/ compiled to.
func object(cfg Config) (*ebpf.CollectionSpec, error) {
	spec, err := bpf.LoadAccel()
	if err != nil {
		return nil, fmt.Errorf("read programs: %w", err)
	}
	if cfg.Adapt != nil {
		cfg.Adapt(spec)
	}
	return spec, nil
}

// load makes the kernel check and load the programs; maps that are given are
// used, the others made.
func (b *build) load(shared map[string]*ebpf.Map) (*objects, error) {
	loaded, err := ebpf.NewCollectionWithOptions(b.spec, ebpf.CollectionOptions{MapReplacements: shared})
	if errors.Is(err, ebpf.ErrMapIncompatible) {
		return nil, &OtherLayout{err.Error()}
	} else if err != nil {
		return nil, fmt.Errorf("load programs: %w", err)
	}
	defer loaded.Close() // what is not taken out of it
	objs := new(objects)
	for name, m := range mapFields(&objs.Maps) {
		*m = loaded.DetachMap(name)
	}
	for name, p := range programFields(&objs.AccelPrograms) {
		*p = loaded.DetachProgram(name)
	}
	return objs, nil
}

var comment = regexp.MustCompile(`//.*|(?s:/\*.*?\*/)`)

// layoutOf has a fingerprint for each map, the globals included, of the types in
// it and of all numbers that have names in types.h.
func layoutOf(spec *ebpf.CollectionSpec) (map[string]string, error) {
	types := strings.Fields(comment.ReplaceAllString(bpf.Types, " "))
	layout := map[string]string{}
	var formatter btf.GoFormatter
	for name, m := range spec.Maps {
		if name == constants {
			continue
		}
		h := sha256.New()
		fmt.Fprintln(h, meaning, types, m.Type, m.KeySize, m.ValueSize, m.MaxEntries, m.Flags)
		for _, typ := range []btf.Type{m.Key, m.Value} {
			if _, void := typ.(*btf.Void); void || typ == nil {
				continue
			}
			text, err := formatter.TypeDeclaration("t", typ)
			if err != nil {
				return nil, fmt.Errorf("map %s: %w", name, err)
			}
			fmt.Fprintln(h, text)
		}
		layout[name] = short(h)
	}
	return layout, nil
}

// programsOf has a fingerprint for each program. It is no tag, which would not
// show constants and is known only after loading.
func programsOf(spec *ebpf.CollectionSpec) map[string]string {
	settings := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(spec.Variables)) {
		if v := spec.Variables[name]; v.SectionName == constants {
			fmt.Fprintln(settings, name, v.Offset, v.Value)
		}
	}
	programs := map[string]string{}
	for name, p := range spec.Programs {
		h := sha256.New()
		fmt.Fprintln(h, short(settings), p.Type, p.AttachType, p.AttachTo, p.Flags)
		for i := range p.Instructions {
			hashInstruction(h, &p.Instructions[i])
		}
		programs[name] = short(h)
	}
	return programs
}

// hashInstruction is for ten thousand of them at each enable: no fmt where it
// is not needed.
func hashInstruction(h hash.Hash, ins *asm.Instruction) {
	var words [14]byte
	binary.LittleEndian.PutUint16(words[:], uint16(ins.OpCode))
	words[2], words[3] = byte(ins.Dst), byte(ins.Src)
	binary.LittleEndian.PutUint16(words[4:], uint16(ins.Offset))
	binary.LittleEndian.PutUint64(words[6:], uint64(ins.Constant))
	h.Write(words[:])
	io.WriteString(h, ins.Reference())
	if relocation := btf.CORERelocationMetadata(ins); relocation != nil {
		fmt.Fprintln(h, relocation)
	}
}

func short(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)[:8]) }
