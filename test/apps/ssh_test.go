package apps_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

// sshd is a server with keys of its own that lets this user in.
type sshd struct {
	dir, port string
}

func startSSHD(tb testing.TB, s *scope, path string) *sshd {
	tb.Helper()
	addr := freeAddr(tb)
	d := &sshd{dir: tb.TempDir(), port: strconv.Itoa(int(addr.Port()))}
	for _, key := range []string{"host", "user"} {
		if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", d.file(key)).CombinedOutput(); err != nil {
			tb.Fatalf("ssh-keygen: %v: %s", err, out)
		}
	}
	// systemd makes it for the service, for privilege separation.
	if err := os.Mkdir("/run/sshd", 0o755); err == nil {
		tb.Cleanup(func() { os.Remove("/run/sshd") })
	}
	config := fmt.Sprintf("HostKey %s\nAuthorizedKeysFile %s\nStrictModes no\nPermitRootLogin yes\nPidFile none\n"+
		"UsePAM no\nSubsystem sftp internal-sftp\nSetEnv HOME=%s\n", d.file("host"), d.file("user.pub"), d.dir)
	if err := os.WriteFile(d.file("config"), []byte(config), 0o600); err != nil {
		tb.Fatal(err)
	}
	s.serve(tb, addr, syscall.SIGTERM, exec.Command(path, "-D", "-e", "-f", d.file("config"),
		"-o", "ListenAddress=127.0.0.1:"+d.port))
	return d
}

func (d *sshd) file(name string) string { return filepath.Join(d.dir, name) }

// client is ssh or scp, with the key that the server knows.
func (d *sshd) client(path string, args ...string) *exec.Cmd {
	return exec.Command(path, append([]string{
		"-F", "none", "-i", d.file("user"), "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no",
		"-o", "UserKnownHostsFile=/dev/null", "-o", "Port=" + d.port, "-o", "LogLevel=ERROR",
	}, args...)...)
}

// ssh with data both ways at once, and scp with both of its protocols.
func TestSSH(t *testing.T) {
	server, ssh, scp := requireTool(t, "/usr/sbin/sshd"), requireTool(t, "ssh"), requireTool(t, "scp")
	size := volume(20_000_000, 100_000_000)
	file := filepath.Join(files(t, size), fmt.Sprint(size))
	offAndOn(t, func(t *testing.T, s *scope) {
		d := startSSHD(t, s, server)
		s.counted(t, claim{bytes: 2 * size, share: 0.01, why: blocking}, func() {
			in, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			defer in.Close()
			var out bytes.Buffer
			cat := d.client(ssh, "127.0.0.1", "cat")
			cat.Stdin, cat.Stdout = in, &out
			s.run(t, cat)
			if err := testkit.NewStream(seed).Check(out.Bytes(), 0); err != nil || out.Len() != size {
				t.Errorf("ssh: %d of %d bytes: %v", out.Len(), size, err)
			}
		})
		for _, protocol := range []string{"-s", "-O"} {
			up, down := d.file("up"), d.file("down")
			s.counted(t, claim{bytes: size, share: 0.01, why: blocking}, func() { s.run(t, d.client(scp, protocol, file, "127.0.0.1:"+up)) })
			sameFile(t, up, seed, size)
			s.counted(t, claim{bytes: size, share: 0.01, why: blocking}, func() { s.run(t, d.client(scp, protocol, "127.0.0.1:"+file, down)) })
			sameFile(t, down, seed, size)
		}
	})
}
