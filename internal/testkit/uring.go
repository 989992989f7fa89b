package testkit

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// No library: those for Go are for servers, and this is one operation at a time.

const (
	opcodeSplice   = 30
	sqeAsync       = 1 << 4
	enterGetEvents = 1
	offsetSQRing   = 0
	offsetCQRing   = 0x8000000
	offsetSQEs     = 0x10000000
	spliceNoOffset = ^uint64(0)
)

type sqe struct {
	opcode, flags uint8
	ioprio        uint16
	fd            int32
	offOut        uint64
	offIn         uint64
	length        uint32
	spliceFlags   uint32
	userData      uint64
	bufIndex      uint16
	personality   uint16
	fdIn          int32
	_             [2]uint64
}

type sqOffsets struct{ head, tail, mask, entries, flags, dropped, array, _ uint32 }

type cqOffsets struct{ head, tail, mask, entries, overflow, cqes, flags, _ uint32 }

type uringParams struct {
	sqEntries, cqEntries, flags, cpu, idle, features, wqFD uint32
	_                                                      [3]uint32
	sq                                                     sqOffsets
	_                                                      uint64
	cq                                                     cqOffsets
	_                                                      uint64
}

// spliceUring makes one splice from fd to a pipe and returns what was moved.
func spliceUring(fd, n int, flags uint8) ([]byte, error) {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, err
	}
	defer unix.Close(pipe[0])
	defer unix.Close(pipe[1])
	res, err := uringOnce(sqe{
		opcode: opcodeSplice, flags: flags, fd: int32(pipe[1]), fdIn: int32(fd), offIn: spliceNoOffset,
		offOut: spliceNoOffset, length: uint32(n), spliceFlags: unix.SPLICE_F_NONBLOCK,
	})
	if err != nil {
		return nil, err
	}
	if res < 0 {
		return nil, unix.Errno(-res)
	}
	if res == 0 {
		return nil, nil
	}
	p := make([]byte, res)
	m, err := unix.Read(pipe[0], p)
	return p[:max(m, 0)], err
}

// uringOnce submits one entry on a ring of its own and returns its result.
func uringOnce(entry sqe) (int32, error) {
	var p uringParams
	ring, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 1, uintptr(unsafe.Pointer(&p)), 0)
	if errno != 0 {
		return 0, fmt.Errorf("io_uring_setup: %w", errno)
	}
	defer unix.Close(int(ring))
	area := func(offset int64, size uint32) ([]byte, error) {
		return unix.Mmap(int(ring), offset, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	}
	sq, err := area(offsetSQRing, p.sq.array+p.sqEntries*4)
	if err != nil {
		return 0, err
	}
	defer unix.Munmap(sq)
	cq, err := area(offsetCQRing, p.cq.cqes+p.cqEntries*16)
	if err != nil {
		return 0, err
	}
	defer unix.Munmap(cq)
	sqes, err := area(offsetSQEs, p.sqEntries*uint32(unsafe.Sizeof(entry)))
	if err != nil {
		return 0, err
	}
	defer unix.Munmap(sqes)

	*(*sqe)(unsafe.Pointer(&sqes[0])) = entry
	*(*uint32)(unsafe.Pointer(&sq[p.sq.array])) = 0
	// The system call below is the barrier.
	*(*uint32)(unsafe.Pointer(&sq[p.sq.tail])) = 1
	if _, _, errno := unix.Syscall6(unix.SYS_IO_URING_ENTER, ring, 1, 1, enterGetEvents, 0, 0); errno != 0 {
		return 0, fmt.Errorf("io_uring_enter: %w", errno)
	}
	if *(*uint32)(unsafe.Pointer(&cq[p.cq.tail])) == 0 {
		return 0, fmt.Errorf("io_uring_enter: nothing completed")
	}
	// struct io_uring_cqe: user_data, res, flags.
	return *(*int32)(unsafe.Pointer(&cq[p.cq.cqes+8])), nil
}
