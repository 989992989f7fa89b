package filter

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// PortRange is an inclusive range of TCP ports, 1 to 65535. Its text and JSON
// form is that of the command line: "80" or "8000-8010".
type PortRange struct {
	Lo, Hi uint16
}

// ParsePorts reads the arguments of --port and --exclude-port: ports and
// ranges, several in one argument separated by commas. Its error names the
// part that is wrong.
func ParsePorts(args []string) ([]PortRange, error) {
	var ranges []PortRange
	for part := range parts(args) {
		var r PortRange
		if err := r.UnmarshalText([]byte(part)); err != nil {
			return nil, err
		}
		ranges = append(ranges, r)
	}
	return ranges, nil
}

// String returns "80" or "8000-8010".
func (r PortRange) String() string {
	lo := strconv.Itoa(int(r.Lo))
	if r.Lo == r.Hi {
		return lo
	}
	return lo + "-" + strconv.Itoa(int(r.Hi))
}

// MarshalText implements encoding.TextMarshaler; it never fails.
func (r PortRange) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler. It refuses port 0 and
// reversed ranges.
func (r *PortRange) UnmarshalText(text []byte) error {
	loText, hiText, isRange := strings.Cut(string(text), "-")
	lo, ok := parsePort(loText)
	hi, okHi := lo, true
	if isRange {
		hi, okHi = parsePort(hiText)
	}
	if !ok || !okHi || lo > hi {
		return fmt.Errorf("port %q: must be a number from 1 to 65535 or a range such as 8000-8010", text)
	}
	*r = PortRange{lo, hi}
	return nil
}

// Contains says whether port is in the range.
func (r PortRange) Contains(port uint16) bool { return r.Lo <= port && port <= r.Hi }

func parsePort(s string) (uint16, bool) {
	n, err := strconv.ParseUint(s, 10, 16)
	return uint16(n), err == nil && n > 0
}

// normalizePorts sorts ranges and joins those that touch or overlap.
func normalizePorts(ranges []PortRange) []PortRange {
	sorted := slices.SortedFunc(slices.Values(ranges), func(a, b PortRange) int { return int(a.Lo) - int(b.Lo) })
	out := make([]PortRange, 0, len(sorted))
	for _, r := range sorted {
		// int: the port after 65535 must not wrap to 0.
		if n := len(out); n > 0 && int(r.Lo) <= int(out[n-1].Hi)+1 {
			out[n-1].Hi = max(out[n-1].Hi, r.Hi)
			continue
		}
		out = append(out, r)
	}
	return out
}

func containsPort(ranges []PortRange, port uint16) bool {
	return slices.ContainsFunc(ranges, func(r PortRange) bool { return r.Contains(port) })
}
