package testkit

import (
	"golang.org/x/sys/unix"
)

type optArgs struct {
	FD, Level, Opt, Value int
	Raw                   []byte
}

var (
	opSetsockopt = op("setsockopt", func(x optArgs) (none, error) {
		return false, unix.SetsockoptInt(x.FD, x.Level, x.Opt, x.Value)
	})
	opSetsockoptRaw = op("setsockopt bytes", func(x optArgs) (none, error) {
		return false, unix.SetsockoptString(x.FD, x.Level, x.Opt, string(x.Raw))
	})
	opGetsockopt = op("getsockopt", func(x optArgs) (int, error) {
		return unix.GetsockoptInt(x.FD, x.Level, x.Opt)
	})
	opSetNonblock = op("fcntl O_NONBLOCK", func(x boolArgs) (none, error) {
		return false, unix.SetNonblock(x.FD, x.On)
	})
	opIoctl = op("ioctl", func(x intArgs) (int, error) {
		return unix.IoctlGetInt(x.FD, uint(x.N))
	})
	opCookie = op("SO_COOKIE", func(fd int) (uint64, error) {
		return unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
	})
	opInode = op("fstat", func(fd int) (uint64, error) {
		var st unix.Stat_t
		err := unix.Fstat(fd, &st)
		return st.Ino, err
	})
)

// SetsockoptInt sets a socket option.
func (a *Agent) SetsockoptInt(fd, level, opt, value int) error {
	_, err := opSetsockopt.on(a, optArgs{FD: fd, Level: level, Opt: opt, Value: value})
	return err
}

// SetsockoptBytes sets a socket option that is not an int.
func (a *Agent) SetsockoptBytes(fd, level, opt int, value []byte) error {
	_, err := opSetsockoptRaw.on(a, optArgs{FD: fd, Level: level, Opt: opt, Raw: value})
	return err
}

// GetsockoptInt returns a socket option.
func (a *Agent) GetsockoptInt(fd, level, opt int) (int, error) {
	return opGetsockopt.on(a, optArgs{FD: fd, Level: level, Opt: opt})
}

// SetNonblock sets or clears O_NONBLOCK.
func (a *Agent) SetNonblock(fd int, on bool) error {
	_, err := opSetNonblock.on(a, boolArgs{fd, on})
	return err
}

// FIONREAD returns the number of bytes that the kernel says can be read.
func (a *Agent) FIONREAD(fd int) (int, error) {
	return opIoctl.on(a, intArgs{fd, unix.TIOCINQ})
}

// SIOCOUTQ returns the number of bytes sent and not acknowledged.
func (a *Agent) SIOCOUTQ(fd int) (int, error) {
	return opIoctl.on(a, intArgs{fd, unix.TIOCOUTQ})
}

// Cookie returns the socket cookie, which the kernel generates for it if it
// had none.
func (a *Agent) Cookie(fd int) (uint64, error) { return opCookie.on(a, fd) }

// Inode returns the inode number of a socket.
func (a *Agent) Inode(fd int) (uint64, error) { return opInode.on(a, fd) }
