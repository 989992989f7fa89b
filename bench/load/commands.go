package load

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
)

// ServeCommands is the program of a client process: each line of its input is
// a Command in JSON, answered by a line with the Result, or with an object
// that has only an "error". It returns at the end of the input.
func ServeCommands(ctx context.Context, stdin io.Reader, stdout io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lines, readErr := readLines(ctx, stdin)
	out := json.NewEncoder(stdout)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case line, ok := <-lines:
			if !ok {
				return <-readErr
			}
			if err := out.Encode(answer(ctx, line)); err != nil {
				return fmt.Errorf("write result: %w", err)
			}
		}
	}
}

func answer(ctx context.Context, line []byte) any {
	var c Command
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields() // a misspelled field is not a default
	err := dec.Decode(&c)
	if err == nil {
		var res Result
		if res, err = Run(ctx, c); err == nil {
			return res
		}
	}
	return struct {
		Error string `json:"error"`
	}{err.Error()}
}

// readLines reads in a goroutine of its own, since reading can not be
// cancelled: a done context ends the program with the goroutine in it.
func readLines(ctx context.Context, r io.Reader) (<-chan []byte, <-chan error) {
	lines, readErr := make(chan []byte), make(chan error, 1)
	go func() {
		defer close(lines)
		s := bufio.NewScanner(r)
		for s.Scan() {
			select {
			case lines <- bytes.Clone(s.Bytes()):
			case <-ctx.Done():
				return
			}
		}
		readErr <- s.Err()
	}()
	return lines, readErr
}
