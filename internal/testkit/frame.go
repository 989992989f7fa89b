package testkit

import (
	"encoding/binary"
	"fmt"
	"io"

	"golang.org/x/sys/unix"
)

// A message of the echo protocol is a length and as many bytes. Requests are
// payload; answers are a name, a colon and the payload. A message is one send.

const (
	frameHeader = 4
	frameMax    = 16 << 20
)

func frame(parts ...string) []byte {
	p := make([]byte, frameHeader)
	for _, s := range parts {
		p = append(p, s...)
	}
	binary.BigEndian.PutUint32(p, uint32(len(p)-frameHeader))
	return p
}

// frames reads messages from a socket.
type frames struct {
	w   *watch
	fd  int
	buf []byte
	r   int // start of what is buffered
	n   int // end
}

// next returns the next message, valid until the next call, or io.EOF.
func (f *frames) next() ([]byte, error) {
	if err := f.fill(frameHeader); err != nil {
		return nil, err
	}
	size := int(binary.BigEndian.Uint32(f.buf[f.r:]))
	if size > frameMax {
		return nil, fmt.Errorf("message of %d bytes: not the start of a message", size)
	}
	if err := f.fill(frameHeader + size); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	p := f.buf[f.r+frameHeader : f.r+frameHeader+size]
	f.r += frameHeader + size
	return p, nil
}

// fill receives until size bytes are buffered.
func (f *frames) fill(size int) error {
	if f.r+size > len(f.buf) {
		grown := f.buf
		if size > len(f.buf) {
			grown = make([]byte, max(2*size, 64<<10))
		}
		f.n = copy(grown, f.buf[f.r:f.n])
		f.buf, f.r = grown, 0
	}
	for f.n-f.r < size {
		n, _, err := unix.Recvfrom(f.fd, f.buf[f.n:], 0)
		switch {
		case err == unix.EAGAIN:
			if err := f.w.wait(f.fd, unix.POLLIN); err != nil {
				return err
			}
		case err != nil:
			return fmt.Errorf("recv: %w", err)
		case n == 0 && f.n > f.r:
			return io.ErrUnexpectedEOF
		case n == 0:
			return io.EOF
		default:
			f.n += n
		}
	}
	return nil
}
