package apps_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// pgbench over TCP: its own books are right afterwards.
func TestPgbench(t *testing.T) {
	p := newPostgres(t)
	offAndOn(t, func(t *testing.T, s *scope) {
		p.start(t, s)
		s.run(t, p.command("pgbench", "--initialize", "--quiet"))
		const clients = 8
		for _, protocol := range []string{"simple", "prepared"} {
			each := volume(200, 1000)
			// A transaction has seven commands, each a message and an answer.
			s.counted(t, claim{messages: 14 * clients * each, share: learning(0.9)}, func() {
				s.run(t, p.command("pgbench", "--client", strconv.Itoa(clients), "--jobs", "2",
					"--transactions", strconv.Itoa(each), "--protocol", protocol, "--no-vacuum"))
			})
			p.balanced(t, clients*each)
			p.query(t, "TRUNCATE pgbench_history; UPDATE pgbench_accounts SET abalance = 0;"+
				"UPDATE pgbench_tellers SET tbalance = 0; UPDATE pgbench_branches SET bbalance = 0")
		}
	})
}

// balanced requires that every transaction is in all of the tables.
func (p *postgres) balanced(tb testing.TB, transactions int) {
	tb.Helper()
	got := p.query(tb, `SELECT (SELECT count(*) FROM pgbench_history),
		(SELECT sum(abalance) FROM pgbench_accounts) = h.sum, (SELECT sum(tbalance) FROM pgbench_tellers) = h.sum,
		(SELECT sum(bbalance) FROM pgbench_branches) = h.sum
		FROM (SELECT sum(delta) AS sum FROM pgbench_history) AS h`)
	if want := fmt.Sprintf("%d|t|t|t", transactions); got != want {
		tb.Errorf("pgbench's books say %s, want %s", got, want)
	}
}

// COPY in and out again is the same file.
func TestPostgresCopy(t *testing.T) {
	p := newPostgres(t)
	var want bytes.Buffer
	for i := 0; want.Len() < volume(10_000_000, 100_000_000); i++ {
		fmt.Fprintf(&want, "%d\t%x\n", i, uint64(i)*0x9E3779B97F4A7C15)
	}
	in, out := filepath.Join(p.data, "in"), filepath.Join(p.data, "out")
	if err := os.WriteFile(in, want.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	offAndOn(t, func(t *testing.T, s *scope) {
		p.start(t, s)
		p.query(t, "DROP TABLE IF EXISTS copied; CREATE TABLE copied (id int, text text)")
		psql := func(commands ...string) func() {
			return func() {
				args := []string{"--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1"}
				for _, c := range commands {
					args = append(args, "--command", c)
				}
				s.run(t, p.command("psql", args...))
			}
		}
		// psql hardly reads while it writes.
		s.counted(t, claim{bytes: want.Len(), share: 0.01, why: noEvidence}, psql(`\copy copied from '`+in+`'`))
		// Adopted on the way, when it is read to the end for a moment.
		s.counted(t, claim{bytes: want.Len(), share: 0.5, or: noEvidence}, psql(`\copy copied to '`+out+`'`))
		got, err := os.ReadFile(out)
		if err != nil || !bytes.Equal(got, want.Bytes()) {
			t.Errorf("copied out: %d bytes that differ from the %d copied in: %v", len(got), want.Len(), err)
		}
	})
}
