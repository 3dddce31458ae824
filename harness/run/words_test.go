package run_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestWorkersWords has a worker say that it could not clean up, and something else.
func TestWorkersWords(t *testing.T) {
	cmd := exec.Command(faulty, "faulty.leaks")
	cmd.Env = append(os.Environ(), "RESULTS="+filepath.Join(t.TempDir(), "results.json"), "IPCSPEC_TAG="+tag, "IPCSPEC_EXPECT=none")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	noneLeft(t)
	lines := strings.Split(string(out), "\n")
	if !slices.Contains(lines, "ipcspec: leaked") || slices.Contains(lines, "leaked") {
		t.Errorf("of what the worker said it tells %q", lines)
	}
}
