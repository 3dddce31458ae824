package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/expect"
	"github.com/ipcspec/ipcspec/harness/report"
)

// TestOwnExpectations checks that what ipcspec brings along is about clauses that there are.
func TestOwnExpectations(t *testing.T) {
	entries, err := harness.Expectations(false)
	if err != nil {
		t.Fatal(err)
	}
	catalogue, err := wholeCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	if err := expect.Check(entries, catalogue); err != nil {
		t.Error(err)
	}
	for _, e := range entries {
		if len(e.Where.System) == 0 {
			t.Errorf("%s: the expectation of %s is not for one system: give its where a system", e.Source, e.Clause)
		}
	}
	if none, err := harness.Expectations(true); err != nil || len(none) > 0 || len(entries) == 0 {
		t.Errorf("%d without, %d with them (%v)", len(none), len(entries), err)
	}
}

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRunExpecting(t *testing.T) {
	s := newScene(t)
	before := s.left()
	wrong := writeFile(t, "wrong.yaml", "expectations:\n  - clause: pipe.two-ends\n    why: a pipe has one end\n")
	slip := writeFile(t, "slip.yaml", "expectations:\n  - clause: pipe.two-end\n    why: a pipe has one end\n")
	elsewhere := writeFile(t, "elsewhere.yaml", "expectations:\n  - clause: pipe.two-ends\n    where: {kernel: '< 2.4'}\n    why: a pipe has one end\n")
	for _, test := range []struct {
		name, args string
		exit       int
		says       string
	}{
		{"none", "", 0, "conforms"},
		{"elsewhere", "--no-expect --expect " + elsewhere, 0, "conforms"},
		{"wrong", "--expect " + elsewhere + " --expect " + wrong, report.ExitDeviates, "1 expectation that did not come true\n\npipe.two-ends (pipes)"},
		{"unknown clause", "--expect " + slip, report.ExitFault, slip + `:2: the expectation of pipe.two-end: no clause matches "pipe.two-end": did you mean pipe.two-ends`},
		{"no file", "--expect /no/such.yaml", report.ExitFault, "/no/such.yaml"},
	} {
		t.Run(test.name, func(t *testing.T) {
			cmd := s.command(append([]string{"run", "-c", "pipe.two-ends"}, strings.Fields(test.args)...)...)
			out, _ := cmd.CombinedOutput()
			if code := cmd.ProcessState.ExitCode(); code != test.exit || !strings.Contains(string(out), test.says) {
				t.Errorf("exit code %d, want %d and %q in\n%s", code, test.exit, test.says, out)
			}
		})
	}
	s.clean(before)
}

func TestExpectCommand(t *testing.T) {
	results := report.Results{Schema: report.Schema, Tool: "x", Clauses: []report.ClauseResult{
		{ClauseInfo: report.ClauseInfo{ID: "pipe.two-ends", Suite: "pipes"}, Verdict: report.Conforms, Specs: 1},
	}}
	path := filepath.Join(t.TempDir(), "r.json")
	if err := results.WriteResults(path); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := runCommand("expect", "--from", path)
	if code != 0 || stdout != "" || stderr != path+" has no unexpected deviation\n" {
		t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
	}
	results.Clauses[0].Verdict = report.Deviates
	if err := results.WriteResults(path); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr = runCommand("expect", "--from", path)
	if code != 0 || stderr != "" || !strings.Contains(stdout, "\nexpectations:\n  - clause: pipe.two-ends\n    where:\n") {
		t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
	}
	for line, want := range map[string]string{
		"expect":                        "--from",
		"expect stray":                  "stray",
		"expect --from /no/such/r.json": "/no/such/r.json",
	} {
		code, stdout, stderr := runCommand(strings.Fields(line)...)
		if code != exitFailure || stdout != "" || !strings.Contains(stderr, want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("ipcspec %s: exit code %d, said %q, %q", line, code, stdout, stderr)
		}
	}
}
