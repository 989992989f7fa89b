// Package status is what `sockaccel status` tells, in the schema that other
// programs rely on: keys are added but never renamed, zeros are printed.
package status

import (
	"errors"
	"time"

	"github.com/sockaccel/sockaccel/bpf"
	"github.com/sockaccel/sockaccel/internal/filter"
	"github.com/sockaccel/sockaccel/internal/state"
)

// Status of one state directory.
type Status struct {
	Enabled     bool       `json:"enabled"`
	StateDir    string     `json:"state_dir"`
	Version     string     `json:"version"`
	Since       *time.Time `json:"since"`
	Sidecar     Sidecar    `json:"sidecar"`
	SpliceGuard string     `json:"splice_guard"`
	FIONREAD    string     `json:"fionread"`
	// FIONREADCorrected: what FIONREAD does not count on this kernel is added.
	FIONREADCorrected bool       `json:"fionread_corrected"`
	AcceptedRisks     []string   `json:"accepted_risks"`
	Scopes            []Scope    `json:"scopes"`
	Filters           filter.Set `json:"filters"`

	Connections    Connections    `json:"connections"`
	Messages       Paths          `json:"messages"`
	Bytes          Paths          `json:"bytes"`
	NotAccelerated NotAccelerated `json:"not_accelerated"`
	StayedOnTCP    StayedOnTCP    `json:"stayed_on_tcp"`
}

// Sidecar tells whether anybody nurses the connections: without, everything
// returns to TCP.
type Sidecar struct {
	Running       bool `json:"running"`
	PID           int  `json:"pid"`
	SupervisorPID int  `json:"supervisor_pid"`
}

// Scope is a cgroup, by the name that the user gave.
type Scope struct {
	Name     string `json:"name"`
	Cgroup   string `json:"cgroup"`
	CgroupID uint64 `json:"cgroup_id"`
	Attached bool   `json:"attached"`
}

// Connections: Accelerated is the number in the sockhash now.
type Connections struct {
	Accelerated     uint64 `json:"accelerated"`
	PairedTotal     uint64 `json:"paired_total"`
	AdoptedTotal    uint64 `json:"adopted_total"`
	HandedOverTotal uint64 `json:"handed_over_total"`
	MaxConnections  uint32 `json:"max_connections"`
	QueuedLimit     uint64 `json:"queued_bytes_reserved"`
}

// Paths splits what sockets in the sockhash sent.
type Paths struct {
	Redirected uint64 `json:"redirected"`
	TCP        uint64 `json:"tcp"`
}

// NotAccelerated counts connections, each once.
type NotAccelerated struct {
	Remote     uint64 `json:"remote"`
	Blocking   uint64 `json:"blocking"`
	NoEvidence uint64 `json:"no_evidence"`
	Splice     uint64 `json:"splice"`
	FIONREAD   uint64 `json:"fionread"`
	ULP        uint64 `json:"ulp"`
	Zerocopy   uint64 `json:"zerocopy"`
	MPTCP      uint64 `json:"mptcp"`
	Excluded   uint64 `json:"excluded"`
	MapFull    uint64 `json:"map_full"`
	Ambiguous  uint64 `json:"ambiguous"`
	InUse      uint64 `json:"in_use"`
}

// StayedOnTCP counts messages of sockets in the sockhash, by reason.
type StayedOnTCP struct {
	Undrained uint64 `json:"undrained"`
	Limit     uint64 `json:"limit"`
	Bulk      uint64 `json:"bulk"`
	Draining  uint64 `json:"draining"`
	PeerGone  uint64 `json:"peer_gone"`
}

// Read reads the status of a state directory; Enabled is false and everything
// zero when there is none.
func Read(dir, version string) (*Status, error) {
	st := &Status{
		StateDir: dir, Version: version, SpliceGuard: "none", FIONREAD: "unknown",
		AcceptedRisks: []string{}, Scopes: []Scope{}, Filters: filter.Set{}.Normalize(),
	}
	s, err := state.Open(dir)
	if errors.Is(err, state.ErrDisabled) {
		return st, nil
	} else if err != nil {
		return nil, err
	}
	defer s.Close()
	if err := st.describe(s); err != nil {
		return nil, err
	}
	return st, st.count(s)
}

func (st *Status) describe(s *state.State) error {
	meta, err := s.Meta()
	if err != nil {
		return err
	}
	st.Version, st.Since = meta.Version, &meta.Since
	st.SpliceGuard, st.FIONREAD, st.AcceptedRisks = meta.SpliceGuard, meta.FIONREAD, meta.AcceptedRisks
	st.FIONREADCorrected = meta.FIONREADCorrected
	st.Filters = meta.Filters
	st.Connections.MaxConnections = meta.MaxConnections
	st.Sidecar = Sidecar{
		Running: s.Held(state.Sidecar), PID: s.PID(state.Sidecar), SupervisorPID: s.PID(state.Supervisor),
	}
	for _, cg := range meta.Scopes {
		attached := cg.Exists() && s.Attached(cg)
		st.Scopes = append(st.Scopes, Scope{Name: cg.Name, Cgroup: cg.Path, CgroupID: cg.ID, Attached: attached})
		st.Enabled = st.Enabled || attached
	}
	return nil
}

func (st *Status) count(s *state.State) error {
	g, err := s.Gauges()
	if err != nil {
		return err
	}
	c, err := s.Counters()
	if err != nil {
		return err
	}
	st.Connections.Accelerated = uint64(max(g.Live, 0))
	st.Connections.QueuedLimit = uint64(max(g.Charged, 0))
	st.Connections.PairedTotal = c.Paired
	st.Connections.AdoptedTotal = c.Adopted
	st.Connections.HandedOverTotal = c.HandedOver
	st.Messages = Paths{c.RedirectedMessages, c.TcpMessages}
	st.Bytes = Paths{c.RedirectedBytes, c.TcpBytes}
	st.NotAccelerated = notAccelerated(c)
	st.StayedOnTCP = StayedOnTCP{c.Stayed[0], c.Stayed[1], c.Stayed[2], c.Stayed[3], c.Stayed[4]}
	return nil
}

// notAccelerated names the slots of enum reason in bpf/src/types.h.
func notAccelerated(c bpf.AccelCounters) NotAccelerated {
	n := c.NotAccelerated
	return NotAccelerated{
		Remote: n[1], Blocking: n[2], NoEvidence: n[3], Splice: n[4], FIONREAD: n[5], ULP: n[6],
		Zerocopy: n[7], MPTCP: n[8], Excluded: n[9], MapFull: n[10], Ambiguous: n[11], InUse: n[12],
	}
}
