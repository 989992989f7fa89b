// Package probe finds out, by trying on a private sockhash and a loopback
// connection of its own, what this kernel does with sockets in a sockhash.
package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/sockaccel/sockaccel/bpf"
)

// How FIONREAD behaves on a socket in a sockhash.
const (
	FIONREADRight      = "right"
	FIONREADBlindTCP   = "blind to tcp"        // does not count bytes that came by TCP
	FIONREADBlindQueue = "blind to redirected" // does not count redirected bytes
)

// Result is what was found.
type Result struct {
	FIONREAD string
	// RmemCharged: redirected bytes count in the receive buffer.
	RmemCharged bool
	// Guard: the splice guard loads.
	Guard bool
	// Correction: FIONREAD is wrong, and what corrects it loads, as the guard does.
	Correction bool
	// Refused is why Guard or Correction is false.
	Refused error
	// MPTCPChildren: a sockhash refuses sockets of Multipath TCP, and takes
	// plain TCP sockets for what they are, also those of its listeners.
	MPTCPChildren bool
}

const message = "probe"

// Run tries. It takes some milliseconds and leaves nothing behind.
func Run() (Result, error) {
	var r Result
	tcp, err := try(asm.Instructions{
		asm.Mov.Imm(asm.R0, 1), // SK_PASS
		asm.Return(),
	}, nil)
	if err != nil {
		return r, fmt.Errorf("probe FIONREAD by TCP: %w", err)
	}
	queue, err := tryRedirect(&r)
	if err != nil {
		return r, fmt.Errorf("probe FIONREAD of redirected bytes: %w", err)
	}
	switch {
	case !tcp:
		r.FIONREAD = FIONREADBlindTCP
	case !queue:
		r.FIONREAD = FIONREADBlindQueue
	default:
		r.FIONREAD = FIONREADRight
	}
	if r.MPTCPChildren, err = tryMPTCP(); err != nil {
		return r, fmt.Errorf("probe sockhash with MPTCP: %w", err)
	}
	r.Refused = allowed(bpf.SpliceGuard)
	r.Guard = r.Refused == nil
	if r.FIONREAD != FIONREADRight && r.Guard {
		r.Refused = allowed(bpf.FIONREADCorrection)
		r.Correction = r.Refused == nil
	}
	return r, nil
}

func newSockhash() (*ebpf.Map, error) {
	return ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.SockHash, KeySize: 8, ValueSize: 8, MaxEntries: 2})
}

func tryRedirect(r *Result) (bool, error) {
	socks, err := newSockhash()
	if err != nil {
		return false, err
	}
	defer socks.Close()
	return tryWith(socks, asm.Instructions{
		asm.Mov.Imm(asm.R2, receiverKey),
		asm.StoreMem(asm.R10, -8, asm.R2, asm.DWord),
		asm.LoadMapPtr(asm.R2, socks.FD()),
		asm.Mov.Reg(asm.R3, asm.R10),
		asm.Add.Imm(asm.R3, -8),
		asm.Mov.Imm(asm.R4, 1), // BPF_F_INGRESS
		asm.FnMsgRedirectHash.Call(),
		asm.Mov.Imm(asm.R0, 1),
		asm.Return(),
	}, func(receiver int) {
		if mem, err := meminfo(receiver); err == nil {
			r.RmemCharged = mem >= uint32(len(message))
		}
	})
}

func try(verdict asm.Instructions, look func(int)) (bool, error) {
	socks, err := newSockhash()
	if err != nil {
		return false, err
	}
	defer socks.Close()
	return tryWith(socks, verdict, look)
}

const (
	senderKey   = 1
	receiverKey = 2
)

// tryWith sends a message through the verdict and asks the receiver's FIONREAD.
func tryWith(socks *ebpf.Map, verdict asm.Instructions, look func(receiver int)) (counted bool, err error) {
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.SkMsg, AttachType: ebpf.AttachSkMsgVerdict, Instructions: verdict, License: "MIT",
	})
	if err != nil {
		return false, err
	}
	defer prog.Close()
	if err := link.RawAttachProgram(link.RawAttachProgramOptions{
		Target: socks.FD(), Program: prog, Attach: ebpf.AttachSkMsgVerdict,
	}); err != nil {
		return false, err
	}
	sender, receiver, err := pair()
	if err != nil {
		return false, err
	}
	defer sender.Close()
	defer receiver.Close()
	for key, conn := range map[uint64]*net.TCPConn{senderKey: sender, receiverKey: receiver} {
		if err := control(conn, func(fd int) error { return socks.Put(key, uint64(fd)) }); err != nil {
			return false, err
		}
	}
	if _, err := sender.Write([]byte(message)); err != nil {
		return false, err
	}
	err = control(receiver, func(fd int) error {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 1000)
		if err != nil || n == 0 {
			return errors.Join(errors.New("message did not arrive"), err)
		}
		waiting, err := unix.IoctlGetInt(fd, unix.TIOCINQ)
		counted = waiting == len(message)
		if look != nil {
			look(fd)
		}
		return err
	})
	return counted, err
}

func control(conn *net.TCPConn, f func(fd int) error) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	return errors.Join(raw.Control(func(fd uintptr) { inner = f(int(fd)) }), inner)
}

func pair() (client, server *net.TCPConn, err error) {
	var config net.ListenConfig
	config.SetMultipathTCP(false) // Go's default is not what is probed
	listener, err := config.Listen(context.Background(), "tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	defer listener.Close()
	l := listener.(*net.TCPListener)
	if err := l.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return nil, nil, err
	}
	client, err = net.DialTCP("tcp4", nil, l.Addr().(*net.TCPAddr))
	if err != nil {
		return nil, nil, err
	}
	server, err = l.AcceptTCP()
	if err != nil {
		client.Close()
		return nil, nil, err
	}
	return client, server, nil
}

// meminfo returns SK_MEMINFO_RMEM_ALLOC.
func meminfo(fd int) (uint32, error) {
	var mem [9]uint32
	buf := make([]byte, len(mem)*4)
	size := uint32(len(buf))
	if _, _, errno := syscall.Syscall6(syscall.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&buf[0])), uintptr(unsafe.Pointer(&size)), 0); errno != 0 {
		return 0, errno
	}
	return uint32(buf[0]) | uint32(buf[1])<<8 | uint32(buf[2])<<16 | uint32(buf[3])<<24, nil
}
