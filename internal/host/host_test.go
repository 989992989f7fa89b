package host

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestMissing(t *testing.T) {
	const (
		bpf      = uint64(1) << unix.CAP_BPF
		perfmon  = uint64(1) << unix.CAP_PERFMON
		netAdmin = uint64(1) << unix.CAP_NET_ADMIN
		sysAdmin = uint64(1) << unix.CAP_SYS_ADMIN
	)
	tests := []struct {
		name string
		eff  uint64
		want []string
	}{
		{"nothing held", 0, []string{"CAP_BPF", "CAP_NET_ADMIN", "CAP_PERFMON"}},
		{"all but ours", ^(bpf | perfmon | netAdmin | sysAdmin), []string{"CAP_BPF", "CAP_NET_ADMIN", "CAP_PERFMON"}},
		{"root", 1<<(unix.CAP_LAST_CAP+1) - 1, nil},
		{"exactly enough", bpf | perfmon | netAdmin, nil},
		{"CAP_SYS_ADMIN implies two", sysAdmin | netAdmin, nil},
		{"CAP_SYS_ADMIN does not imply CAP_NET_ADMIN", sysAdmin, []string{"CAP_NET_ADMIN"}},
		{"no CAP_PERFMON", bpf | netAdmin, []string{"CAP_PERFMON"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := missing(tt.eff); !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestCapabilityError(t *testing.T) {
	tests := []struct {
		names   []string
		purpose string
		want    string
	}{
		{[]string{"CAP_NET_ADMIN"}, "", "missing capability CAP_NET_ADMIN: run as root or grant it (setcap, AmbientCapabilities=)"},
		{[]string{"CAP_BPF", "CAP_PERFMON"}, "", "missing capabilities CAP_BPF, CAP_PERFMON: run as root or grant them (setcap, AmbientCapabilities=)"},
		{[]string{"CAP_SYS_ADMIN"}, "mount", "missing capability CAP_SYS_ADMIN, needed to mount: run as root or grant it (setcap, AmbientCapabilities=)"},
	}
	for _, tt := range tests {
		if got := capabilityError(tt.names, tt.purpose); got == nil || got.Error() != tt.want {
			t.Errorf("got  %v\nwant %s", got, tt.want)
		}
	}
	if err := capabilityError(nil, "x"); err != nil {
		t.Errorf("nothing missing: %v", err)
	}
}

// The capabilities are those of the thread, so dropping them in a locked one
// shows up there and nowhere else.
func TestCheckCapabilities(t *testing.T) {
	if err := checkUserNS(); err != nil {
		t.Skip("not the initial user namespace: ", err)
	}
	onThread(t, func() {
		hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var none [2]unix.CapUserData
		if err := unix.Capset(&hdr, &none[0]); err != nil {
			t.Error(err)
			return
		}
		for _, err := range []error{CheckCapabilities(), CheckSysAdmin("mount")} {
			if err == nil || !strings.HasPrefix(err.Error(), "missing capabilit") {
				t.Errorf("without any capability: %v", err)
			}
		}
	})
	eff, err := effective()
	if err != nil {
		t.Fatal(err)
	}
	if err := CheckCapabilities(); (err == nil) != (len(missing(eff)) == 0) {
		t.Errorf("with %#x: %v", eff, err)
	}
	if err := CheckSysAdmin("mount"); (err == nil) != has(eff, unix.CAP_SYS_ADMIN) {
		t.Errorf("with %#x: %v", eff, err)
	}
}

// onThread runs f on a thread that ends with it and takes along what f did to it.
func onThread(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends
		f()
	}()
	<-done
}

func TestEnsureBPFFSElsewhere(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	mounted, err := EnsureBPFFS(dir)
	want := "state dir " + dir + " is not on a bpf filesystem: use a directory below /sys/fs/bpf or mount one: mount -t bpf none " + dir
	if mounted || err == nil || err.Error() != want {
		t.Errorf("got  %v, %v\nwant %s", mounted, err, want)
	}
}

func TestEnsureBPFFSRefusesToCover(t *testing.T) {
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	mount := func(string) (bool, error) { t.Error("mounted over a directory in use"); return true, nil }
	mounted, err := ensureBPFFS(base, filepath.Join(base, "sockaccel"), mount)
	if mounted || err == nil || !strings.Contains(err.Error(), "another filesystem is mounted at "+base) {
		t.Errorf("got %v, %v", mounted, err)
	}
}

// Mounts for real, in a mount namespace that ends with the test's thread.
func TestEnsureBPFFSMounts(t *testing.T) {
	if fs, err := fsType(bpffsDir); err != nil {
		t.Skip("the kernel has no bpf filesystem: ", err)
	} else if fs != unix.SYSFS_MAGIC && fs != unix.BPF_FS_MAGIC {
		t.Skipf("something else (type %#x) is mounted at %s", fs, bpffsDir)
	}
	skip := ""
	onThread(t, func() {
		err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_FS)
		if err == nil { // only then: never touch the mounts of the host
			err = unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
		}
		if err != nil {
			skip = "may not make a mount namespace (needs CAP_SYS_ADMIN): " + err.Error()
			return
		}
		for fsIs(bpffsDir, unix.BPF_FS_MAGIC) {
			if err := unix.Unmount(bpffsDir, unix.MNT_DETACH); err != nil {
				t.Error(err)
				return
			}
		}
		dir := bpffsDir + "/sockaccel"
		for i, want := range []bool{true, false} {
			mounted, err := EnsureBPFFS(dir)
			if mounted != want || err != nil {
				t.Errorf("call %d: got %v, %v; want %v", i+1, mounted, err, want)
			}
		}
		var st unix.Stat_t
		if err := unix.Stat(bpffsDir, &st); err != nil || st.Mode&0o777 != 0o700 {
			t.Errorf("mode %o, %v; want 700", st.Mode&0o777, err)
		}
		if err := unix.Mkdir(dir, 0o750); err != nil {
			t.Error(err)
		}
		link := filepath.Join(t.TempDir(), "link")
		if err := os.Symlink(dir, link); err != nil {
			t.Error(err)
		}
		if mounted, err := EnsureBPFFS(link + "/x"); mounted || err != nil {
			t.Errorf("through a link: %v, %v", mounted, err)
		}
		// A second one that waited for the lock finds it mounted.
		if mounted, err := mountOnce(bpffsDir); mounted || err != nil {
			t.Errorf("mounted twice: %v, %v", mounted, err)
		}
	})
	if skip != "" {
		t.Skip(skip)
	}
}

func fsIs(path string, magic int64) bool {
	fs, err := fsType(path)
	return err == nil && fs == magic
}

func TestParseLockdown(t *testing.T) {
	for s, want := range map[string]string{
		"[none] integrity confidentiality\n": "none",
		"none [integrity] confidentiality\n": "integrity",
		"none integrity [confidentiality]":   "confidentiality",
		"none integrity":                     "",
		"[]":                                 "",
		"":                                   "",
	} {
		got, err := parseLockdown(s)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("parseLockdown(%q) = %q, %v; want %q", s, got, err, want)
		}
	}
}

func TestLockdown(t *testing.T) {
	mode, err := Lockdown()
	if err != nil || !slices.Contains([]string{"none", "integrity", "confidentiality", "unknown"}, mode) {
		t.Errorf("got %q, %v", mode, err)
	}
}

func TestReadBTF(t *testing.T) {
	dir := t.TempDir()
	empty, full := filepath.Join(dir, "empty"), filepath.Join(dir, "full")
	if err := errors.Join(os.WriteFile(empty, nil, 0o600), os.WriteFile(full, []byte{0x9f, 0xeb}, 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := readBTF(full); err != nil {
		t.Error(err)
	}
	for _, path := range []string{empty, filepath.Join(dir, "missing")} {
		if err := readBTF(path); err == nil || !strings.Contains(err.Error(), "CONFIG_DEBUG_INFO_BTF=y") {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestTotalMemory(t *testing.T) {
	data, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		t.Skip("no /proc/meminfo to compare with: ", err)
	}
	fields := strings.Fields(string(data))
	if len(fields) < 2 || fields[0] != "MemTotal:" {
		t.Fatalf("unexpected /proc/meminfo %.40q", data)
	}
	kib := 0
	for _, c := range fields[1] {
		kib = kib*10 + int(c-'0')
	}
	if got := TotalMemory(); got != uint64(kib)*1024 {
		t.Errorf("got %d bytes, /proc/meminfo has %d KiB", got, kib)
	}
}
