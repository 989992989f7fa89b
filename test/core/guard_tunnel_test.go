package core_test

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

// A Go proxy reads a header, which makes it trusted, and then copies the rest
// with io.Copy while redirected data is queued: it falls back to read, and every
// byte arrives, both ways. So does what follows, on TCP.
func TestGuardGoCopy(t *testing.T) {
	s := newGuardScene(t)
	proxy := testkit.StartAgent(t, testkit.AgentOptions{Name: "proxy", Cgroup: s.cg})
	addr := proxy.MustTunnel(t, testkit.Loopback, testkit.Must(s.server.LocalAddr(s.listener))(t))

	// Its header reads are what it is trusted for.
	answer := func(fd int) {
		t.Helper()
		s.client.MustSend(t, fd, []byte("header"))
		s.client.MustRecv(t, fd, []byte("header"))
	}
	warm := s.client.MustDial(t, addr, true)
	for range 8 {
		answer(warm)
	}
	s.client.MustClose(t, warm)

	d := s.since(t)
	data := testkit.NewStream(3)
	const first, total = 100_000, 4 << 20
	fd := s.client.MustDial(t, addr, true)
	for range 8 {
		answer(fd)
	}
	before := d.redirected(s.tool.Status(t))
	s.client.MustSend(t, fd, append([]byte("tunnel"), data.Bytes(0, first)...))
	if n := d.redirected(s.tool.Status(t)); before < 16 || n != before+1 {
		t.Fatalf("%d messages redirected, and %d with the data: want 16 and one more", before, n)
	}
	behind := testkit.Must(s.server.Accept(s.listener, true))(t)
	var all []*testkit.Pending[testkit.StreamStats]
	for _, x := range []struct {
		writer, reader *testkit.Agent
		wfd, rfd       int
		seed, off      uint64
	}{
		{s.client, s.server, fd, behind, 3, first},
		{s.server, s.client, behind, fd, 4, 0},
	} {
		all = append(all, testkit.Go(func() (testkit.StreamStats, error) {
			stats, err := x.writer.SendStream(x.wfd, testkit.SendOptions{Seed: x.seed, Off: x.off, Total: total - int64(x.off)})
			if err != nil {
				return stats, err
			}
			return stats, x.writer.Shutdown(x.wfd, unix.SHUT_WR)
		}), testkit.Go(func() (testkit.StreamStats, error) {
			return x.reader.VerifyStream(x.rfd, testkit.ReadOptions{Seed: x.seed, Total: total, EOF: true})
		}))
	}
	for _, p := range all {
		if _, err := p.Wait(2 * trustWait); err != nil {
			t.Error(err)
		}
	}
	if st := s.tool.Status(t); st.NotAccelerated.Splice == d.before.NotAccelerated.Splice {
		t.Error("nobody was seen to splice")
	}
}
