package stream

import "fmt"

// Mismatch describes the first wrong byte of a checked piece of a stream.
type Mismatch struct {
	Off       int64  // offset of the first wrong byte
	Got, Want []byte // up to 16 bytes from there

	// From is the offset at which the bytes found at Off belong, or -1 if
	// they could not be identified. They belong to the stream Seed, which is
	// another one if two connections were mixed up.
	From int64
	Seed uint64
	// Run is the number of bytes in the same order as they have at From.
	Run int
	// Wrong is the length of the run of wrong bytes, if the piece is right
	// again behind it, else 0.
	Wrong int

	// Foreign says that Seed is not the seed of the checked stream.
	Foreign bool
}

func (m *Mismatch) Error() string {
	s := fmt.Sprintf("wrong byte at offset %d: got %x, want %x", m.Off, m.Got, m.Want)
	switch {
	case m.Foreign:
		s += fmt.Sprintf(": belongs to offset %d of stream %d", m.From, m.Seed)
	case m.From > m.Off:
		s += fmt.Sprintf(": belongs to offset %d: %d bytes missing or late", m.From, m.From-m.Off)
	case m.From >= 0:
		s += fmt.Sprintf(": belongs to offset %d: repeated or late by %d bytes", m.From, m.Off-m.From)
	}
	if m.From >= 0 {
		s += fmt.Sprintf(" (%d bytes in a row)", m.Run)
	}
	if m.Wrong > 0 {
		s += fmt.Sprintf("; right again after %d bytes", m.Wrong)
	}
	return s
}

// diagnose describes p, whose first byte is not the one at off.
func (s Stream) diagnose(p []byte, off int64) *Mismatch {
	head := p[:min(len(p), 16)]
	m := &Mismatch{
		Off:   off,
		Got:   append([]byte(nil), head...),
		Want:  s.Bytes(off, len(head)),
		From:  -1,
		Seed:  uint64(s),
		Wrong: s.wrongRun(p, off),
	}
	from, ok := s.locate(p)
	if !ok {
		m.Seed, from, m.Foreign = s.foreign(p)
		ok = m.Foreign
	}
	// An exchanged byte leaves the rest where it belongs: nothing to identify.
	if ok && (m.Foreign || from != off) {
		m.From = from
		m.Run = commonPrefix(p, Stream(m.Seed).Bytes(from, len(p)))
	}
	if !ok {
		m.Seed = uint64(s)
	}
	return m
}
