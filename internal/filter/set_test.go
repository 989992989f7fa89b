package filter

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"slices"
	"testing"
)

func TestNormalize(t *testing.T) {
	ports := []struct{ in, want []PortRange }{
		{nil, []PortRange{}},
		{[]PortRange{{9, 9}, {1, 2}}, []PortRange{{1, 2}, {9, 9}}},
		{[]PortRange{{1, 2}, {3, 4}}, []PortRange{{1, 4}}},
		{[]PortRange{{1, 9}, {3, 4}, {9, 10}}, []PortRange{{1, 10}}},
		{[]PortRange{{65535, 65535}, {1, 65535}}, []PortRange{{1, 65535}}},
		{[]PortRange{{65535, 65535}, {1, 1}}, []PortRange{{1, 1}, {65535, 65535}}},
	}
	for _, tt := range ports {
		in := slices.Clone(tt.in)
		if got := normalizePorts(tt.in); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("normalizePorts(%v) = %v, want %v", tt.in, got, tt.want)
		}
		if !slices.Equal(tt.in, in) {
			t.Errorf("normalizePorts changed its argument %v", in)
		}
	}
	cidrs := []struct{ in, want []string }{
		{[]string{"10.0.0.0/8", "10.0.0.0/8"}, []string{"10.0.0.0/8"}},
		{[]string{"10.1.0.0/16", "10.0.0.0/8", "9.0.0.0/8"}, []string{"9.0.0.0/8", "10.0.0.0/8"}},
		{[]string{"::/0", "10.0.0.0/8", "fd00::/8"}, []string{"10.0.0.0/8", "::/0"}},
		{[]string{"::ffff:10.0.0.0/104", "10.9.9.9/8"}, []string{"10.0.0.0/8"}},
	}
	for _, tt := range cidrs {
		if got := normalizeCIDRs(prefixes(tt.in...)); !slices.Equal(got, prefixes(tt.want...)) {
			t.Errorf("normalizeCIDRs(%v) = %v, want %v", tt.in, got, tt.want)
		}
	}
}

func TestEqualEmpty(t *testing.T) {
	a := Set{Ports: []PortRange{{1, 2}, {3, 3}}, CIDRs: prefixes("10.0.0.1/8")}
	b := Set{Ports: []PortRange{{1, 3}}, CIDRs: prefixes("10.0.0.0/8", "10.1.0.0/16")}
	others := []Set{
		{},
		{Ports: b.Ports},
		{CIDRs: b.CIDRs},
		{ExcludePorts: b.Ports, ExcludeCIDRs: b.CIDRs},
		{Ports: []PortRange{{1, 4}}, CIDRs: b.CIDRs},
		{Ports: b.Ports, CIDRs: prefixes("10.0.0.0/9")},
		{Ports: b.Ports, CIDRs: b.CIDRs, ExcludePorts: b.Ports},
	}
	if !a.Equal(b) || !b.Equal(a) {
		t.Error("equal sets differ")
	}
	for _, o := range others {
		if a.Equal(o) || o.Equal(a) {
			t.Errorf("%+v equals %+v", a, o)
		}
		if want := reflect.DeepEqual(o, Set{}); o.Empty() != want {
			t.Errorf("%+v.Empty() = %v", o, !want)
		}
	}
	if !(Set{}).Normalize().Empty() || !(Set{}).Equal(Set{}.Normalize()) {
		t.Error("the zero set is not empty")
	}
}

func TestJSON(t *testing.T) {
	s := Set{Ports: []PortRange{{80, 80}, {8000, 8010}}, ExcludeCIDRs: prefixes("10.0.0.0/8", "::1/128")}.Normalize()
	const want = `{"ports":["80","8000-8010"],"exclude_ports":[],"cidrs":[],"exclude_cidrs":["10.0.0.0/8","::1/128"]}`
	data, err := json.Marshal(s)
	if err != nil || string(data) != want {
		t.Fatalf("got  %s, %v\nwant %s", data, err, want)
	}
	var back Set
	if err := json.Unmarshal(data, &back); err != nil || !reflect.DeepEqual(back, s) {
		t.Errorf("read back %+v, %v", back, err)
	}
	if err := json.Unmarshal([]byte(`{"ports":["0"]}`), &back); err == nil {
		t.Error("port 0 was read back")
	}
}

