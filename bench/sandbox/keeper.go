package sandbox

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

// KeeperCommand is the hidden command that runs Keep.
const KeeperCommand = "internal-keeper"

// keeper is a process that removes the sandbox when its maker is killed and
// cannot do it.
type keeper struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
}

func startKeeper(exe string, t things) (*keeper, error) {
	k := &keeper{cmd: exec.Command(exe, KeeperCommand)}
	// A group of its own: Ctrl-C at the terminal is not for it.
	k.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var err error
	if k.stdin, err = k.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := k.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start keeper: %w", err)
	}
	if err := json.NewEncoder(k.stdin).Encode(t); err != nil {
		k.dismiss()
		return nil, fmt.Errorf("start keeper: %w", err)
	}
	return k, nil
}

// dismiss ends the keeper without it doing anything.
func (k *keeper) dismiss() {
	_ = k.cmd.Process.Kill()
	_ = k.stdin.Close()
	_ = k.cmd.Wait()
}

// Keep is the program of the keeper: it learns what there is from a line of
// its input, and removes it at the end of its input.
func Keep(stdin io.Reader) error {
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	in := json.NewDecoder(stdin)
	var t things
	if err := in.Decode(&t); err != nil {
		return fmt.Errorf("keeper: %w", err)
	}
	if _, err := io.Copy(io.Discard, stdin); err != nil {
		return fmt.Errorf("keeper: %w", err)
	}
	return t.remove()
}
