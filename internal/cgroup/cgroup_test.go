package cgroup

import (
	"slices"
	"testing"

	"github.com/moby/sys/mountinfo"
)

func TestPickRoot(t *testing.T) {
	inodes := map[string]uint64{
		"/sys/fs/cgroup":         1,
		"/sys/fs/cgroup/unified": 1,
		"/mnt/container":         4711,
		"/mnt/bind":              815,
	}
	inode := func(p string) (uint64, bool) { ino, ok := inodes[p]; return ino, ok }
	tests := []struct {
		name   string
		mounts []*mountinfo.Info
		want   string
		ok     bool
	}{
		{"none", nil, "", false},
		{"unified", []*mountinfo.Info{{Root: "/", Mountpoint: "/sys/fs/cgroup"}}, "/sys/fs/cgroup", true},
		{"hybrid", []*mountinfo.Info{{Root: "/", Mountpoint: "/sys/fs/cgroup/unified"}}, "/sys/fs/cgroup/unified", true},
		{"covered mount", []*mountinfo.Info{{Root: "/", Mountpoint: "/covered"}}, "", false},
		{"bind mount first", []*mountinfo.Info{
			{Root: "/system.slice", Mountpoint: "/mnt/bind"},
			{Root: "/", Mountpoint: "/sys/fs/cgroup"},
		}, "/sys/fs/cgroup", true},
		{"the host's root inside a cgroup namespace", []*mountinfo.Info{
			{Root: "/", Mountpoint: "/mnt/container"},
			{Root: "/../..", Mountpoint: "/sys/fs/cgroup"},
		}, "/sys/fs/cgroup", true},
		{"only the namespace's root", []*mountinfo.Info{
			{Root: "/child", Mountpoint: "/mnt/bind"},
			{Root: "/", Mountpoint: "/mnt/container"},
		}, "/mnt/container", true},
		{"only a part", []*mountinfo.Info{{Root: "/child", Mountpoint: "/mnt/bind"}}, "/mnt/bind", true},
		{"two whole mounts: the earlier", []*mountinfo.Info{
			{Root: "/", Mountpoint: "/sys/fs/cgroup/unified"},
			{Root: "/", Mountpoint: "/sys/fs/cgroup"},
		}, "/sys/fs/cgroup/unified", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := pickRoot(tt.mounts, inode)
			if got != tt.want || ok != tt.ok {
				t.Errorf("got %q, %v; want %q, %v", got, ok, tt.want, tt.ok)
			}
		})
	}
}

func TestMountOf(t *testing.T) {
	mounts := []*mountinfo.Info{
		{ID: 1, Mountpoint: "/"},
		{ID: 2, Mountpoint: "/sys/fs/cgroup"},
		{ID: 3, Mountpoint: "/sys/fs/cgroup/cpu"},
		{ID: 4, Mountpoint: "/sys/fs/cgroup/cpu"},
	}
	for path, want := range map[string]int{
		"/": 1, "/sys/fs": 1, "/sys/fs/cgroup": 2, "/sys/fs/cgroup/cpuset": 2, "/sys/fs/cgroup/cpu/a": 4,
	} {
		if m := mountOf(mounts, path); m == nil || m.ID != want {
			t.Errorf("mountOf(%s) = %+v, want mount %d", path, m, want)
		}
	}
	if m := mountOf(mounts[2:], "/elsewhere"); m != nil {
		t.Errorf("mountOf(/elsewhere) = %+v, want none", m)
	}
}

func TestLocate(t *testing.T) {
	const root = "/sys/fs/cgroup/unified"
	for arg, want := range map[string]string{
		"":                            root,
		"/":                           root,
		".":                           root,
		"a/b/":                        root + "/a/b",
		"a/../b":                      root + "/b",
		root:                          root,
		root + "/a//b":                root + "/a/b",
		"/elsewhere/a":                "/elsewhere/a",
		"docker/0123456789ab":         root + "/docker/0123456789ab",
		"system.slice/redis@1.scope/": root + "/system.slice/redis@1.scope",
	} {
		if got := locate(root, arg); got != want {
			t.Errorf("locate(%q) = %q, want %q", arg, got, want)
		}
	}
}

func TestV1Name(t *testing.T) {
	for options, want := range map[string]string{
		"rw,cpu,cpuacct":                      "cpu,cpuacct",
		"rw,xattr,name=systemd":               "name=systemd",
		"ro,seclabel,memory":                  "memory",
		"rw,release_agent=/lib/x,name=elogin": "name=elogin",
		"rw":                                  "unknown",
		"":                                    "unknown",
	} {
		if got := v1Name(options); got != want {
			t.Errorf("v1Name(%q) = %q, want %q", options, got, want)
		}
	}
}

func TestUnderMount(t *testing.T) {
	tests := []struct {
		root, group, want string
		ok                bool
	}{
		{"/", "/", "/mnt", true},
		{"/", "/a/b", "/mnt/a/b", true},
		{"/a", "/a", "/mnt", true},
		{"/a", "/a/b", "/mnt/b", true},
		{"/a", "/ab", "", false},
		{"/", "/../b", "", false},
		{"/..", "/b", "", false},
		{"/", "/..b", "/mnt/..b", true},
		{"/", "", "", false}, // no "0::" line: the process has no cgroup v2
	}
	for _, tt := range tests {
		got, ok := underMount(&mountinfo.Info{Root: tt.root, Mountpoint: "/mnt"}, tt.group)
		if got != tt.want || ok != tt.ok {
			t.Errorf("underMount(root %q, %q) = %q, %v; want %q, %v", tt.root, tt.group, got, ok, tt.want, tt.ok)
		}
	}
}

func TestAppendPIDs(t *testing.T) {
	for data, want := range map[string][]int{
		"":            {},
		"\n":          {},
		"1\n":         {1},
		"17\n4":       {17, 4},
		"0\n0\n12\n":  {12},
		"4194304\n9 ": {4194304, 9},
	} {
		if got := appendPIDs([]int{}, []byte(data)); !slices.Equal(got, want) {
			t.Errorf("appendPIDs(%q) = %v, want %v", data, got, want)
		}
	}
}

func TestParseNS(t *testing.T) {
	tests := []struct {
		link string
		want uint64
		ok   bool
	}{
		{"net:[4026531840]", 4026531840, true},
		{"net:[18446744073709551615]", 1<<64 - 1, true},
		{"net:[18446744073709551616]", 0, false},
		{"net:[]", 0, false},
		{"net:[1", 0, false},
		{"mnt:[1]", 0, false},
		{"", 0, false},
	}
	for _, tt := range tests {
		got, ok := parseNS([]byte(tt.link))
		if ok != tt.ok || ok && got != tt.want {
			t.Errorf("parseNS(%q) = %d, %v; want %d, %v", tt.link, got, ok, tt.want, tt.ok)
		}
	}
}

func TestTopmost(t *testing.T) {
	tests := []struct{ paths, want []string }{
		{nil, nil},
		{[]string{"/c/a", "/c/b"}, []string{"/c/a", "/c/b"}},
		{[]string{"/c/a", "/c/a/"}, []string{"/c/a"}},
		{[]string{"/c/a/x", "/c/ab", "/c/a"}, []string{"/c/ab", "/c/a"}},
		{[]string{"/c/a", "/c", "/c/b"}, []string{"/c"}},
	}
	for _, tt := range tests {
		if got := topmost(tt.paths); !slices.Equal(got, tt.want) {
			t.Errorf("topmost(%v) = %v, want %v", tt.paths, got, tt.want)
		}
	}
}
