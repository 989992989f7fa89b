package load

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestScriptsDiffer(t *testing.T) {
	seen := map[string]bool{}
	for seed := range uint64(20) {
		for _, direction := range []int{toServer, toClient} {
			s := newScript(seed, direction, 64)
			for n := range int64(500) {
				m := string(s.message(n))
				if len(m) != 64 || seen[m] {
					t.Fatalf("message %d of seed %d, direction %d, is not its own", n, seed, direction)
				}
				seen[m] = true
			}
		}
	}
}

// However the bytes are cut, they are right, and none of them may be changed.
func TestReaderTakesPieces(t *testing.T) {
	for _, size := range []int{64, 1000, maxMessage} {
		r := reader{script: newScript(7, toClient, size)}
		var all []byte
		for n := range int64(10) {
			all = append(all, r.message(n)...)
		}
		for rest := all; len(rest) > 0; {
			k := min(len(rest), 1+rand.IntN(2*size))
			if err := r.take(rest[:k]); err != nil {
				t.Fatal(err)
			}
			rest = rest[k:]
		}
		if r.n != 10 || r.got != 0 {
			t.Errorf("size %d: %d messages and %d bytes", size, r.n, r.got)
		}
		for range 100 {
			wrong := bytes.Clone(all)
			wrong[rand.IntN(len(wrong))] ^= 1 << rand.IntN(8)
			r := reader{script: newScript(7, toClient, size)}
			if err := r.take(wrong); err == nil {
				t.Fatal("a changed bit was not noticed")
			}
		}
	}
}

func TestReaderExplains(t *testing.T) {
	s := newScript(7, toClient, 100)
	changed := bytes.Clone(s.message(5))
	changed[3]++
	for _, x := range []struct {
		b    []byte
		want string
	}{
		{s.message(4), "message 4 instead of 5"},
		{s.message(6)[:20], "message 6 instead of 5"},
		{changed, "message 5: byte 3 is 0x"},
		{s.message(5)[1:], "message 5: byte 0 is 0x"},
		{[]byte(string(refusal) + "because"), "refused by the server: because"},
	} {
		r := reader{script: s, n: 5}
		if err := r.take(x.b); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%v, want %s", err, x.want)
		}
	}
}
