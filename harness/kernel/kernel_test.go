package kernel

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/sys/unix"
)

func TestParseRelease(t *testing.T) {
	for text, want := range map[string][3]int{
		"6.1.0-13-amd64":                       {6, 1, 0},
		"6.18.44-custom-v5":                    {6, 18, 44},
		"4.4.0":                                {4, 4, 0},
		"5.10":                                 {5, 10, 0},
		"6.12-rc3":                             {6, 12, 0},
		"6.12.0-rc3+":                          {6, 12, 0},
		"3.10.0-1160.el7.x86_64":               {3, 10, 0},
		"6.6.87.2-microsoft-standard-WSL2":     {6, 6, 87},
		"5.15.0+":                              {5, 15, 0},
		"2.6.35.14":                            {2, 6, 35},
		"6.1.":                                 {6, 1, 0},
		"6.1.x":                                {6, 1, 0},
		"5.4.254-android11-2-00001-gabcdef123": {5, 4, 254},
	} {
		r, err := ParseRelease(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if got := [3]int{r.Major, r.Minor, r.Patch}; got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
		if r.String() != text {
			t.Errorf("%q: printed as %q", text, r)
		}
	}
	for _, text := range []string{"", "6", "6.", "six", "v6.1", ".1", "6.x", " 6.1", "-6.1", "99999999999999999999.1"} {
		if r, err := ParseRelease(text); err == nil {
			t.Errorf("%q was taken for %s", text, r.Numbers())
		} else if !strings.Contains(err.Error(), "X.Y") {
			t.Errorf("%q: unhelpful error %v", text, err)
		}
	}
}

func TestReleaseCompare(t *testing.T) {
	ordered := []string{"2.6.35", "3.9", "3.10.0-1160.el7", "5.9.16", "5.10", "5.10.1", "6.1.0-13-amd64", "6.12-rc1", "6.12.1"}
	var releases []Release
	for _, text := range ordered {
		r, err := ParseRelease(text)
		if err != nil {
			t.Fatal(err)
		}
		releases = append(releases, r)
	}
	for i, a := range releases {
		for j, b := range releases {
			if got := a.Compare(b); got != sign(i-j) {
				t.Errorf("%s compared with %s: %d", a, b, got)
			}
			if a.AtLeast(b) != (i >= j) {
				t.Errorf("%s at least %s: %v", a, b, a.AtLeast(b))
			}
		}
	}
	a, _ := ParseRelease("6.1.0-13-amd64")
	if a.Compare(Release{Major: 6, Minor: 1}) != 0 {
		t.Error("what a distribution appends was compared")
	}
}

func sign(n int) int {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	}
	return 0
}

func TestReleaseText(t *testing.T) {
	for _, r := range []Release{{6, 1, 0, "6.1.0-13-amd64"}, {6, 1, 2, "6.1.2"}, {Text: "unversioned"}} {
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var back Release
		if err := json.Unmarshal(text, &back); err != nil || back != r {
			t.Errorf("%+v came back from %s as %+v, %v", r, text, back, err)
		}
	}
	if got := (Release{Major: 5, Minor: 10}).String(); got != "5.10.0" {
		t.Errorf("a release of numbers is printed as %q", got)
	}
}

func TestCapabilities(t *testing.T) {
	for name, want := range map[string]uint{"CAP_CHOWN": 0, "CAP_SYS_ADMIN": 21, "CAP_SYS_RESOURCE": 24, "CAP_CHECKPOINT_RESTORE": 40} {
		if got, ok := Capability(name); !ok || got != want {
			t.Errorf("%s: got %d, %v", name, got, ok)
		}
	}
	for _, name := range []string{"", "chown", "CAP_41"} {
		if n, ok := Capability(name); ok {
			t.Errorf("%q is capability %d", name, n)
		}
	}
	for n, name := range capabilities {
		if got, ok := Capability(name); !ok || int(got) != n {
			t.Errorf("capability %d, %q, has the number %d, %v", n, name, got, ok)
		}
	}
	if len(capabilities) != unix.CAP_LAST_CAP+1 {
		t.Errorf("%d capabilities, the last one is %d", len(capabilities), unix.CAP_LAST_CAP)
	}
	got := CapabilityNames(1<<0 | 1<<40 | 1<<63)
	if want := []string{"CAP_CHOWN", "CAP_CHECKPOINT_RESTORE", "CAP_63"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := CapabilityNames(0); got == nil || len(got) != 0 {
		t.Errorf("the empty set is %#v", got)
	}
}

// The kernel says in a second place what is effective; the two must agree.
func TestEffective(t *testing.T) {
	set, err := Effective()
	if err != nil {
		t.Fatal(err)
	}
	status, err := os.ReadFile("/proc/thread-self/status")
	if err != nil {
		t.Skip("needs /proc to compare with")
	}
	for line := range strings.Lines(string(status)) {
		if hex, ok := strings.CutPrefix(line, "CapEff:\t"); ok {
			var want uint64
			for _, c := range strings.TrimSpace(hex) {
				want = want<<4 | uint64(strings.IndexRune("0123456789abcdef", c))
			}
			if set != want {
				t.Errorf("effective set %x, /proc says %x", set, want)
			}
			return
		}
	}
	t.Skip("/proc/thread-self/status has no CapEff")
}

func TestSysctlFile(t *testing.T) {
	for name, want := range map[string]string{
		"fs.pipe-max-size":                  "/proc/sys/fs/pipe-max-size",
		"fs/pipe-max-size":                  "/proc/sys/fs/pipe-max-size",
		"net.ipv4.conf.eth0/1.forwarding":   "/proc/sys/net/ipv4/conf/eth0.1/forwarding",
		"net/ipv4/conf/eth0.1/forwarding":   "/proc/sys/net/ipv4/conf/eth0.1/forwarding",
		"user.max_user_namespaces":          "/proc/sys/user/max_user_namespaces",
		"kernel.random.uuid":                "/proc/sys/kernel/random/uuid",
		"kernel.sched_domain.cpu0.domain0.": "",
		"":                                  "",
		"../version":                        "",
		"fs/../../version":                  "",
		"/etc/passwd":                       "",
		"fs..pipe":                          "",
		".fs":                               "",
		"fs\x00.x":                          "",
	} {
		got, err := SysctlFile(name)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v; want %q", name, got, err, want)
		}
	}
}

