package doctor

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cilium/ebpf"

	"github.com/sockaccel/sockaccel/internal/cgroup"
	"github.com/sockaccel/sockaccel/internal/engine"
	"github.com/sockaccel/sockaccel/internal/probe"
	"github.com/sockaccel/sockaccel/internal/state"
)

func tryCgroup(_ context.Context, e *examination) finding {
	e.root = e.o.CgroupRoot
	if e.root == "" {
		var err error
		if e.root, err = cgroup.FindRoot(); err != nil {
			return lacking(err, "")
		}
	}
	if _, err := cgroup.Resolve(e.root, "/"); err != nil {
		return lacking(err, "name the cgroup v2 mount with --cgroup-root")
	}
	if filepath.Clean(e.root) != "/sys/fs/cgroup" {
		return good("hybrid: mounted at %s", e.root)
	}
	return good("mounted at %s", e.root)
}

func tryBPFFS(_ context.Context, e *examination) finding {
	notice, err := engine.PrepareStateDir(e.o.StateDir)
	if err != nil {
		return lacking(err, "mount -t bpf none /sys/fs/bpf")
	}
	if notice != "" {
		e.o.Notice("%s", notice)
		return good("mounted now at /sys/fs/bpf")
	}
	return good("mounted")
}

func tryFIONREAD(_ context.Context, e *examination) finding {
	found, err := e.probe()
	if err != nil {
		f := broken(err)
		f.do = "sockmap does not work here: use a current stable kernel"
		return f
	}
	if found.FIONREAD == probe.FIONREADRight {
		return good("counts redirected bytes and TCP's")
	}
	if found.Correction {
		return good("%s bytes, which is corrected", found.FIONREAD)
	}
	return finding{
		result: Broken, means: found.FIONREAD + ": who trusts it, as nginx, can hang",
		do: "--accept-risk fionread, or keep such programs out", risk: engine.RiskFIONREAD,
	}
}

// tryPrograms loads all programs, as enable would; if that fails, each alone,
// to name those that the verifier refuses.
func tryPrograms(_ context.Context, e *examination) finding {
	found, err := e.probe()
	if err != nil {
		return lacking(fmt.Errorf("use a sockhash: %w", err), "the kernel needs CONFIG_BPF_STREAM_PARSER=y")
	}
	spec, err := state.Spec(engine.Config(engine.Options{}, state.Meta{MaxConnections: 1}, found))
	if err != nil {
		return lacking(err, "")
	}
	all, err := ebpf.NewCollection(spec)
	if err == nil {
		all.Close()
		return good("the verifier takes all %d", len(spec.Programs))
	}
	refused := e.refused(spec)
	if len(refused) == 0 { // it was not a program
		return lacking(err, "use a kernel from 6.1 on")
	}
	return finding{
		result: No, means: "refused: " + strings.Join(refused, ", "),
		do: "use a current stable kernel from 6.1 on; -v shows the verifier's log",
	}
}

// refused names the programs that cannot be loaded, with the reason.
func (e *examination) refused(spec *ebpf.CollectionSpec) (names []string) {
	for name := range spec.Programs {
		one := spec.Copy()
		one.Programs = map[string]*ebpf.ProgramSpec{name: one.Programs[name]}
		c, err := ebpf.NewCollection(one)
		if err == nil {
			c.Close()
			continue
		}
		var verifier *ebpf.VerifierError
		if errors.As(err, &verifier) {
			e.o.Detail(fmt.Sprintf("%s: %+v", name, verifier))
			err = verifier.Cause
		}
		names = append(names, fmt.Sprintf("%s (%s)", name, oneLine(err)))
	}
	slices.Sort(names)
	return names
}
