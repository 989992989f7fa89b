// One object file for the programs that only the benchmark needs.
#include "baseline.c"
#include "meter.c"

char _license[] SEC("license") = "Dual MIT/GPL";
