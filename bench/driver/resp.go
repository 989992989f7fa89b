package driver

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
)

// redisConn is a connection to Redis, for a handful of commands: a client
// library would be more to read than this.
type redisConn struct {
	net.Conn
	in *bufio.Reader
}

// dialRedis connects; when ctx ends the connection is closed.
func dialRedis(ctx context.Context, addr string) (*redisConn, func(), error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	done := func() {
		stop()
		conn.Close()
	}
	return &redisConn{conn, bufio.NewReader(conn)}, done, nil
}

// do sends a command and returns the reply.
func (c *redisConn) do(command ...string) (string, error) {
	var out strings.Builder
	fmt.Fprintf(&out, "*%d\r\n", len(command))
	for _, word := range command {
		fmt.Fprintf(&out, "$%d\r\n%s\r\n", len(word), word)
	}
	if _, err := io.WriteString(c, out.String()); err != nil {
		return "", err
	}
	line, err := c.in.ReadString('\n')
	if err != nil {
		return "", err
	}
	kind, text := line[0], strings.TrimRight(line[1:], "\r\n")
	switch kind {
	case '+', ':':
		return text, nil
	case '-':
		return "", errors.New(text)
	case '$':
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 || n > 1<<20 {
			return "", fmt.Errorf("answers with a string of length %s", text)
		}
		value := make([]byte, n+len("\r\n"))
		if _, err := io.ReadFull(c.in, value); err != nil {
			return "", err
		}
		return string(value[:n]), nil
	}
	return "", fmt.Errorf("answers %q", line)
}
