package core_test

import (
	"fmt"
	"testing"

	"github.com/sockaccel/sockaccel/internal/status"
	"github.com/sockaccel/sockaccel/internal/testkit"
)

// Filters given by enable, and replaced by another enable, for a connection by
// IPv4 and one by IPv6.
func TestFilters(t *testing.T) {
	s := newPlainScene(t)
	four := s.connections(t, 1)
	var six [][2]int
	cfd, sfd := testkit.Pair(t, s.client, s.server, testkit.PairOptions{Addr: testkit.Loopback6})
	six = append(six, [2]int{cfd, sfd})
	both := [][2]int{four[0], six[0]}
	port := fmt.Sprint(testkit.Must(s.server.LocalAddr(four[0][1]))(t).Port())
	source := fmt.Sprint(testkit.Must(s.client.LocalAddr(cfd))(t).Port())

	s.tool.Enable(t, s.cg)
	s.adopt(t, both, 2)
	for _, x := range []struct {
		flags     []string
		four, six bool
	}{
		{[]string{"--port", port}, true, false},
		{nil, true, false}, // the filters stay
		{[]string{"--port", source}, false, true},
		{[]string{"--exclude-port", port}, false, true},
		{[]string{"--cidr", "127.0.0.0/8"}, true, false},
		{[]string{"--exclude-cidr", "0.0.0.0/0"}, false, true},
		{[]string{"--cidr", "127.0.0.0/8,::1/128", "--exclude-port", source}, true, false},
		{[]string{"--port", "1-65535"}, true, true},
		{[]string{"--port", port, "--cidr", "::1/128"}, false, false},
	} {
		s.tool.Enable(t, s.cg, x.flags...)
		want := uint64(0)
		for _, in := range []bool{x.four, x.six} {
			if in {
				want++
			}
		}
		s.tool.Await(t, adoptWithin, fmt.Sprint(x), func(st *status.Status) bool {
			return st.Connections.Accelerated == want && st.NotAccelerated.Excluded == 2-want
		})
		s.awaitRedirects(t, four, x.four)
		s.awaitRedirects(t, six, x.six)
	}
}

// awaitRedirects is for what changes by itself: numbers alone do not tell
// which connection is accelerated until the change is through.
func (s *scene) awaitRedirects(tb testing.TB, conns [][2]int, want bool) {
	tb.Helper()
	s.tool.Await(tb, adoptWithin, fmt.Sprintf("redirected: %v", want), func(before *status.Status) bool {
		s.talk(tb, conns, 1, "which")
		return s.tool.Status(tb).Messages.Redirected > before.Messages.Redirected == want
	})
	s.redirects(tb, conns, want)
}
