package driver

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sockaccel/sockaccel/bench/record"
)

// wrkSummary is what the script prints.
type wrkSummary struct {
	Requests int64 `json:"requests"` // answered
	Bytes    int64 `json:"bytes"`    // headers included
	Duration int64 `json:"duration"` // µs
	Errors   struct {
		Connect int64 `json:"connect"`
		Read    int64 `json:"read"`
		Write   int64 `json:"write"`
		Timeout int64 `json:"timeout"` // answered, after more than 2 s
		Status  int64 `json:"status"`  // above 399
	} `json:"errors"`
	Latency [][2]int64 `json:"latency"` // µs and how often, ascending
}

func parseWrk(out string) (*wrkSummary, error) {
	// What wrk prints for people comes before it.
	_, text, found := strings.Cut(out, "\n{")
	if !found {
		return nil, errors.New("wrk: no summary in its output")
	}
	s := new(wrkSummary)
	if err := json.Unmarshal([]byte("{"+text), s); err != nil {
		return nil, fmt.Errorf("wrk: read its summary: %w", err)
	}
	return s, nil
}

func (s *wrkSummary) measurement(connections, bodySize int) (record.Measurement, error) {
	e := s.Errors
	m := record.Measurement{
		Operations:    s.Requests - e.Status,
		AllOperations: s.Requests,
		Seconds:       float64(s.Duration) / 1e6,
		Errors:        e.Connect + e.Read + e.Write + e.Timeout + e.Status,
	}
	m.Bytes = m.Operations * int64(bodySize)
	if m.Errors > 0 {
		m.FirstError = fmt.Sprintf("wrk: errors: connect %d, read %d, write %d, timeout %d, status %d",
			e.Connect, e.Read, e.Write, e.Timeout, e.Status)
	}
	if s.Bytes < m.Bytes {
		return m, fmt.Errorf("wrk: %d answers with %d bytes in all, a body has %d: they are cut short",
			s.Requests, s.Bytes, bodySize)
	}
	measured, err := s.measured(connections)
	if err != nil {
		return m, err
	}
	m.Latency = record.NewHistogram()
	for µs, n := range measured {
		m.Latency.Add(time.Duration(µs)*time.Microsecond, n)
	}
	return m, nil
}

// measured returns the latencies, in µs, that wrk really measured, and how
// often.
//
// Before wrk shows latencies it "corrects" them for coordinated omission
// (stats_correct in src/stats.c of 4.0.0 to 4.2.0): beside each one longer than
// twice the mean time between the requests of a connection it counts some that
// were never measured, smaller by once, twice, ... that time. That time is not
// a rate that anybody wanted, it is what the server achieved: with and without
// acceleration latencies would be changed by different rules. So it is undone,
// exactly; that the counts agree with the number of requests proves it.
// Latency at a fixed rate is for the scenario rr to tell.
func (s *wrkSummary) measured(connections int) (map[int64]int64, error) {
	counts := make(map[int64]int64, len(s.Latency))
	for _, l := range s.Latency {
		if l[0] < 0 || l[1] < 0 {
			return nil, fmt.Errorf("wrk: %d times %d µs is no latency", l[1], l[0])
		}
		counts[l[0]] = l[1]
	}
	if rounds := s.Requests / int64(connections); rounds > 0 {
		expected := s.Duration / rounds
		// From the longest on: nothing was added to that one.
		for i := len(s.Latency) - 1; i >= 0 && expected > 0; i-- {
			latency := s.Latency[i][0]
			n := counts[latency]
			for added := latency - expected; n > 0 && added > expected; added -= expected {
				// At once: in damaged output it would go on for years.
				if counts[added] < n {
					return nil, fmt.Errorf("wrk: can not undo its correction of latencies: %d times %d µs, not %d", counts[added], added, n)
				}
				counts[added] -= n
			}
		}
	}
	recorded := int64(0)
	for _, n := range counts {
		recorded += n
	}
	if answered := s.Requests - s.Errors.Timeout; recorded != answered {
		return nil, fmt.Errorf("wrk: %d latencies of %d requests: is it another version than 4.0 to 4.2?", recorded, answered)
	}
	return counts, nil
}
