package load

import (
	"bytes"
	"testing"
)

// FuzzHello reads the first bytes of a connection.
func FuzzHello(f *testing.F) {
	f.Add(hello{KindRR, 64, 1}.append(nil))
	f.Add(hello{KindConnect, maxMessage, ^uint64(0)}.append(nil))
	f.Add(make([]byte, helloSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) != helloSize {
			return
		}
		if h, err := parseHello(b); err == nil && !bytes.Equal(h.append(nil), b) {
			t.Errorf("%x became %+v", b, h)
		}
	})
}

// FuzzReader gives a client what no server sends: only the script itself is
// taken for it, in whatever pieces it comes.
func FuzzReader(f *testing.F) {
	f.Add(uint64(1), 64, []byte("\x00sockaccel load: no"), 3)
	second, first := newScript(2, toClient, 100), newScript(3, toClient, 65)
	f.Add(uint64(2), 100, second.message(1), 50)
	f.Add(uint64(3), 65, first.message(0), 64)
	f.Fuzz(func(t *testing.T, seed uint64, size int, b []byte, cut int) {
		if size < 1 || size > maxMessage || cut < 0 || cut > len(b) {
			return
		}
		s := newScript(seed, toClient, size)
		var want []byte
		for n := int64(0); len(want) < len(b); n++ {
			want = append(want, s.message(n)...)
		}
		r := reader{script: s}
		err := r.take(b[:cut])
		if err == nil {
			err = r.take(b[cut:])
		}
		if same := bytes.HasPrefix(want, b); same != (err == nil) {
			t.Errorf("the script: %v, taken for it: %v", same, err)
		}
	})
}
