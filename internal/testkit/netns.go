package testkit

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

var linkCount atomic.Int64

// Netns is an anonymous network namespace, which lives as long as the test or
// an agent in it.
type Netns struct {
	handle netns.NsHandle
}

// NewNetns creates a network namespace in which lo is up.
func NewNetns(tb testing.TB) *Netns {
	tb.Helper()
	RequireRoot(tb)
	var n Netns
	var err error
	inThread(tb, func() { n.handle, err = netns.New() })
	if err != nil {
		tb.Fatalf("create network namespace: %v", err)
	}
	tb.Cleanup(func() { n.handle.Close() })

	n.netlink(tb, func(h *netlink.Handle) error {
		lo, err := h.LinkByName("lo")
		if err != nil {
			return err
		}
		return h.LinkSetUp(lo)
	})
	return &n
}

// Do calls fn in the namespace. Goroutines that fn starts are outside.
func (n *Netns) Do(tb testing.TB, fn func()) {
	tb.Helper()
	inThread(tb, func() {
		if err := netns.Set(n.handle); err != nil {
			tb.Fatalf("enter network namespace: %v", err)
		}
		fn()
	})
}

// inThread calls fn in a locked thread that has its network namespace back
// afterwards, whatever fn does to it.
func inThread(tb testing.TB, fn func()) {
	tb.Helper()
	runtime.LockOSThread()
	home, err := netns.Get()
	if err != nil {
		runtime.UnlockOSThread()
		tb.Fatalf("get network namespace: %v", err)
	}
	defer func() {
		defer home.Close()
		if err := netns.Set(home); err != nil {
			// Not unlocked: the thread dies with this goroutine.
			tb.Errorf("return to network namespace: %v", err)
			return
		}
		runtime.UnlockOSThread()
	}()
	fn()
}

// Cookie returns the identity of the namespace, as in bpf_get_netns_cookie.
func (n *Netns) Cookie(tb testing.TB) (cookie uint64) {
	tb.Helper()
	n.Do(tb, func() {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			tb.Fatalf("socket: %v", err)
		}
		defer unix.Close(fd)
		cookie, err = unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
		if err != nil {
			tb.Fatalf("get network namespace cookie: %v", err)
		}
	})
	return cookie
}

// Link joins two namespaces by a veth pair with the given addresses, of one
// family, in CIDR notation. It returns the interface names.
func Link(tb testing.TB, a, b *Netns, cidrA, cidrB string) (nameA, nameB string) {
	tb.Helper()
	n := linkCount.Add(1)
	nameA, nameB = fmt.Sprintf("veth%da", n), fmt.Sprintf("veth%db", n)
	attrs := netlink.NewLinkAttrs()
	attrs.Name = nameA
	a.netlink(tb, func(h *netlink.Handle) error {
		return h.LinkAdd(&netlink.Veth{
			LinkAttrs:     attrs,
			PeerName:      nameB,
			PeerNamespace: netlink.NsFd(b.handle),
		})
	})
	a.configure(tb, nameA, cidrA)
	b.configure(tb, nameB, cidrB)
	return nameA, nameB
}

// AddAddr gives another address to an interface.
func (n *Netns) AddAddr(tb testing.TB, name, cidr string) {
	tb.Helper()
	n.configure(tb, name, cidr)
}

func (n *Netns) configure(tb testing.TB, name, cidr string) {
	tb.Helper()
	n.netlink(tb, func(h *netlink.Handle) error {
		addr, err := netlink.ParseAddr(cidr)
		if err != nil {
			return err
		}
		if addr.IP.To4() == nil {
			// Usable at once, without duplicate address detection.
			addr.Flags = unix.IFA_F_NODAD
		}
		link, err := h.LinkByName(name)
		if err != nil {
			return err
		}
		if err := h.AddrAdd(link, addr); err != nil {
			return err
		}
		return h.LinkSetUp(link)
	})
}

// AddRoute routes dst (CIDR notation) by way of a gateway.
func (n *Netns) AddRoute(tb testing.TB, dst, via string) {
	tb.Helper()
	n.netlink(tb, func(h *netlink.Handle) error {
		_, ipnet, err := net.ParseCIDR(dst)
		if err != nil {
			return err
		}
		return h.RouteAdd(&netlink.Route{Dst: ipnet, Gw: net.ParseIP(via)})
	})
}

// Forward makes the namespace a router for both families.
func (n *Netns) Forward(tb testing.TB) {
	tb.Helper()
	n.Sysctl(tb, "net.ipv4.ip_forward", "1")
	n.Sysctl(tb, "net.ipv6.conf.all.forwarding", "1")
}

// Sysctl sets a net.* sysctl of the namespace.
func (n *Netns) Sysctl(tb testing.TB, key, value string) {
	tb.Helper()
	path := filepath.Join("/proc/sys", strings.ReplaceAll(key, ".", "/"))
	n.Do(tb, func() {
		if err := os.WriteFile(path, []byte(value), 0); err != nil {
			tb.Fatalf("set sysctl: %v", err)
		}
	})
}

func (n *Netns) netlink(tb testing.TB, fn func(*netlink.Handle) error) {
	tb.Helper()
	h, err := netlink.NewHandleAt(n.handle, unix.NETLINK_ROUTE)
	if err != nil {
		tb.Fatalf("netlink: %v", err)
	}
	defer h.Close()
	if err := fn(h); err != nil {
		tb.Fatalf("configure network namespace: %v", err)
	}
}
