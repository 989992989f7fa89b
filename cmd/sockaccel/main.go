// Command sockaccel makes TCP between processes of one host fast, safely.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// version is set by the build.
var version = "devel"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(sockaccel(ctx, env{os.Args, os.Stdout, os.Stderr, os.Getenv}))
}
