package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"syscall"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// tryMPTCP tells whether a sockhash refuses the TCP sockets that Multipath TCP
// has inside (EOPNOTSUPP). The kernels that do have the fix for plain children
// of its listeners as well: both came in one series (6.1.159, 6.12.60, 6.18).
// Only an iterator gets at those sockets without a program on somebody's
// cgroup. It visits a network namespace of its own, where nothing is but a
// listener: no connection is made, and nobody else's socket touched.
func tryMPTCP() (result bool, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		result, err = elsewhere(tryMPTCPHere)
	}()
	<-done
	return result, err
}

// elsewhere calls try in a new network namespace. Without the right to make
// one nothing is known: false.
func elsewhere(try func() (bool, error)) (result bool, err error) {
	runtime.LockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return false, err
	}
	defer home.Close()
	err = unix.Unshare(unix.CLONE_NEWNET)
	if errors.Is(err, unix.EPERM) {
		runtime.UnlockOSThread()
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("create network namespace: %w", err)
	}
	defer func() {
		// Back, because it may be the process' first thread. Where that fails
		// it stays locked, and ends with its goroutine.
		if back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); back != nil {
			err = errors.Join(err, fmt.Errorf("return to network namespace: %w", back))
			return
		}
		runtime.UnlockOSThread()
	}()
	return try()
}

func tryMPTCPHere() (bool, error) {
	var config net.ListenConfig
	config.SetMultipathTCP(true)
	listener, err := config.Listen(context.Background(), "tcp4", "0.0.0.0:0")
	if err != nil {
		return false, err
	}
	defer listener.Close()
	if multipath, err := isMultipath(listener.(*net.TCPListener)); err != nil || !multipath {
		return true, err // a kernel without: its listeners are plain TCP
	}
	return refused()
}

// refused tells whether a sockhash refuses the sockets in this thread's network
// namespace.
func refused() (bool, error) {
	socks, err := newSockhash()
	if err != nil {
		return false, err
	}
	defer socks.Close()
	found, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 4, MaxEntries: 1})
	if err != nil {
		return false, err
	}
	defer found.Close()
	if err := visit(insertAll(socks, found)); err != nil {
		return false, err
	}
	var result int32
	if err := found.Lookup(uint32(0), &result); err != nil {
		return false, err
	}
	switch syscall.Errno(-result) {
	case unix.EOPNOTSUPP:
		return true, nil
	case 0:
		return false, errors.New("iterate over sockets: found none")
	}
	// Inserted, or refused for a reason that is none: out before it closes.
	if err := socks.Delete(uint64(0)); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return false, err
	}
	return false, nil
}

func isMultipath(l *net.TCPListener) (is bool, err error) {
	raw, err := l.SyscallConn()
	if err != nil {
		return false, err
	}
	var inner error
	err = raw.Control(func(fd uintptr) {
		var protocol int
		protocol, inner = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PROTOCOL)
		is = protocol == unix.IPPROTO_MPTCP
	})
	return is, errors.Join(err, inner)
}

// inserted is what a successful insertion is recorded as: 0 is no visit.
const inserted = 1

// insertAll is a program of iter/tcp that puts every socket into socks under
// key 0, and records the result: 32 bits, because before 6.4 the others are
// not those of a negative number.
func insertAll(socks, found *ebpf.Map) asm.Instructions {
	return asm.Instructions{
		// struct bpf_iter__tcp: meta, sk_common.
		asm.LoadMem(asm.R6, asm.R1, 8, asm.DWord),
		asm.JEq.Imm(asm.R6, 0, "out"),
		asm.Mov.Imm(asm.R0, 0),
		asm.StoreMem(asm.R10, -8, asm.R0, asm.DWord),
		asm.LoadMapPtr(asm.R1, socks.FD()),
		asm.Mov.Reg(asm.R2, asm.R10),
		asm.Add.Imm(asm.R2, -8),
		asm.Mov.Reg(asm.R3, asm.R6),
		asm.Mov.Imm(asm.R4, int32(ebpf.UpdateAny)),
		asm.FnMapUpdateElem.Call(),
		asm.JNE.Imm(asm.R0, 0, "record"),
		asm.Mov.Imm(asm.R0, inserted),
		asm.StoreMem(asm.R10, -16, asm.R0, asm.Word).WithSymbol("record"),
		asm.LoadMapPtr(asm.R1, found.FD()),
		asm.Mov.Reg(asm.R2, asm.R10),
		asm.Add.Imm(asm.R2, -8),
		asm.Mov.Reg(asm.R3, asm.R10),
		asm.Add.Imm(asm.R3, -16),
		asm.Mov.Imm(asm.R4, int32(ebpf.UpdateAny)),
		asm.FnMapUpdateElem.Call(),
		asm.Mov.Imm(asm.R0, 0).WithSymbol("out"),
		asm.Return(),
	}
}

// visit runs a program of iter/tcp over the sockets of this thread's network
// namespace.
func visit(instructions asm.Instructions) error {
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.Tracing, AttachType: ebpf.AttachTraceIter, AttachTo: "tcp",
		Instructions: instructions, License: "MIT",
	})
	if err != nil {
		return err
	}
	defer prog.Close()
	iter, err := link.AttachIter(link.IterOptions{Program: prog})
	if err != nil {
		return err
	}
	defer iter.Close()
	sockets, err := iter.Open()
	if err != nil {
		return err
	}
	defer sockets.Close()
	_, err = io.Copy(io.Discard, sockets)
	return err
}
