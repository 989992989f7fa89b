package baseline

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
)

// Accelerator is the usual 4-tuple accelerator, attached to a cgroup. It is for
// comparison only: it reorders, hangs, and mixes connections up.
type Accelerator struct {
	objs BaselineObjects
	link link.Link
}

// Attach accelerates connections that the cgroup's processes open from now on,
// until Close; those that are in its sockhash then stay in it until they close.
func Attach(cgroup string) (_ *Accelerator, err error) {
	a := new(Accelerator)
	if err := LoadBaselineObjects(&a.objs, nil); err != nil {
		return nil, fmt.Errorf("load baseline: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.objs.Close())
		}
	}()
	if err := a.objs.AttachVerdict(); err != nil {
		return nil, err
	}
	a.link, err = link.AttachCgroup(link.CgroupOptions{
		Path: cgroup, Attach: ebpf.AttachCGroupSockOps, Program: a.objs.BaselineSockops,
	})
	if err != nil {
		return nil, fmt.Errorf("attach baseline to %s: %w", cgroup, err)
	}
	return a, nil
}

// AttachVerdict attaches the verdict to the sockhash.
func (o *BaselineObjects) AttachVerdict() error {
	err := link.RawAttachProgram(link.RawAttachProgramOptions{
		Target: o.BaselineSocks.FD(), Program: o.BaselineMsg, Attach: ebpf.AttachSkMsgVerdict,
	})
	if err != nil {
		return fmt.Errorf("attach baseline's verdict: %w", err)
	}
	return nil
}

// Close detaches.
func (a *Accelerator) Close() error { return errors.Join(a.link.Close(), a.objs.Close()) }
