package state

import (
	"maps"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"

	"github.com/sockaccel/sockaccel/bpf"
)

func built(tb testing.TB, cfg Config) *build {
	tb.Helper()
	b, err := newBuild(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// changed names what has another fingerprint.
func changed(was, is map[string]string) (names []string) {
	for name := range is {
		if was[name] != is[name] {
			names = append(names, name)
		}
	}
	return names
}

// How programs are configured makes no other version of them.
func TestFingerprintsIgnoreConfig(t *testing.T) {
	a := built(t, Config{Meta: Meta{MaxConnections: 1}})
	b := built(t, Config{Meta: Meta{MaxConnections: 1000, NoAdopt: true}, BlindTCP: true, RmemCharged: true, MPTCPChildren: true, LimitTotal: 5})
	if !maps.Equal(a.layout, b.layout) || !maps.Equal(a.programs, b.programs) {
		t.Errorf("changed: %v %v", changed(a.layout, b.layout), changed(a.programs, b.programs))
	}
	if len(a.layout) < 10 || a.layout[globals] == "" || len(a.programs) < 10 {
		t.Errorf("fingerprints: %v %v", a.layout, a.programs)
	}
}

// Whatever makes two versions disagree on what is in a map shows, also where
// its size stays.
func TestFingerprintsShow(t *testing.T) {
	member := func(m *ebpf.MapSpec, i int) *btf.Member { return &m.Value.(*btf.Struct).Members[i] }
	for name, tt := range map[string]struct {
		adapt func(*ebpf.CollectionSpec)
		want  string // the map or program that changed
	}{
		"a size":          {func(s *ebpf.CollectionSpec) { s.Maps["events"].MaxEntries *= 2 }, "events"},
		"a flag":          {func(s *ebpf.CollectionSpec) { s.Maps["pairs"].Flags ^= 1 }, "pairs"},
		"a member's name": {func(s *ebpf.CollectionSpec) { member(s.Maps["pairs"], 1).Name = "other" }, "pairs"},
		"members' order": {func(s *ebpf.CollectionSpec) {
			a, b := member(s.Maps["conns"], 0), member(s.Maps["conns"], 1)
			a.Name, b.Name = b.Name, a.Name
		}, "conns"},
		"a global": {func(s *ebpf.CollectionSpec) {
			vars := s.Maps[globals].Value.(*btf.Datasec).Vars
			vars[0].Offset, vars[1].Offset = vars[1].Offset, vars[0].Offset
		}, globals},
		"an instruction": {func(s *ebpf.CollectionSpec) {
			p := s.Programs["sockaccel_kick"]
			p.Instructions = append(p.Instructions, asm.Return())
		}, "sockaccel_kick"},
		"a hook": {func(s *ebpf.CollectionSpec) { s.Programs["sockaccel_evidence"].AttachTo = "other" }, "sockaccel_evidence"},
	} {
		was, is := built(t, Config{}), built(t, Config{Adapt: tt.adapt})
		got := append(changed(was.layout, is.layout), changed(was.programs, is.programs)...)
		if len(got) != 1 || got[0] != tt.want {
			t.Errorf("%s: changed are %v, want %s", name, got, tt.want)
		}
	}
	// A constant is in every program.
	is := built(t, Config{Adapt: func(s *ebpf.CollectionSpec) { s.Variables["reads_needed"].Value[0]++ }})
	if got := changed(built(t, Config{}).programs, is.programs); len(got) != len(is.programs) {
		t.Errorf("a constant: changed are %v", got)
	}
}

// Numbers that have names, as flags, are in no type: the text has them.
func TestFingerprintsOfNumbers(t *testing.T) {
	was := built(t, Config{})
	defer func(text string) { bpf.Types = text }(bpf.Types)
	original := bpf.Types
	bpf.Types = strings.Replace(original, "#define PAIR_LEAVE 0x1000u", "#define PAIR_LEAVE 0x80000u", 1)
	if bpf.Types == original {
		t.Fatal("there is no such flag")
	}
	if got := changed(was.layout, built(t, Config{}).layout); len(got) != len(was.layout) {
		t.Errorf("another flag changes %v only", got)
	}
	bpf.Types = "// A comment.\n" + original + "\n\t/* and\nanother */"
	if got := changed(was.layout, built(t, Config{}).layout); len(got) > 0 {
		t.Errorf("a comment changes %v", got)
	}
}

// An upgrade finds the program of a link by the name of its pin.
func TestLinkNames(t *testing.T) {
	s := &State{}
	var pins []string
	for _, hook := range s.tracingHooks() {
		pins = append(pins, hook.name)
	}
	for _, hook := range s.cgroupHooks() {
		pins = append(pins, hook.name+"-1")
	}
	all := built(t, Config{Meta: Meta{SpliceGuard: GuardOn, FIONREADCorrected: true}}).programs
	for _, pin := range pins {
		if all[programOf(pin)] == "" {
			t.Errorf("link %s: no program is called %s", pin, programOf(pin))
		}
	}
}
