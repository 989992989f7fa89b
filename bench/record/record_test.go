package record

import "testing"

func TestShare(t *testing.T) {
	for _, x := range []struct {
		name string
		s    Sample
		want float64
		ok   bool
	}{
		{"off", Sample{SentMessages: 10}, 0, false},
		{"nothing sent", Sample{Counted: &Counted{}}, 0, false},
		{"all", Sample{SentMessages: 10, Counted: &Counted{Redirected: 10}}, 1, true},
		{"some by TCP", Sample{SentMessages: 10, Counted: &Counted{Redirected: 6, TCP: 4}}, 0.6, true},
		{"not all sockets are counted", Sample{SentMessages: 20, Counted: &Counted{Redirected: 6, TCP: 4}}, 0.3, true},
		{"more than the load knows", Sample{SentMessages: 5, Counted: &Counted{Redirected: 6, TCP: 4}}, 0.6, true},
		{"the load knows nothing", Sample{Counted: &Counted{Redirected: 1, TCP: 3}}, 0.25, true},
	} {
		if got, ok := x.s.Share(); got != x.want || ok != x.ok {
			t.Errorf("%s: %g, %t, want %g, %t", x.name, got, ok, x.want, x.ok)
		}
	}
}

func TestRate(t *testing.T) {
	s := Sample{Measurement: Measurement{Operations: 100, Bytes: 6400, Seconds: 0.5}}
	if got := s.Rate(UnitRequests); got != 200 {
		t.Errorf("%g requests/s", got)
	}
	if got := s.Rate(UnitBytes); got != 12_800 {
		t.Errorf("%g bytes/s", got)
	}
	s.Seconds = 0
	if got := s.Rate(UnitRequests); got != 0 {
		t.Errorf("%g requests/s in no time", got)
	}
}

func TestID(t *testing.T) {
	if got := (Case{Scenario: "rr", Name: "64B x16"}).ID(); got != "rr/64B x16" {
		t.Error(got)
	}
	if got := (&Sample{Scenario: "http-lb"}).ID(); got != "http-lb" {
		t.Error(got)
	}
}
