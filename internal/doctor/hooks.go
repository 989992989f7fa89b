package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
)

// fires loads a small program at a hook, attaches it, and tells whether trigger
// makes it run: attaching alone proves nothing for LSM.
func fires(spec ebpf.ProgramSpec, returns int32, attach func(*ebpf.Program) (io.Closer, error), trigger func() error) error {
	ran, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 4, MaxEntries: 1})
	if err != nil {
		return fmt.Errorf("create map: %w", err)
	}
	defer ran.Close()
	spec.Name, spec.License = "sockaccel_try", "Dual MIT/GPL"
	spec.Instructions = asm.Instructions{
		asm.StoreImm(asm.R10, -4, 0, asm.Word),
		asm.LoadMapPtr(asm.R1, ran.FD()),
		asm.Mov.Reg(asm.R2, asm.R10),
		asm.Add.Imm(asm.R2, -4),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "end"),
		asm.StoreImm(asm.R0, 0, 1, asm.Word),
		asm.Mov.Imm(asm.R0, returns).WithSymbol("end"),
		asm.Return(),
	}
	prog, err := ebpf.NewProgramWithOptions(&spec, ebpf.ProgramOptions{LogDisabled: true})
	if err != nil {
		return err
	}
	defer prog.Close()
	l, err := attach(prog)
	if err != nil {
		return fmt.Errorf("attach: %w", err)
	}
	defer l.Close()
	if err := trigger(); err != nil {
		return fmt.Errorf("trigger: %w", err)
	}
	var n uint32
	if err := ran.Lookup(uint32(0), &n); err != nil {
		return fmt.Errorf("look: %w", err)
	}
	if n == 0 {
		return errors.New("attached, but never called")
	}
	return nil
}

func traced(p *ebpf.Program) (io.Closer, error) {
	return link.AttachTracing(link.TracingOptions{Program: p})
}

func tryTracepoint(context.Context, *examination) finding {
	err := fires(ebpf.ProgramSpec{
		Type: ebpf.Tracing, AttachType: ebpf.AttachTraceRawTp, AttachTo: "tcp_rcv_space_adjust",
	}, 0, traced, exchangeByTCP)
	if err != nil {
		return lacking(fmt.Errorf("tcp_rcv_space_adjust: %w", err), "the kernel needs CONFIG_DEBUG_INFO_BTF=y and CONFIG_BPF_EVENTS=y")
	}
	return good("tcp_rcv_space_adjust shows how programs read")
}

// exchangeByTCP sends a byte over loopback.
func exchangeByTCP() error {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	client, err := net.DialTimeout("tcp4", l.Addr().String(), patience)
	if err != nil {
		return err
	}
	defer client.Close()
	deadline := time.Now().Add(patience)
	if err := l.(*net.TCPListener).SetDeadline(deadline); err != nil {
		return err
	}
	server, err := l.Accept()
	if err != nil {
		return err
	}
	defer server.Close()
	if err := errors.Join(client.SetDeadline(deadline), server.SetDeadline(deadline)); err != nil {
		return err
	}
	if _, err := client.Write([]byte{1}); err != nil {
		return err
	}
	_, err = io.ReadFull(server, make([]byte, 1))
	return err
}

func tryIterators(context.Context, *examination) finding {
	for _, over := range []string{"tcp", "task_file"} {
		var it *link.Iter
		attach := func(p *ebpf.Program) (_ io.Closer, err error) {
			it, err = link.AttachIter(link.IterOptions{Program: p})
			return it, err
		}
		err := fires(ebpf.ProgramSpec{Type: ebpf.Tracing, AttachType: ebpf.AttachTraceIter, AttachTo: over}, 0, attach, func() error {
			r, err := it.Open()
			if err != nil {
				return err
			}
			_, err = io.Copy(io.Discard, r)
			return errors.Join(err, r.Close())
		})
		if err != nil {
			return lacking(fmt.Errorf("iter/%s: %w", over, err), "use a kernel from 6.1 on")
		}
	}
	return good("iter/tcp and iter/task_file find what is there")
}

func trySockmapLink(context.Context, *examination) finding {
	socks, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.SockHash, KeySize: 8, ValueSize: 8, MaxEntries: 1})
	if err == nil {
		defer socks.Close()
		err = fires(ebpf.ProgramSpec{Type: ebpf.SkMsg, AttachType: ebpf.AttachSkMsgVerdict}, 1, func(p *ebpf.Program) (io.Closer, error) {
			return link.AttachRawLink(link.RawLinkOptions{Target: socks.FD(), Program: p, Attach: ebpf.AttachSkMsgVerdict})
		}, func() error { return errTried })
	}
	if !errors.Is(err, errTried) {
		return lacking(fmt.Errorf("not needed, new in 6.10: %w", err), "")
	}
	return good("programs attach to a sockhash by link")
}

// errTried ends what was only to be attached.
var errTried = errors.New("attached")

const guarded = "security_file_permission" // splice and read pass it

func readFile() error {
	_, err := os.ReadFile("/proc/self/stat")
	return err
}

func tryTrampolines(context.Context, *examination) finding {
	for _, hook := range []struct {
		name string
		at   ebpf.AttachType
	}{{"fentry", ebpf.AttachTraceFEntry}, {"fmod_ret", ebpf.AttachModifyReturn}} {
		err := fires(ebpf.ProgramSpec{Type: ebpf.Tracing, AttachType: hook.at, AttachTo: guarded}, 0, traced, readFile)
		if err != nil {
			return lacking(fmt.Errorf("no splice guard: %s: %w", hook.name, err), "splice is a risk to accept")
		}
	}
	return good("fentry and fmod_ret are called: a splice guard can work")
}

func tryLSM(context.Context, *examination) finding {
	err := fires(ebpf.ProgramSpec{Type: ebpf.LSM, AttachType: ebpf.AttachLSMMac, AttachTo: "file_permission"}, 0,
		func(p *ebpf.Program) (io.Closer, error) { return link.AttachLSM(link.LSMOptions{Program: p}) }, readFile)
	if err != nil {
		return finding{result: No, means: "not needed: " + oneLine(err)}
	}
	return good("programs on LSM hooks are called")
}
