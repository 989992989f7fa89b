package apps_test

import "os"

// full is the long form, as make test-apps runs it.
var full = os.Getenv("SOCKACCEL_APPS") == "full"

// volume is a size or a number: that of the long form, or a few seconds' worth.
func volume(short, long int) int {
	if full {
		return long
	}
	return short
}

// learning is the share that is claimed of a program that has to be trusted
// first, as a new process: until its connections are adopted they use TCP.
// The short form is hardly longer than that.
func learning(share float64) float64 {
	if full {
		return share
	}
	return 0.1
}
