package apps_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

// redisPipelineMain sends all of its commands without waiting for a reply, and
// compares every byte of the replies.
func redisPipelineMain(args []string) int {
	keys, _ := strconv.Atoi(args[1])
	if err := pipeline(args[0], keys); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func pipeline(addr string, keys int) error {
	conn, err := net.Dial("tcp4", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	var commands, replies bytes.Buffer
	for i := range keys {
		value := testkit.NewStream(uint64(i)).Bytes(0, i%5000)
		fmt.Fprintf(&commands, "*3\r\n$3\r\nSET\r\n$10\r\npipe%06d\r\n$%d\r\n%s\r\n", i, len(value), value)
		fmt.Fprintf(&commands, "*2\r\n$3\r\nGET\r\n$10\r\npipe%06d\r\n", i)
		fmt.Fprintf(&replies, "+OK\r\n$%d\r\n%s\r\n", len(value), value)
	}
	wrote := make(chan error, 1)
	go func() {
		_, err := commands.WriteTo(conn)
		wrote <- err
	}()
	got := make([]byte, replies.Len())
	if n, err := io.ReadFull(conn, got); err != nil {
		return fmt.Errorf("after %d of %d bytes of replies: %w", n, len(got), err)
	}
	if !bytes.Equal(got, replies.Bytes()) {
		return fmt.Errorf("the replies are wrong")
	}
	return <-wrote
}
