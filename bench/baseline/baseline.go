// Package baseline holds the programs that only benchmarks need: the usual
// 4-tuple accelerator, which ours is compared with, and a meter for single
// sock_ops callbacks.
package baseline

//go:generate go tool bpf2go -cc clang -strip llvm-strip -target amd64 -output-stem baseline -type meter Baseline src/bench.c -- -O2 -g -I/usr/include/x86_64-linux-gnu -mcpu=v3 -Wall -Wextra -Wno-unused-parameter -Werror