func TestSysctl(t *testing.T) {
	if _, err := os.Stat("/proc/sys/kernel/ostype"); err != nil {
		t.Skip("needs /proc/sys")
	}
	if got, err := Sysctl("kernel.ostype"); err != nil || got != "Linux" {
		t.Errorf("kernel.ostype: got %q, %v", got, err)
	}
	if _, err := Sysctl("kernel.no-such-parameter"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a parameter that does not exist: %v", err)
	}
}

func TestGather(t *testing.T) {
	f := Gather()
	if f.System != "Linux" || f.Machine == "" || f.Version == "" || f.Release.Major < 2 {
		t.Errorf("uname: %+v", f)
	}
	if f.PageSize < 4096 || f.PageSize&(f.PageSize-1) != 0 || f.CPUs < 1 {
		t.Errorf("page size %d, %d CPUs", f.PageSize, f.CPUs)
	}
	if f.UID != os.Geteuid() || f.GID != os.Getegid() {
		t.Errorf("ids %d:%d", f.UID, f.GID)
	}
	set, _ := Effective()
	for _, name := range f.EffectiveCapabilities {
		if n, ok := Capability(name); ok && set&(1<<n) == 0 || !f.Has(name) {
			t.Errorf("%s is not effective", name)
		}
	}
	if f.Has("") {
		t.Error("has a capability without a name")
	}
	text, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	var back Facts
	if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(back, f) {
		t.Errorf("came back as %+v, %v", back, err)
	}
}

func TestDetectRuntime(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	for _, test := range []struct {
		name    string
		root    fstest.MapFS
		version string
		log     string
		env     map[string]string
		want    string
	}{
		{name: "nothing"},
		{name: "plain", version: "#1 SMP PREEMPT_DYNAMIC Debian 6.1.55-1",
			root: fstest.MapFS{"proc/version": file("Linux version 6.1.0-13-amd64"), "proc/1/cgroup": file("0::/init.scope\n")}},
		{name: "gvisor by uname", version: gvisorVersion, want: "gvisor"},
		{name: "gvisor by proc", root: fstest.MapFS{"proc/version": file("Linux version 4.4.0 " + gvisorVersion + "\n")}, want: "gvisor"},
		{name: "gvisor by its log", log: "<6>[    0.000000] Starting gVisor...\n<6>[    0.4] Ready!\n", want: "gvisor"},
		{name: "gvisor in docker", version: gvisorVersion, root: fstest.MapFS{".dockerenv": file("")}, want: "gvisor"},
		{name: "gvisor named later in a log", log: "<6>[    0.000000] Linux version 6.1\n<6>[ 9.1] Starting gVisor\n"},
		{name: "docker", root: fstest.MapFS{".dockerenv": file("")}, want: "docker"},
		{name: "docker by cgroup", root: fstest.MapFS{"proc/1/cgroup": file("4:memory:/docker/0123abcd\n")}, want: "docker"},
		{name: "podman", root: fstest.MapFS{"run/.containerenv": file("engine=\"podman\"\n")}, want: "podman"},
		{name: "lxc by environment", env: map[string]string{"container": "lxc"}, want: "lxc"},
		{name: "lxc by first process", root: fstest.MapFS{"proc/1/environ": file("HOME=/\x00container=lxc\x00")}, want: "lxc"},
		{name: "nspawn", root: fstest.MapFS{"run/systemd/container": file("systemd-nspawn\n")}, want: "systemd-nspawn"},
		{name: "another engine", env: map[string]string{"container": "oci"}, want: "container"},
		{name: "kubernetes", env: map[string]string{"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, want: "kubernetes"},
		{name: "kubernetes by cgroup", root: fstest.MapFS{"proc/1/cgroup": file("0::/kubepods.slice/x\n")}, want: "kubernetes"},
	} {
		got := detectRuntime(test.root, test.version, []byte(test.log), func(name string) string { return test.env[name] })
		if got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}
