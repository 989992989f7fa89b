package core_test

import (
	"encoding/binary"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

// forger is a TCP server made by hand: it answers a SYN with a number of its
// choice. No kernel owns its address.
type forger struct {
	tb testing.TB
	fd int // packet socket
}

// newForger puts a forger with an address on the other end of a new link of
// home, whose own address is of the same network.
func newForger(tb testing.TB, home *testkit.Netns, own string, addr netip.Addr) *forger {
	tb.Helper()
	away := testkit.NewNetns(tb)
	mine, theirs := testkit.Link(tb, home, away, own, "192.0.2.1/32")
	f := &forger{tb: tb, fd: -1}
	var mac net.HardwareAddr
	away.Do(tb, func() {
		link, err := netlink.LinkByName(theirs)
		if err != nil {
			tb.Fatal(err)
		}
		mac = link.Attrs().HardwareAddr
		const ipv4 = unix.ETH_P_IP>>8 | unix.ETH_P_IP&0xff<<8 // in network order
		f.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, ipv4)
		if err != nil {
			tb.Fatalf("packet socket: %v", err)
		}
		err = unix.Bind(f.fd, &unix.SockaddrLinklayer{Protocol: ipv4, Ifindex: link.Attrs().Index})
		if err != nil {
			tb.Fatalf("packet socket: %v", err)
		}
	})
	tb.Cleanup(func() { unix.Close(f.fd) })
	home.Do(tb, func() {
		link, err := netlink.LinkByName(mine)
		if err != nil {
			tb.Fatal(err)
		}
		err = netlink.NeighAdd(&netlink.Neigh{
			LinkIndex: link.Attrs().Index, State: netlink.NUD_PERMANENT,
			IP: addr.AsSlice(), HardwareAddr: mac,
		})
		if err != nil {
			tb.Fatalf("add neighbour: %v", err)
		}
	})
	return f
}

const (
	ethLen, ipLen, tcpLen = 14, 20, 20
	flagSYN, flagACK      = 0x02, 0x10
)

// next returns the next frame with a TCP segment that is wanted.
func (f *forger) next(wanted func(tcp []byte) bool) []byte {
	f.tb.Helper()
	deadline := time.Now().Add(connectWait)
	frame := make([]byte, 65536)
	for time.Now().Before(deadline) {
		fds := []unix.PollFd{{Fd: int32(f.fd), Events: unix.POLLIN}}
		_, _ = unix.Poll(fds, 100)
		n, _, err := unix.Recvfrom(f.fd, frame, 0)
		if err != nil || n < ethLen+ipLen+tcpLen || frame[ethLen+9] != unix.IPPROTO_TCP {
			continue
		}
		// Small frames are padded; the length in the IP header counts.
		end := ethLen + int(binary.BigEndian.Uint16(frame[ethLen+2:]))
		if wanted(frame[ethLen+ipLen : end]) {
			return frame[:end]
		}
	}
	f.tb.Fatal("forger: no such segment")
	return nil
}

// answer waits for a SYN and acknowledges it with the initial number isn.
func (f *forger) answer(isn uint32) {
	f.tb.Helper()
	in := f.next(func(tcp []byte) bool { return tcp[13]&(flagSYN|flagACK) == flagSYN })
	ip, tcp := in[ethLen:], in[ethLen+ipLen:]
	out := make([]byte, ethLen+ipLen+tcpLen)
	copy(out, in[6:12])
	copy(out[6:], in[:6])
	copy(out[12:], in[12:14])

	oip := out[ethLen:]
	oip[0], oip[8], oip[9] = 0x45, 64, unix.IPPROTO_TCP
	binary.BigEndian.PutUint16(oip[2:], ipLen+tcpLen)
	copy(oip[12:16], ip[16:20])
	copy(oip[16:20], ip[12:16])
	binary.BigEndian.PutUint16(oip[10:], checksum(oip[:ipLen]))

	otcp := oip[ipLen:]
	copy(otcp[:2], tcp[2:4])
	copy(otcp[2:4], tcp[:2])
	binary.BigEndian.PutUint32(otcp[4:], isn)
	binary.BigEndian.PutUint32(otcp[8:], binary.BigEndian.Uint32(tcp[4:])+1)
	otcp[12], otcp[13] = tcpLen/4<<4, flagSYN|flagACK
	binary.BigEndian.PutUint16(otcp[14:], 65535)
	pseudo := append([]byte{}, oip[12:20]...)
	pseudo = append(pseudo, 0, unix.IPPROTO_TCP, 0, tcpLen)
	binary.BigEndian.PutUint16(otcp[16:], checksum(append(pseudo, otcp...)))
	if _, err := unix.Write(f.fd, out); err != nil {
		f.tb.Fatalf("forger: %v", err)
	}
}

// payload returns the data of the next segment that has any.
func (f *forger) payload() []byte {
	f.tb.Helper()
	data := func(tcp []byte) []byte { return tcp[int(tcp[12]>>4)*4:] }
	frame := f.next(func(tcp []byte) bool { return len(data(tcp)) > 0 })
	return data(frame[ethLen+ipLen:])
}

// checksum is the Internet checksum of an even number of bytes.
func checksum(p []byte) uint16 {
	var sum uint32
	for ; len(p) > 0; p = p[2:] {
		sum += uint32(binary.BigEndian.Uint16(p))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
