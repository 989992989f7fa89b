package filter

import (
	"encoding/json"
	"net/netip"
	"testing"
)

// FuzzSet reads what the state directory holds: whatever is taken for a Set
// comes back from JSON as the same Set, and its normal form means the same.
func FuzzSet(f *testing.F) {
	f.Add([]byte(`{"ports":["80","8000-8010"],"exclude_ports":["22"],"cidrs":["10.0.0.0/8"],"exclude_cidrs":["::/0"]}`), uint16(8001), []byte{10, 1, 2, 3})
	f.Add([]byte(`{"ports":["65535","1-65534"],"cidrs":["::ffff:10.1.2.3/100","10.1.2.3/0"]}`), uint16(1), []byte{10, 1, 2, 3})
	f.Add([]byte(`{"cidrs":["fe80::/10","0.0.0.0/0",""]}`), uint16(0), make([]byte, 16))
	f.Add([]byte(`{"cidrs":null,"ports":[null]}`), uint16(0), []byte{})
	f.Fuzz(func(t *testing.T, text []byte, port uint16, address []byte) {
		var s Set
		if json.Unmarshal(text, &s) != nil {
			return
		}
		normal := s.Normalize()
		again, err := json.Marshal(normal)
		if err != nil {
			t.Fatalf("%+v: %v", normal, err)
		}
		var back Set
		if err := json.Unmarshal(again, &back); err != nil || !back.Equal(s) || !normal.Equal(s) {
			t.Errorf("%s became %s: %+v, %v", text, again, back, err)
		}
		a, _ := netip.AddrFromSlice(address)
		end := End{netip.AddrPortFrom(a, port), netip.AddrPortFrom(netip.IPv6Loopback(), ^port)}
		if got, want := normal.Bits(end), s.Bits(end); got != want {
			t.Errorf("%v: %03b in normal form, %03b by %s", end, got, want, text)
		}
	})
}
