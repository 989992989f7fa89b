package doctor

import (
	"context"
	"errors"
	"strings"

	"github.com/sockaccel/sockaccel/bench/sandbox"
	"github.com/sockaccel/sockaccel/internal/host"
	"github.com/sockaccel/sockaccel/internal/probe"
	"github.com/sockaccel/sockaccel/internal/remedy"
)

// A stage needs that everything needed in those before it is there.
type stage int

const (
	reading   stage = iota // needs no right
	trying                 // needs root
	attaching              // needs all that loading needs
	enabling               // needs a cgroup to attach to
	working                // needs acceleration
)

type test struct {
	stage  stage
	name   string
	needed bool
	try    func(context.Context, *examination) finding
}

const capabilities = "capabilities"

// tests in their order. Names are never changed.
var tests = append(required(), []test{
	{reading, "cgroup_v2", true, tryCgroup},
	{trying, "bpffs", true, tryBPFFS},
	{trying, "programs", true, tryPrograms},
	{trying, "tracepoints", true, tryTracepoint},
	{trying, "iterators", true, tryIterators},
	{trying, "sockmap_link", false, trySockmapLink},
	{trying, "trampolines", false, tryTrampolines},
	{trying, "lsm", false, tryLSM},
	{trying, "fionread", false, tryFIONREAD},
	{attaching, "cgroup_hooks", true, tryCgroupHooks},
	{enabling, "redirect", true, tryRedirect},
	{working, "order", true, tryOrder},
	{working, "limit", true, tryLimit},
	{working, "seam", true, trySeam},
	{working, "close", true, tryClose},
	{working, "splice", false, trySplice},
	{working, "mptcp", true, tryMPTCP},
}...)

// required are the rules that enable goes by.
func required() (tests []test) {
	for _, r := range host.Requirements {
		tests = append(tests, test{reading, r.Name, true, func(context.Context, *examination) finding {
			found, err := r.Check()
			if err != nil {
				return lacking(err, "")
			}
			return good("%s", found)
		}})
	}
	return tests
}

// unmet is the first thing that is needed and not there, or what hung, which
// is before all stages.
type unmet struct {
	stage stage
	check string
}

// examination is what the tests share.
type examination struct {
	o      Options
	checks []Check
	unmet  *unmet

	root   string // the cgroup v2 mount
	probed *probe.Result
	box    *sandbox.Sandbox
	ward   *ward
}

// probe finds out, once, what the kernel does with sockets in a sockhash.
func (e *examination) probe() (probe.Result, error) {
	if e.probed == nil {
		if e.unmet != nil && e.unmet.stage < trying {
			return probe.Result{}, errors.New("not tried")
		}
		found, err := probe.Run()
		if err != nil {
			return found, err
		}
		e.probed = &found
	}
	return *e.probed, nil
}

// end removes what was made, and joins what fails to cause.
func (e *examination) end(cause error) error {
	if e.ward != nil {
		e.ward.close()
	}
	if e.box != nil {
		return e.box.Remove(cause)
	}
	return cause
}

func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

func split(err error) (cause, do string) {
	cause, do = remedy.Of(err)
	return strings.ReplaceAll(cause, "\n", "; "), do
}
