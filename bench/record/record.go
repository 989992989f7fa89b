// Package record is the file that a benchmark writes: JSON lines, one object a
// line. The first is the [Environment], then follow [Sample] and [Skip] in the
// order in which things happened, and an [End] if the benchmark ran to its end.
// Keys are added but never renamed; zeros are written.
package record

import "time"

// Format is the version of the file format.
const Format = 1

// Modes in which a case is run.
const (
	ModeOff      = "off"      // plain TCP
	ModeOn       = "on"       // accelerated
	ModeBaseline = "baseline" // the usual 4-tuple program: fast and unsafe
	ModeUnix     = "unix"     // the same work over AF_UNIX: the practical limit
)

// Environment is the first line: what was run, with what and where.
type Environment struct {
	Type   string `json:"type"` // "environment"
	Format int    `json:"format"`

	// The tool.
	Version  string   `json:"version"`
	Revision string   `json:"revision"` // git revision it was built from, "+dirty" appended; "unknown"
	Args     []string `json:"args"`     // of the command line

	// What was to be run, fixed beforehand.
	Started         time.Time `json:"started"`
	Rounds          int       `json:"rounds"`           // blocks, each with every case in every mode
	DurationSeconds float64   `json:"duration_seconds"` // measured in each sample; cases may differ
	WarmupSeconds   float64   `json:"warmup_seconds"`   // before it, discarded
	Seed            uint64    `json:"seed"`             // of the random order
	Cases           []Case    `json:"cases"`
	AcceptedRisks   []string  `json:"accepted_risks"`

	// The machine.
	Host Host `json:"host"`
	// Programs are the versions of those that took part, such as wrk.
	Programs map[string]string `json:"programs"`
}

// Host describes a machine. What can not be found out is "unknown".
type Host struct {
	Kernel         string            `json:"kernel"` // release and build
	Arch           string            `json:"arch"`
	CPU            string            `json:"cpu"` // model
	CPUs           int               `json:"cpus"`
	Virtualisation string            `json:"virtualisation"` // "none", or a hypervisor's or a container's name
	MemoryBytes    uint64            `json:"memory_bytes"`
	Governor       string            `json:"governor"`    // of the CPU frequency
	Clocksource    string            `json:"clocksource"` // of the kernel
	Mitigations    map[string]string `json:"mitigations"` // of CPU vulnerabilities
	Sysctls        map[string]string `json:"sysctls"`     // those that local TCP depends on
	LoopbackMTU    int               `json:"loopback_mtu"`
	FIONREAD       string            `json:"fionread"`     // as in status
	LoadAverage    float64           `json:"load_average"` // of the last minute, before the start
	// SockOps are other sock_ops programs that see the benchmark's sockets.
	SockOps []string `json:"sock_ops"`
}

// Case is one line of the report: a load with all its settings.
type Case struct {
	Scenario string `json:"scenario"`
	// Name of the case within its scenario, such as "64B x16"; empty if the
	// scenario has only one.
	Name        string   `json:"name"`
	Load        string   `json:"load"` // what the scenario does, in a line
	Modes       []string `json:"modes"`
	Connections int      `json:"connections"`
	Size        int      `json:"size"`     // bytes of a message, or of a body
	Rate        float64  `json:"rate"`     // operations per second offered in all, 0 for a closed loop
	Pipeline    int      `json:"pipeline"` // requests on their way at a time on a connection, at least 1
	// DurationSeconds is what is measured of each sample.
	DurationSeconds float64 `json:"duration_seconds"`
	// Unit is what throughput counts: UnitRequests or UnitBytes.
	Unit string `json:"unit"`
	// Operation is what the load's operations are called: "request",
	// "write" or "connection".
	Operation string `json:"operation"`
}

// Units of throughput.
const (
	UnitRequests = "req/s"
	UnitBytes    = "B/s"
)

// ID names a case in a recording: "rr/64B x16", or "http-lb".
func (c Case) ID() string {
	if c.Name == "" {
		return c.Scenario
	}
	return c.Scenario + "/" + c.Name
}

// Measurement is what a load generator reports of one run.
type Measurement struct {
	// Operations ended within the measured time, verified where the load
	// can; AllOperations also counts what came before and after.
	Operations    int64 `json:"operations"`
	AllOperations int64 `json:"all_operations"`
	// Bytes is the payload received in Operations.
	Bytes   int64   `json:"bytes"`
	Seconds float64 `json:"seconds"` // measured time
	Errors  int64   `json:"errors"`
	// FirstError is "" without errors.
	FirstError string `json:"first_error"`
	// Latency in ns of the operations that began in the measured time, see
	// [Histogram]; with a rate, of all that were due in it, from then on.
	// nil where latency has no meaning.
	Latency *Histogram `json:"latency"`
}

// Sample is one run of a case in a mode.
type Sample struct {
	Type     string `json:"type"` // "sample"
	Scenario string `json:"scenario"`
	Case     string `json:"case"`
	Mode     string `json:"mode"`
	Block    int    `json:"block"`    // from 0
	Position int    `json:"position"` // in the order of the recording, from 0
	Measurement
	// CPUSeconds is what client, servers and, if on, sidecar used during
	// all operations, softirq work on their behalf included.
	CPUSeconds float64 `json:"cpu_seconds"`
	// SentMessages is how many messages the sockets in scope sent in all
	// operations as far as the load knows, 0 if it does not.
	SentMessages int64 `json:"sent_messages"`
	// Counted is what status counted meanwhile; only in ModeOn.
	Counted *Counted `json:"counted"`
}

// ID is that of the sample's case.
func (s *Sample) ID() string { return Case{Scenario: s.Scenario, Name: s.Case}.ID() }

// Counted are differences of status counters.
type Counted struct {
	Redirected      uint64            `json:"redirected"` // messages
	TCP             uint64            `json:"tcp"`        // messages
	RedirectedBytes uint64            `json:"redirected_bytes"`
	TCPBytes        uint64            `json:"tcp_bytes"`
	Paired          uint64            `json:"paired"`
	Adopted         uint64            `json:"adopted"`
	HandedOver      uint64            `json:"handed_over"`
	NotAccelerated  map[string]uint64 `json:"not_accelerated"`
	StayedOnTCP     map[string]uint64 `json:"stayed_on_tcp"`
}

// Share is the part of the sent messages that was redirected, from 0 to 1;
// false if nothing was counted.
func (s *Sample) Share() (float64, bool) {
	if s.Counted == nil {
		return 0, false
	}
	// Sockets that never were in the sockhash are not counted by status, and
	// a load knows only the least number of messages: the larger counts.
	sent := max(float64(s.Counted.Redirected+s.Counted.TCP), float64(s.SentMessages))
	if sent == 0 {
		return 0, false
	}
	return float64(s.Counted.Redirected) / sent, true
}

// Rate is the throughput in the unit of the sample's case.
func (s *Sample) Rate(unit string) float64 {
	if s.Seconds <= 0 {
		return 0
	}
	if unit == UnitBytes {
		return float64(s.Bytes) / s.Seconds
	}
	return float64(s.Operations) / s.Seconds
}

// Skip is a scenario that could not be run here.
type Skip struct {
	Type     string `json:"type"` // "skip"
	Scenario string `json:"scenario"`
	Reason   string `json:"reason"` // what is missing and how to get it
}

// End is the last line: without it the recording is not complete.
type End struct {
	Type    string    `json:"type"` // "end"
	Samples int       `json:"samples"`
	Ended   time.Time `json:"ended"`
}
