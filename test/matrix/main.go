// Command matrix records which tests ran on which kernel, and compares.
//
//	go test -json ./... | go run ./test/matrix record FILE
//	go run ./test/matrix compare FILE...
//
// record prints what go test without -json prints, and writes the events to
// FILE. compare prints a table per file, one file per kernel, and fails when a
// test failed somewhere or passed nowhere.
package main

import (
	"fmt"
	"os"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "matrix: %v\n", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 2 && args[0] == "record":
		return record(os.Stdin, os.Stdout, args[1])
	case len(args) >= 2 && args[0] == "compare":
		return compare(os.Stdout, args[1:])
	}
	return fmt.Errorf("usage: matrix record FILE | matrix compare FILE...")
}
