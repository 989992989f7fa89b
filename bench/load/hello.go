package load

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
)

// hello begins every connection: the server serves all kinds on one port, and
// with the seed both ends know every byte that the other has to send.
type hello struct {
	kind string
	size int
	seed uint64 // no other connection has it
}

const helloSize = 20

var helloMagic = []byte("SAL1")

// refusal begins what the server answers, instead of a response, to what it
// should not have received; the reason follows.
var refusal = []byte("\x00sockaccel load: ")

// helloKinds numbers the kinds of a raw connection.
var helloKinds = []string{KindRR, KindStream, KindConnect}

func (h hello) append(b []byte) []byte {
	b = append(b, helloMagic...)
	b = binary.BigEndian.AppendUint32(b, uint32(slices.Index(helloKinds, h.kind)))
	b = binary.BigEndian.AppendUint32(b, uint32(h.size))
	return binary.BigEndian.AppendUint64(b, h.seed)
}

// parseHello parses helloSize bytes.
func parseHello(b []byte) (hello, error) {
	kind, size := binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:])
	if !bytes.HasPrefix(b, helloMagic) || kind >= uint32(len(helloKinds)) || size == 0 || size > maxMessage {
		return hello{}, fmt.Errorf("wrong hello %x", b)
	}
	return hello{helloKinds[kind], int(size), binary.BigEndian.Uint64(b[12:])}, nil
}
