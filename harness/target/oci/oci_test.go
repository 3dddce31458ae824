package oci

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ipcspec/ipcspec/harness/run"
	"github.com/ipcspec/ipcspec/harness/spec"
	_ "github.com/ipcspec/ipcspec/suites/pipes"
)

func TestRuntimeThatHangs(t *testing.T) {
	limit := startLimit
	startLimit = 500 * time.Millisecond
	t.Cleanup(func() { startLimit = limit })
	tmp, err := os.MkdirTemp("", "oci") // not below t.TempDir, which other users cannot reach
	if err == nil {
		err = os.Chmod(tmp, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(tmp) })
	removed, path := filepath.Join(t.TempDir(), "removed"), filepath.Join(t.TempDir(), "slow")
	t.Setenv("TMPDIR", tmp)
	script := `#!/bin/sh
case "$*" in
*--version*) echo slow version 7 ;;
*" delete "*) touch ` + removed + ` ;;
*) touch "$2/container"; echo waiting for Godot >&2; exec sleep 1000 ;;
esac
`
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	found, err := Runtime{Path: path}.Run(context.Background(), run.Options{
		Filter: spec.Filter{IDs: []string{"pipe.two-ends"}}, TimeoutScale: 1, Progress: io.Discard,
	})
	if err == nil || err.Error() != "the container of slow did not begin to run within its limit: waiting for Godot" || len(found.Clauses) > 0 {
		t.Errorf("%v, %+v", err, found)
	}
	if _, err := os.Stat(removed); err != nil {
		t.Errorf("the runtime was not asked to remove the container: %v", err)
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestConfigOfProfiles(t *testing.T) {
	for _, rootless := range []*mapping{nil, ownMapping()} {
		ordinary, err := config(Default, rootless)
		if err != nil {
			t.Fatal(err)
		}
		all, err := config(Privileged, rootless)
		if err != nil {
			t.Fatal(err)
		}
		if !ordinary.Process.NoNewPrivileges || all.Process.NoNewPrivileges {
			t.Error("no new privileges is for the default profile alone")
		}
		if ordinary.Linux.Seccomp == nil || all.Linux.Seccomp != nil || len(ordinary.Linux.MaskedPaths) == 0 || len(all.Linux.MaskedPaths) > 0 {
			t.Error("a seccomp policy and masked paths are for the default profile alone")
		}
		for _, name := range ordinary.Process.Capabilities.Bounding {
			if !slices.Contains(defaultCapabilities, name) {
				t.Errorf("%s is not for an ordinary container", name)
			}
		}
		user := slices.ContainsFunc(ordinary.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == specs.UserNamespace })
		if user != (rootless != nil) {
			t.Errorf("a user namespace: %v, with mapping %v", user, rootless)
		}
		// clone with CLONE_NEWUSER is what an ordinary container may not do without CAP_SYS_ADMIN.
		text, err := json.Marshal(ordinary.Linux.Seccomp)
		if err != nil || !strings.Contains(string(text), `"clone3"`) || !strings.Contains(string(text), "SCMP_ARCH_X86_64") {
			t.Errorf("the seccomp policy: %v, %.300s", err, text)
		}
	}
}
