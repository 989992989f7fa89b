package filter

import (
	"net/netip"
	"slices"
	"testing"
)

func TestParsePorts(t *testing.T) {
	tests := []struct {
		args []string
		want []PortRange
		err  string
	}{
		{args: nil, want: nil},
		{args: []string{"80"}, want: []PortRange{{80, 80}}},
		{args: []string{"1-65535"}, want: []PortRange{{1, 65535}}},
		{args: []string{"80,443", "8000-8010"}, want: []PortRange{{80, 80}, {443, 443}, {8000, 8010}}},
		{args: []string{" 80 , 81 "}, want: []PortRange{{80, 80}, {81, 81}}},
		{args: []string{"5-5"}, want: []PortRange{{5, 5}}},
		{args: []string{"70000"}, err: `port "70000"`},
		{args: []string{"0"}, err: `port "0"`},
		{args: []string{"0-10"}, err: `port "0-10"`},
		{args: []string{"20-10"}, err: `port "20-10"`},
		{args: []string{"10-"}, err: `port "10-"`},
		{args: []string{"-10"}, err: `port "-10"`},
		{args: []string{"1-2-3"}, err: `port "1-2-3"`},
		{args: []string{"80", "http"}, err: `port "http"`},
		{args: []string{"80,,81"}, err: `port ""`},
		{args: []string{""}, err: `port ""`},
		{args: []string{"+80"}, err: `port "+80"`},
		{args: []string{"0x50"}, err: `port "0x50"`},
	}
	for _, tt := range tests {
		got, err := ParsePorts(tt.args)
		if !slices.Equal(got, tt.want) || !errIs(err, tt.err, ": must be a number from 1 to 65535 or a range such as 8000-8010") {
			t.Errorf("ParsePorts(%q) = %v, %v; want %v, %s", tt.args, got, err, tt.want, tt.err)
		}
	}
}

func TestParseCIDRs(t *testing.T) {
	tests := []struct {
		args []string
		want []string
		err  string
	}{
		{args: nil},
		{args: []string{"10.0.0.0/8"}, want: []string{"10.0.0.0/8"}},
		{args: []string{"10.1.2.3/8"}, want: []string{"10.0.0.0/8"}},
		{args: []string{"127.0.0.1"}, want: []string{"127.0.0.1/32"}},
		{args: []string{"0.0.0.0/0,::/0"}, want: []string{"0.0.0.0/0", "::/0"}},
		{args: []string{"::1", "fd00::1/64"}, want: []string{"::1/128", "fd00::/64"}},
		{args: []string{"::ffff:10.0.0.1"}, want: []string{"10.0.0.1/32"}},
		{args: []string{"::ffff:10.1.0.0/104"}, want: []string{"10.0.0.0/8"}},
		{args: []string{"::ffff:0:0/96"}, want: []string{"0.0.0.0/0"}},
		{args: []string{"::ffff:10.0.0.0/8"}, err: `cidr "::ffff:10.0.0.0/8"`},
		{args: []string{"x"}, err: `cidr "x"`},
		{args: []string{"10.0.0.0/33"}, err: `cidr "10.0.0.0/33"`},
		{args: []string{"10.0.0/8"}, err: `cidr "10.0.0/8"`},
		{args: []string{"fe80::1%eth0"}, err: `cidr "fe80::1%eth0"`},
		{args: []string{"fe80::1%eth0/64"}, err: `cidr "fe80::1%eth0/64"`},
		{args: []string{"10.0.0.1,"}, err: `cidr ""`},
		{args: []string{"localhost"}, err: `cidr "localhost"`},
	}
	for _, tt := range tests {
		got, err := ParseCIDRs(tt.args)
		if !slices.Equal(got, prefixes(tt.want...)) || !errIs(err, tt.err, ": must be an address or a network such as 10.0.0.0/8") {
			t.Errorf("ParseCIDRs(%q) = %v, %v; want %v, %s", tt.args, got, err, tt.want, tt.err)
		}
	}
}

// What is accepted survives its own text form and means one thing.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"80", "80-90", "0-1", "10.0.0.0/8", "::ffff:1.2.3.4", "::/0", "fe80::1%a", "1,2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ports, err := ParsePorts([]string{s})
		for _, r := range ports {
			if r.Lo == 0 || r.Lo > r.Hi {
				t.Errorf("ParsePorts(%q) = %v, %v", s, ports, err)
			}
			again, err := ParsePorts([]string{r.String()})
			if err != nil || !slices.Equal(again, []PortRange{r}) {
				t.Errorf("ParsePorts(%q) = %v, %v", r, again, err)
			}
		}
		nets, err := ParseCIDRs([]string{s})
		for _, p := range nets {
			if !p.IsValid() || p != p.Masked() || p.Addr().Is4In6() && p.Bits() >= mappedBits {
				t.Errorf("ParseCIDRs(%q) = %v, %v", s, nets, err)
			}
			again, err := ParseCIDRs([]string{p.String()})
			if err != nil || !slices.Equal(again, []netip.Prefix{p}) {
				t.Errorf("ParseCIDRs(%q) = %v, %v", p, again, err)
			}
		}
	})
}

func prefixes(ss ...string) (out []netip.Prefix) {
	for _, s := range ss {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

// errIs compares an error's text; head "" means that there must be none.
func errIs(err error, head, tail string) bool {
	if head == "" {
		return err == nil
	}
	return err != nil && err.Error() == head+tail
}
