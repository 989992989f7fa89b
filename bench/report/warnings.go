package report

import (
	"fmt"

	"github.com/sockaccel/sockaccel/bench/record"
)

const (
	// remote is the scenario whose server is out of scope.
	remote = "remote"
	// wantShare of the messages is to be redirected where both ends are in
	// scope: with less, a report is hardly one of acceleration. What is lost
	// before the readers are trusted is far less.
	wantShare = 0.9
	// wantRate is the part of an offered rate that counts as reached: what
	// is on its way at the end of the measurement is missing.
	wantRate = 0.98
)

func (r *Report) warn(format string, args ...any) {
	r.Warnings = append(r.Warnings, fmt.Sprintf(format, args...))
}

// minRounds is the least number of values that has an interval of 95 %: that
// the median is below or above all of six has a chance of 2/2^6.
const minRounds = 6

func (r *Report) warnRounds() {
	if n := r.Environment.Rounds; n < minRounds {
		r.warn("only %d rounds: intervals, and with them differences, need at least %d", n, minRounds)
	}
}

func (r *Report) warnNoise(c *Case) {
	if c.Noisy {
		r.warn("%s: too noisy, no difference is shown: the middle half of the rounds without acceleration spreads over "+
			"%.0f %% of their median (at most %d %%); repeat it while nothing else runs, or with longer rounds",
			c.ID, c.NoisePercent, tooNoisy)
	}
}

func (r *Report) warnMode(c *Case, m *measured) {
	if m.Errors > 0 {
		r.warn("%s: %s: %d errors in %d of %d rounds: %s", c.ID, m.Mode.Mode, m.Errors, m.failedRounds, m.N, m.FirstError)
	}
	if got := m.operations.interval().Median; got < wantRate*c.Rate {
		r.warn("%s: %s: %.0f of %.0f operations per second were reached: latency includes the backlog",
			c.ID, m.Mode.Mode, got, c.Rate)
	}
	if m.Mode.Mode == record.ModeOn {
		r.warnShare(c, &m.total)
	}
}

func (r *Report) warnShare(c *Case, total *record.Sample) {
	share, counted := total.Share()
	switch {
	case c.Scenario == remote:
		if share > 0 {
			r.warn("%s: %d messages were redirected, although the server is out of scope", c.ID, total.Counted.Redirected)
		}
	case !counted:
		r.warn("%s: no messages were counted: it is not known whether any were redirected", c.ID)
	case share < wantShare:
		r.warn("%s: only %s %% of the messages were redirected (%s)", c.ID, floorPercent(share), reasons(total))
	}
}
