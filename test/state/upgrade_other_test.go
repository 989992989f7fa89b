package state_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/urfave/cli/v2"

	"github.com/sockaccel/sockaccel/internal/engine"
	"github.com/sockaccel/sockaccel/internal/sidecar"
	"github.com/sockaccel/sockaccel/internal/state"
	"github.com/sockaccel/sockaccel/internal/testkit"
)

// otherEnv makes a process of the test binary another version of the tool.
const otherEnv = "SOCKACCEL_TEST_OTHER"

// other says in what it is another one.
type other struct {
	Version string
	// Variant: see variants.
	Variant string
	// FailAt and KillAt name a step of the upgrade before which it fails, or is
	// killed.
	FailAt, KillAt string
}

// variants are what a version's programs and maps may be like.
var variants = map[string]func(*ebpf.CollectionSpec){
	"same": nil,
	// Every program is another one; the maps are the same.
	"programs": func(spec *ebpf.CollectionSpec) {
		for _, p := range spec.Programs {
			first := &p.Instructions[0]
			added := asm.Mov.Imm(asm.R0, 0).WithSymbol(first.Symbol()).WithSource(first.Source())
			added = btf.WithFuncMetadata(added, btf.FuncMetadata(first))
			*first = btf.WithFuncMetadata(first.WithSymbol(""), nil)
			p.Instructions = append(asm.Instructions{added}, p.Instructions...)
		}
	},
	// A map means something else.
	"types": func(spec *ebpf.CollectionSpec) {
		spec.Maps["scopes"].Value = &btf.Int{Name: "signed", Size: 8, Encoding: btf.Signed}
	},
	// A map has another size.
	"sizes": func(spec *ebpf.CollectionSpec) { spec.Maps["events"].MaxEntries *= 2 },
	// The verifier refuses a program, and all maps would be others.
	"refused": func(spec *ebpf.CollectionSpec) {
		spec.Maps["events"].MaxEntries *= 2
		spec.Programs["sockaccel_sweep"].Instructions = asm.Instructions{asm.Return()}
	},
}

// asOther runs it, and returns what it said.
func (s *scene) asOther(o other, args ...string) (string, error) {
	text, err := json.Marshal(o)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/proc/self/exe", append([]string{"--state-dir", s.tool.StateDir}, args...)...)
	cmd.Env = append(os.Environ(), otherEnv+"="+string(text))
	// A file, and no pipe that its sidecar would hold open.
	out, err := os.CreateTemp("", "sockaccel-test-other-")
	if err != nil {
		return "", err
	}
	defer os.Remove(out.Name())
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	err = cmd.Run()
	said, readErr := os.ReadFile(out.Name())
	return strings.TrimSpace(string(said)), errors.Join(err, readErr)
}

func (s *scene) mustAsOther(tb testing.TB, o other, args ...string) string {
	tb.Helper()
	out, err := s.asOther(o, args...)
	if err != nil {
		tb.Fatalf("%+v %v: %v: %s", o, args, err, out)
	}
	return out
}

// otherMain is what such a process does.
func otherMain(text string) int {
	var o other
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		panic(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	app := &cli.App{
		Flags: []cli.Flag{&cli.StringFlag{Name: "state-dir"}},
		Commands: []*cli.Command{
			{Name: "upgrade", Action: o.upgrade},
			{Name: sidecar.SidecarCommand, Action: nurse, Flags: []cli.Flag{&cli.IntFlag{Name: "supervisor"}}},
			{Name: sidecar.SupervisorCommand, Action: supervise, Flags: []cli.Flag{&cli.IntFlag{Name: "sidecar"}}},
		},
		ExitErrHandler: func(*cli.Context, error) {},
	}
	if err := app.RunContext(ctx, os.Args); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func (o other) upgrade(c *cli.Context) error {
	err := engine.Upgrade(c.Context, engine.Options{
		StateDir: c.String("state-dir"), Version: o.Version, Adapt: variants[o.Variant],
		Notice: func(line string) { fmt.Fprintln(os.Stderr, line) },
		OnStep: func(step string) error {
			fmt.Fprintln(os.Stderr, "step", step)
			switch step {
			case o.FailAt:
				return errors.New("made to fail")
			case o.KillAt:
				return syscall.Kill(os.Getpid(), syscall.SIGKILL)
			}
			return nil
		},
	})
	if errors.Is(err, state.ErrDisabled) {
		return nil
	}
	return err
}

func nurse(c *cli.Context) error {
	s, err := state.Open(c.String("state-dir"))
	if err != nil {
		return err
	}
	defer s.Close()
	go sidecar.KeepSupervised(c.Context, s, c.Int("supervisor"))
	return sidecar.Run(c.Context, s, slog.New(slog.DiscardHandler), func() {})
}

func supervise(c *cli.Context) error {
	s, err := state.Open(c.String("state-dir"))
	if err != nil {
		return err
	}
	defer s.Close()
	return sidecar.Supervise(c.Context, s, c.Int("sidecar"))
}

// stepsOf names the steps that a run of it said to make.
func stepsOf(tb testing.TB, said string) (steps []string) {
	tb.Helper()
	for line := range strings.Lines(said) {
		if step, ok := strings.CutPrefix(strings.TrimSpace(line), "step "); ok {
			steps = append(steps, step)
		}
	}
	if len(steps) < 3 {
		tb.Fatalf("no steps in %q", said)
	}
	return steps
}

// executable names what runs as sidecar: the tool or the test binary.
func executable(tb testing.TB, tool *testkit.Tool) string {
	tb.Helper()
	st := tool.Status(tb)
	path, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", st.Sidecar.PID))
	if err != nil {
		tb.Fatal(err)
	}
	return path
}
