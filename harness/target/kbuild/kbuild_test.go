package kbuild

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

func TestUnpackedHeadersAreMended(t *testing.T) {
	root := t.TempDir()
	build := filepath.Join(root, "usr/src/linux-headers-7.3.4-cloud-amd64")
	write(t, filepath.Join(build, "Module.symvers"), "", 0o644)
	write(t, filepath.Join(build, "Makefile"), "KBUILD_OUTPUT=/usr/src/linux-headers-7.3.4-cloud-amd64\ninclude /usr/src/linux-headers-7.3.4-common/Makefile\n", 0o644)
	fixdep := filepath.Join(root, "usr/lib/linux-kbuild-7.3.4/scripts/basic/fixdep")
	write(t, fixdep, "#!/bin/sh\necho usage >&2\nexit 1\n", 0o755)
	for _, headers := range []string{root, root, build} {
		got, err := prepare(headers)
		if err != nil || got != build {
			t.Fatalf("the build folder is %s, %v", got, err)
		}
		text, _ := os.ReadFile(filepath.Join(build, "Makefile"))
		want := "KBUILD_OUTPUT=" + build + "\ninclude " + root + "/usr/src/linux-headers-7.3.4-common/Makefile\n"
		if string(text) != want {
			t.Errorf("the Makefile is\n%s\nwant\n%s", text, want)
		}
	}
	write(t, fixdep, "#!/bin/sh\necho \"version GLIBC_2.99 not found\" >&2\nexit 1\n", 0o755)
	if _, err := prepare(root); err == nil || !strings.Contains(err.Error(), "newer C library") {
		t.Errorf("the error is %v", err)
	}
	write(t, filepath.Join(root, "host/usr/lib64/ld-linux-x86-64.so.2"), "", 0o755)
	write(t, filepath.Join(root, "usr/lib/linux-kbuild-7.3.4/tools/objtool/objtool"), "\x7fELF...", 0o755)
	if _, err := prepare(root); err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(filepath.Join(root, "usr/lib/linux-kbuild-7.3.4/tools/objtool/objtool"))
	if !strings.HasPrefix(string(text), "#!/bin/sh\nexec '"+root+"/host/usr/lib64/ld-linux-x86-64.so.2' --library-path ") {
		t.Errorf("the tool is run by\n%s", text)
	}
}

func TestMisuse(t *testing.T) {
	source := t.TempDir()
	if _, err := Build(context.Background(), source, t.TempDir(), t.TempDir()); err == nil || !strings.Contains(err.Error(), "no folder with the sources of a module") {
		t.Errorf("the error is %v", err)
	}
	write(t, filepath.Join(source, "Kbuild"), "obj-m := x.o\n", 0o644)
	if _, err := Build(context.Background(), source, t.TempDir(), t.TempDir()); err == nil || !strings.Contains(err.Error(), "no kernel's build folder") {
		t.Errorf("the error is %v", err)
	}
}
