package state

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/sockaccel/sockaccel/internal/cgroup"
	"github.com/sockaccel/sockaccel/internal/filter"
)

// FuzzMeta reads a state directory that may be damaged: that is an error of one
// line, or state that can be used, and stored and read again without a change.
func FuzzMeta(f *testing.F) {
	text, err := json.Marshal(Meta{
		Format: Format, Version: "v1", Scopes: []cgroup.Cgroup{{Name: "a", Path: "/sys/fs/cgroup/a", ID: 7}},
		Filters: filter.Set{Ports: []filter.PortRange{{Lo: 80, Hi: 90}}}.Normalize(), AcceptedRisks: []string{"splice"},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add(text[:len(text)/2])
	f.Add(append(bytes.Clone(text), make([]byte, 100)...))
	f.Add(append(make([]byte, 10), text...))
	f.Add(bytes.Replace(text, []byte("80-90"), []byte("90-80"), 1))
	f.Add(bytes.Replace(text, []byte(`"since":"0`), []byte(`"since":"9999990`), 1))
	f.Add([]byte("null"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, value []byte) {
		meta, err := parseMeta(value)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("%q", err)
			}
			return
		}
		compile(meta.Filters)
		cidrEntries(meta.Filters)
		text, err := json.Marshal(meta)
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseMeta(append(text, 0, 0))
		if err != nil {
			t.Fatal(err)
		}
		if same, err := json.Marshal(again); err != nil || !bytes.Equal(same, text) {
			t.Errorf("stored %s, read %s, %v", text, same, err)
		}
	})
}
