// All programs are one object, so that they share their maps and globals.
#include "sockops.c"
#include "verdict.c"
#include "evidence.c"
#include "guard.c"
#include "fionread.c"
#include "adopt.c"
#include "setsockopt.c"
#include "control.c"

char _license[] SEC("license") = "Dual MIT/GPL";