func TestMatch(t *testing.T) {
	local, remote := netip.MustParseAddrPort("10.0.0.1:40000"), netip.MustParseAddrPort("10.0.0.2:80")
	tests := []struct {
		name               string
		set                Set
		excluded, included bool
	}{
		{"empty", Set{}, false, true},
		{"remote port", Set{Ports: []PortRange{{80, 80}}}, false, true},
		{"local port", Set{Ports: []PortRange{{40000, 40001}}}, false, true},
		{"other port", Set{Ports: []PortRange{{81, 39999}}}, false, false},
		{"remote address", Set{CIDRs: prefixes("10.0.0.2/32")}, false, true},
		{"local address", Set{CIDRs: prefixes("10.0.0.1/32")}, false, true},
		{"other address", Set{CIDRs: prefixes("11.0.0.0/8")}, false, false},
		{"all of IPv6", Set{CIDRs: prefixes("::/0")}, false, false},
		{"both kinds", Set{Ports: []PortRange{{80, 80}}, CIDRs: prefixes("10.0.0.0/8")}, false, true},
		{"port only of both kinds", Set{Ports: []PortRange{{80, 80}}, CIDRs: prefixes("11.0.0.0/8")}, false, false},
		{"address only of both kinds", Set{Ports: []PortRange{{81, 81}}, CIDRs: prefixes("10.0.0.0/8")}, false, false},
		{"excluded remote port", Set{ExcludePorts: []PortRange{{80, 80}}}, true, true},
		{"excluded local port", Set{ExcludePorts: []PortRange{{40000, 40000}}}, true, true},
		{"excluded address", Set{ExcludeCIDRs: prefixes("10.0.0.0/30")}, true, true},
		{"other excluded", Set{ExcludePorts: []PortRange{{81, 81}}, ExcludeCIDRs: prefixes("::/0")}, false, true},
		{"excluded and not included", Set{Ports: []PortRange{{81, 81}}, ExcludePorts: []PortRange{{80, 80}}}, true, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			mappedLocal := netip.AddrPortFrom(netip.AddrFrom16(local.Addr().As16()), local.Port())
			for _, l := range []netip.AddrPort{local, mappedLocal} { // a dual-stack end is judged alike
				excluded, included := tt.set.Match(l, remote)
				if excluded != tt.excluded || included != tt.included {
					t.Errorf("Match(%v, %v) = %v, %v; want %v, %v", l, remote, excluded, included, tt.excluded, tt.included)
				}
			}
		})
	}
}

func TestMatchZone(t *testing.T) {
	l, r := netip.MustParseAddrPort("[fe80::1%eth0]:1"), netip.MustParseAddrPort("[fe80::2%eth0]:2")
	if _, included := (Set{CIDRs: prefixes("fe80::/10")}).Match(l, r); !included {
		t.Error("an address with a zone is in no network")
	}
}

// A published container port: the client sees the host's address and port 8080,
// the server its own and port 80.
func TestAccelerate(t *testing.T) {
	client := End{netip.MustParseAddrPort("192.168.1.1:40000"), netip.MustParseAddrPort("192.168.1.1:8080")}
	server := End{netip.MustParseAddrPort("172.17.0.2:80"), netip.MustParseAddrPort("172.17.0.1:40000")}
	p := func(port uint16) []PortRange { return []PortRange{{port, port}} }
	tests := []struct {
		name string
		set  Set
		want bool
	}{
		{"empty", Set{}, true},
		{"the client's port", Set{Ports: p(8080)}, true},
		{"the server's port", Set{Ports: p(80)}, true},
		{"neither port", Set{Ports: p(81)}, false},
		{"each end satisfies one kind", Set{Ports: p(8080), CIDRs: prefixes("172.17.0.0/16")}, true},
		{"one kind unsatisfied", Set{Ports: p(8080), CIDRs: prefixes("10.0.0.0/8")}, false},
		{"excluded at the client", Set{ExcludePorts: p(8080)}, false},
		{"excluded at the server", Set{ExcludePorts: p(80)}, false},
		{"excluded at one end, included at the other", Set{Ports: p(80), ExcludeCIDRs: prefixes("192.168.0.0/16")}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.set.Accelerate(client, server); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			if got := tt.set.Accelerate(server, client); got != tt.want {
				t.Errorf("ends swapped: got %v, want %v", got, tt.want)
			}
		})
	}
}
