// Package bpf holds the programs (src/, in C) and what bpf2go makes of them.
// The compiled object is committed, so that building the tool needs no clang.
package bpf

import _ "embed"

// Types is bpf/src/types.h, whose numbers are not in the type information.
//
//go:embed src/types.h
var Types string

//go:generate go tool bpf2go -cc clang -strip llvm-strip -target amd64 -output-stem accel -type beat_args -type mode_args -type pass_args -type sweep_args -type settle_args -type gauges -type removal -type counters -type filter_config -type cidr_key -type pair -type conn Accel src/sockaccel.c -- -O2 -g -I/usr/include/x86_64-linux-gnu -mcpu=v3 -Wall -Wextra -Wno-unused-parameter -Werror
