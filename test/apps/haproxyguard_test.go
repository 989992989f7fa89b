package apps_test

import (
	"net/netip"
	"testing"

	"github.com/sockaccel/sockaccel/internal/state"
)

// HAProxy earns trust with requests that it copies, and then splices bodies, of
// which redirected data is queued already: the guard makes it fall back.
func TestHAProxySpliceGuarded(t *testing.T) {
	path := requireTool(t, "/usr/sbin/haproxy")
	s := newScope(t, true)
	if s.tool.Status(t).SpliceGuard != state.GuardOn {
		t.Skip("this kernel refuses the splice guard: that is the risk splice")
	}
	for _, mode := range []string{"http", "tcp"} {
		for _, options := range []string{"option splice-auto", "option splice-request\n\toption splice-response"} {
			t.Run(mode+" "+options, func(t *testing.T) {
				s := newScope(t, true)
				const tiny = 100
				dir := files(t, tiny, large)
				web := s.goServer(t, "", dir, netip.AddrPort{})
				client := startClient(t, s.cg)
				base := "http://" + s.haproxy(t, path, mode, options, web).String()
				for range 5 {
					client.get(t, "", base, tiny, 100)
				}
				before := s.tool.Status(t)
				n := volume(8, 100)
				client.get(t, "", base, large, n)
				client.put(t, "", base, dir, n)
				client.get(t, "", base, tiny, 100)
				client.get(t, "", base, large, n)
				after := s.tool.Status(t)
				t.Logf("redirected %d messages before, %d after; %+v", before.Messages.Redirected,
					after.Messages.Redirected, after.NotAccelerated)
				if before.Messages.Redirected == 0 && before.NotAccelerated.Splice == 0 {
					t.Error("HAProxy was neither trusted nor seen to splice")
				}
				if after.NotAccelerated.Splice == 0 {
					t.Error("HAProxy was not seen to splice")
				}
			})
		}
	}
}
