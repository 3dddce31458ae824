package kernels

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestNamesOfKernels(t *testing.T) {
	for name, want := range map[string]request{
		"debian:6.12": {"6.12", ""}, "debian:6.12-cloud": {"6.12", "cloud"}, "debian:5.10-rt": {"5.10", "rt"}, "debian:6.12.118": {"6.12.118", ""},
	} {
		if got, err := parse(name); err != nil || got != want || got.name() != name {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	for _, name := range []string{"debian:6", "debian:", "debian:6.12-", "debian:6.12-huge", "fedora:6.12", "debian:6.12/../x", "debian:trixie"} {
		if _, err := parse(name); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

var some = []pkg{
	{name: "linux-image-6.1-amd64", version: "6.1.192-1"},
	{name: "linux-image-6.1.0-9-amd64", version: "6.1.27-1"},
	{name: "linux-image-6.1.0-56-amd64", version: "6.1.192-2"},
	{name: "linux-image-6.1.0-0.deb11.52-amd64", version: "6.1.180-1~deb11u1"},
	{name: "linux-image-6.1.0-56-amd64-dbg", version: "6.1.192-2"},
	{name: "linux-image-6.1.0-56-amd64-unsigned", version: "6.1.192-2"},
	{name: "linux-image-6.1.0-56-cloud-amd64", version: "6.1.192-2"},
	{name: "linux-image-6.12.118+deb13-rt-amd64", version: "6.12.118-1"},
	{name: "linux-image-7.3.4+deb13-cloud-amd64", version: "7.3.4-1~bpo13+1"},
	{name: "linux-binary-7.3.4+deb13-cloud-amd64", version: "7.3.4-1~bpo13+1"},
	{name: "linux-modules-7.3.4+deb13-cloud-amd64", version: "7.3.4-1~bpo13+1"},
	{name: "linux-headers-7.3.4+deb13-cloud-amd64", version: "7.3.4-1~bpo13+1", depends: []string{"gcc-14", "linux-headers-7.3.4+deb13-common", "linux-kbuild-7.3.4+deb13"}},
	{name: "linux-headers-7.3.4+deb13-common", version: "7.3.4-1~bpo13+1"},
	{name: "linux-kbuild-7.3.4+deb13", version: "7.3.4-1~bpo13+1"},
}

func TestTheNewestKernelOfALineIsTaken(t *testing.T) {
	for name, want := range map[string]string{
		"debian:6.1": "6.1.0-56-amd64", "debian:6.1-cloud": "6.1.0-56-cloud-amd64", "debian:6.1.27": "6.1.0-9-amd64",
		"debian:6.12-rt": "6.12.118+deb13-rt-amd64", "debian:7.3-cloud": "7.3.4+deb13-cloud-amd64", "debian:6.12": "", "debian:7.30-cloud": "",
	} {
		r, err := parse(name)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := newest(some, r); got.release != want {
			t.Errorf("%s: %q, expected %q", name, got.release, want)
		}
	}
}

func TestAKernelMayConsistOfSeveralPackages(t *testing.T) {
	c, _ := newest(some, request{"7.3", "cloud"})
	var names []string
	for _, p := range append(c.images(some), c.headers(some)...) {
		names = append(names, p.name)
	}
	if got := strings.Join(names, " "); got != "linux-image-7.3.4+deb13-cloud-amd64 linux-binary-7.3.4+deb13-cloud-amd64 linux-modules-7.3.4+deb13-cloud-amd64 "+
		"linux-headers-7.3.4+deb13-cloud-amd64 linux-headers-7.3.4+deb13-common linux-kbuild-7.3.4+deb13" {
		t.Error(got)
	}
}

func TestWhatIsNotInTheCacheIsSaidWithTheCommandThatFetchesIt(t *testing.T) {
	c, err := Open(t.TempDir(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Find("debian:6.12"); err == nil || !strings.Contains(err.Error(), "ipcspec kernel fetch debian:6.12") {
		t.Error(err)
	}
}

func TestHeadersAreUsableWhereTheyAre(t *testing.T) {
	folder := t.TempDir()
	h := filepath.Join(folder, "usr/src/linux-headers-1.2-amd64")
	if err := os.MkdirAll(h, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(h, "Makefile"), []byte("include /usr/src/linux-headers-1.2-common/Makefile\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/usr/src/linux-headers-1.2-common", filepath.Join(folder, "source")); err != nil {
		t.Fatal(err)
	}
	if err := relocate(folder, "/cache/k"); err != nil {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(filepath.Join(h, "Makefile")); string(text) != "include /cache/k/usr/src/linux-headers-1.2-common/Makefile\n" {
		t.Errorf("%q", text)
	}
	if to, _ := os.Readlink(filepath.Join(folder, "source")); to != "/cache/k/usr/src/linux-headers-1.2-common" {
		t.Error(to)
	}
}
