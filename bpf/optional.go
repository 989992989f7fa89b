package bpf

// Programs that need trampolines, which some kernels refuse. Everything else is
// needed everywhere.
var (
	// SpliceGuard makes splice(2) fail where it would miss redirected data.
	SpliceGuard = []string{"sockaccel_splice_begin", "sockaccel_splice_end", "sockaccel_guard"}
	// FIONREADCorrection makes FIONREAD count what the kernel does not.
	FIONREADCorrection = []string{"sockaccel_fionread"}
)
