package state_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

// upgradeSteps are those of an upgrade to o, as it tells them.
func upgradeSteps(tb testing.TB, o other) []string {
	tb.Helper()
	s := newScene(tb)
	s.tool.Enable(tb, s.cg)
	steps := stepsOf(tb, s.mustAsOther(tb, o, "upgrade"))
	// Where the processor is emulated there is time for a few, at random.
	if few := max(testkit.Volume(len(steps)), 2); few < len(steps) {
		rand.Shuffle(len(steps), func(i, j int) { steps[i], steps[j] = steps[j], steps[i] })
		steps = steps[:few]
	}
	return steps
}

// Whichever step fails, under load: the error names it, the old version serves,
// the connection that is there and new ones are redirected.
func TestUpgradeFails(t *testing.T) {
	for _, to := range []other{next, {Version: "next", Variant: "types"}} {
		steps := upgradeSteps(t, to)
		t.Run(to.Variant, func(t *testing.T) {
			s := newScene(t)
			s.enable(t)
			l := upgradeLoad(t, s)
			cfd, sfd := s.connect(t)
			s.exchange(t, cfd, sfd)
			before := s.serves(t, s.version)
			for _, step := range steps {
				awaitRedirecting(t, s.tool)
				to.FailAt = step
				out, err := s.asOther(to, "upgrade")
				if testkit.ExitCode(err) != 1 || !strings.Contains(out, "step "+step+": made to fail") ||
					!strings.Contains(out, "version "+s.version+" goes on serving") {
					t.Errorf("%s: %v: upgrade says %q", step, err, out)
				}
				s.serves(t, s.version).kept(t, before)
				l.moving(t)
				awaitRedirecting(t, s.tool)
				s.exchange(t, cfd, sfd)
				if t.Failed() {
					t.Fatalf("after step %s failed", step)
				}
			}
			// And nothing keeps it from being made.
			to.FailAt = ""
			s.mustAsOther(t, to, "upgrade")
			s.serves(t, "next").replaced(t, before, to.Variant == next.Variant)
			awaitRedirecting(t, s.tool)
			s.tool.Disable(t)
			requireNothing(t, s.tool)
			l.finish(t)
		})
	}
}

// Killed at whichever step, under load, it leaves what status understands and
// what the next call makes whole: the old version, the new one, or disable.
func TestUpgradeKilled(t *testing.T) {
	for _, to := range []other{next, {Version: "next", Variant: "types"}} {
		steps := upgradeSteps(t, to)
		t.Run(to.Variant, func(t *testing.T) {
			s := newScene(t)
			s.enable(t)
			l := upgradeLoad(t, s)
			repairs := []func(){
				func() { s.tool.MustRun(t, "upgrade") },
				func() { s.tool.Enable(t, s.cg) },
				func() { s.mustAsOther(t, to, "upgrade"); s.serves(t, "next"); s.tool.MustRun(t, "upgrade") },
				func() { s.tool.Disable(t); requireNothing(t, s.tool); s.tool.Enable(t, s.cg) },
			}
			for round := range max(testkit.Volume(len(steps)*len(repairs)), len(steps)) {
				step, repair := steps[round%len(steps)], round%len(repairs)
				if len(steps)%len(repairs) == 0 {
					repair = (round + round/len(steps)) % len(repairs)
				}
				awaitRedirecting(t, s.tool)
				to.KillAt = step
				if out, err := s.asOther(to, "upgrade"); testkit.ExitCode(err) != -1 {
					t.Fatalf("not killed at step %s: %v: %s", step, err, out)
				}
				to.KillAt = ""
				if st := s.tool.Status(t); st.Version != s.version && !slices.Contains([]string{"sidecar", "attach"}, step) {
					t.Errorf("killed at step %s: status says version %s", step, st.Version)
				}
				l.moving(t)
				repairs[repair]()
				s.serves(t, s.version)
				l.moving(t)
				awaitRedirecting(t, s.tool)
				if t.Failed() {
					t.Fatalf("killed at step %s, repair %d", step, repair)
				}
			}
			s.tool.Disable(t)
			requireNothing(t, s.tool)
			l.finish(t)
		})
	}
}
