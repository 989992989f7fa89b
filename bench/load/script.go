package load

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/sockaccel/sockaccel/internal/stream"
)

const (
	// maxMessage is the largest size of a message.
	maxMessage = 256 << 10
	// poolOffsets is the number of different messages of a size.
	poolOffsets = 1 << 20
	// stride between the offsets of messages that follow each other: odd, so
	// that none comes again before all others did, and large, so that
	// neighbours do not overlap in a way that hides a shift.
	stride = 0x9e3779b1 % poolOffsets
)

// pool is what all messages are pieces of: sent without a copy and compared
// without computing anything, so that checking does not drown the transport.
var pool = sync.OnceValue(func() []byte { return stream.New(0).Bytes(0, poolOffsets+maxMessage) })

// The directions of a connection.
const (
	toServer = iota
	toClient
)

// script is what is said in one direction of a connection: messages of one
// size, each a function of the seed and its number.
type script struct {
	pool  []byte
	first uint64
	size  int
}

func newScript(seed uint64, direction, size int) script {
	var first [8]byte
	stream.New(seed).Fill(first[:], int64(direction*len(first)))
	return script{pool(), binary.BigEndian.Uint64(first[:]), size}
}

func (s *script) offset(n int64) int { return int((s.first + uint64(n)*stride) % poolOffsets) }

// message returns message n, which must not be changed.
func (s *script) message(n int64) []byte {
	at := s.offset(n)
	return s.pool[at : at+s.size : at+s.size]
}

// reader checks what is received against a script.
type reader struct {
	script
	n   int64 // complete messages
	got int   // bytes of the next one
}

// take checks the bytes that follow; the error says what is wrong with them.
func (r *reader) take(b []byte) error {
	for len(b) > 0 {
		want := r.message(r.n)[r.got:]
		k := min(len(b), len(want))
		if !bytes.Equal(b[:k], want[:k]) {
			return r.explain(b, want)
		}
		b = b[k:]
		if r.got += k; r.got == r.size {
			r.n, r.got = r.n+1, 0
		}
	}
	return nil
}

// explain says where b differs from what was wanted of message n, and of which
// message nearby b is, if of any.
func (r *reader) explain(b, want []byte) error {
	const enough, nearby = 16, 1000 // bytes, messages
	if r.got == 0 {
		if reason, ok := bytes.CutPrefix(b, refusal); ok {
			return fmt.Errorf("refused by the server: %s", reason)
		}
	}
	if len(b) >= enough {
		for n := max(0, r.n-nearby); n < r.n+nearby; n++ {
			if n != r.n && bytes.HasPrefix(r.message(n)[r.got:], b[:enough]) {
				return fmt.Errorf("wrong content: message %d instead of %d", n, r.n)
			}
		}
	}
	at := 0
	for b[at] == want[at] {
		at++
	}
	return fmt.Errorf("wrong content of message %d: byte %d is %#x instead of %#x", r.n, r.got+at, b[at], want[at])
}
