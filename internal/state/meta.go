package state

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/cilium/ebpf"

	"github.com/sockaccel/sockaccel/internal/cgroup"
	"github.com/sockaccel/sockaccel/internal/filter"
)

// Format is the version of everything that is pinned: raised by any change
// after which an older or newer tool must not touch the state.
const Format = 1

// metaSize bounds the JSON of Meta: room for a few hundred scopes.
const metaSize = 64 << 10

// Meta is what the tool remembers, kept as JSON in an array map because bpffs
// holds no files. One update is one system call: a killed process leaves the
// old text or the new one.
type Meta struct {
	Format        int             `json:"format"`
	Version       string          `json:"version"`
	Since         time.Time       `json:"since"`
	Scopes        []cgroup.Cgroup `json:"scopes"`
	Filters       filter.Set      `json:"filters"`
	AcceptedRisks []string        `json:"accepted_risks"`
	SpliceGuard   string          `json:"splice_guard"`
	FIONREAD      string          `json:"fionread"`
	// FIONREADCorrected: what FIONREAD does not count is added.
	FIONREADCorrected bool   `json:"fionread_corrected"`
	MaxConnections    uint32 `json:"max_connections"`
	NoAdopt           bool   `json:"no_adopt"`

	// Layout and Programs are fingerprints, by name, of what is pinned: see
	// Build.
	Layout   map[string]string `json:"layout"`
	Programs map[string]string `json:"programs"`
	// Upgrading is the version that an unfinished upgrade goes to: links and
	// live sockets may have programs of either.
	Upgrading string `json:"upgrading"`
}

func metaSpec() *ebpf.MapSpec {
	return &ebpf.MapSpec{
		Name: "sockaccel_meta", Type: ebpf.Array,
		KeySize: 4, ValueSize: metaSize, MaxEntries: 1,
	}
}

func writeMeta(m *ebpf.Map, meta *Meta) error {
	text, err := json.Marshal(meta)
	if err != nil {
		return fmt.Errorf("encode state: %w", err)
	}
	if len(text) >= metaSize {
		return fmt.Errorf("store state: %d bytes do not fit in %d: use fewer scopes or filters", len(text), metaSize)
	}
	value := make([]byte, metaSize)
	copy(value, text)
	if err := m.Put(uint32(0), value); err != nil {
		return fmt.Errorf("store state: %w", err)
	}
	return nil
}

func readMeta(m *ebpf.Map) (*Meta, error) {
	value, err := readValue(m)
	if err != nil {
		return nil, err
	}
	return parseMeta(value)
}

func readValue(m *ebpf.Map) ([]byte, error) {
	value := make([]byte, m.ValueSize())
	if err := m.Lookup(uint32(0), value); err != nil {
		return nil, fmt.Errorf("read state: %w", err)
	}
	return value, nil
}

// parseMeta reads the value of the map: JSON, and zeros behind it.
func parseMeta(value []byte) (*Meta, error) {
	meta := new(Meta)
	if err := json.Unmarshal(bytes.TrimRight(value, "\x00"), meta); err != nil {
		return nil, fmt.Errorf("read state: %w", err)
	}
	return meta, nil
}

// formatOf reads what every format has: its number, and who made it.
func formatOf(value []byte) (format int, version string, err error) {
	var head struct {
		Format  int
		Version string
	}
	if err := json.Unmarshal(bytes.TrimRight(value, "\x00"), &head); err != nil {
		return 0, "", fmt.Errorf("read state: %w", err)
	}
	return head.Format, head.Version, nil
}

// parseSettings is parseMeta that refuses what this version does not know.
func parseSettings(value []byte) (*Meta, error) {
	meta := new(Meta)
	decoder := json.NewDecoder(bytes.NewReader(bytes.TrimRight(value, "\x00")))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(meta); err != nil {
		return nil, fmt.Errorf("read state: %w", err)
	}
	return meta, nil
}

// pidsSpec is apart from Meta because sidecar and supervisor write it whenever
// they start, without the Lock.
func pidsSpec() *ebpf.MapSpec {
	return &ebpf.MapSpec{
		Name: "sockaccel_pids", Type: ebpf.Array,
		KeySize: 4, ValueSize: 4, MaxEntries: 2,
	}
}

var pidSlots = map[string]uint32{Sidecar: 0, Supervisor: 1}

// PID returns the process that has a role, 0 when nobody has.
func (s *State) PID(role string) int {
	var pid uint32
	if !s.Held(role) || s.pids.Lookup(pidSlots[role], &pid) != nil {
		return 0
	}
	return int(pid)
}
