package driver

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// harnessEnv marks a process that is a harness, and names its directory.
const harnessEnv = "SOCKACCEL_TEST_HARNESS"

// harness starts servers and waits to be killed. It does not return.
func harness(dir string) {
	var errs []error
	for name, start := range starters {
		program, err := Find(name)
		if err == nil {
			_, err = start(context.Background(), Options{Program: program, Dir: dir})
		}
		errs = append(errs, err)
	}
	fmt.Println(errors.Join(errs...))
	select {}
}

// Servers do not outlive a harness that could not stop them.
func TestHarnessKilled(t *testing.T) {
	dir := t.TempDir()
	for name := range starters {
		require(t, name)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), harnessEnv+"="+dir)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said, err := bufio.NewReader(stdout).ReadString('\n')
	// nginx with its worker, and Redis; the harness itself works elsewhere.
	if left := leftIn(t, dir); len(left) != 3+1 {
		t.Errorf("it has started: %q", left)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if err != nil || said != "<nil>\n" {
		t.Fatalf("harness: %v: %s", err, said)
	}
	nothingLeft(t, dir)
}
