package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/ipcspec/ipcspec/harness/report"
)

func TestDiffAndMatrixCommands(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, verdict report.Verdict) string {
		path := filepath.Join(dir, name)
		r := report.Results{Schema: report.Schema, Tool: "x", Clauses: []report.ClauseResult{
			{ClauseInfo: report.ClauseInfo{ID: "pipe.two-ends", Suite: "pipes"}, Verdict: verdict, Specs: 1},
		}}
		if err := r.WriteResults(path); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good, bad := write("good.json", report.Conforms), write("bad.json", report.Deviates)
	half, alien := writeFile(t, "half.json", `{"schema":1,`), writeFile(t, "alien.json", `{}`)
	for _, test := range []struct {
		line string
		code int
		says string
	}{
		{"diff " + good + " " + bad, report.ExitDeviates, "1 regression\n\n  pipe.two-ends: conforms, now deviates\n"},
		{"diff " + bad + " " + good, 0, "1 mended\n\n  pipe.two-ends: deviates, now conforms\n"},
		{"diff " + good + " " + good, 0, "Nothing has changed."},
		{"matrix " + good + " " + bad, 0, "clause         good      bad\npipe.two-ends  conforms  deviates\n"},
		{"matrix --markdown " + good + " " + bad, 0, "| `pipe.two-ends` | conforms | deviates |\n"},
		{"matrix --differing " + good + " " + good, 0, "\n2 targets, 0 clauses"},
	} {
		code, stdout, stderr := runCommand(strings.Fields(test.line)...)
		if code != test.code || !strings.Contains(stdout, test.says) || stderr != "" {
			t.Errorf("ipcspec %s: exit code %d, %q, %s", test.line, code, stderr, stdout)
		}
	}
	for line, want := range map[string]string{
		"diff":                            "two files",
		"diff " + good:                    "two files",
		"diff " + good + " /no/such":      "/no/such",
		"diff " + half + " " + good:       half + ": the file is truncated",
		"diff " + good + " " + alien:      alien + ": this is not a results file of ipcspec",
		"matrix":                          "the results of one run or more",
		"matrix " + good + " " + dir:      dir,
		"matrix " + good + " " + half:     half,
		"matrix --markdown=often " + good: "--markdown",
	} {
		code, stdout, stderr := runCommand(strings.Fields(line)...)
		if code != exitFailure || stdout != "" || !strings.Contains(stderr, want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("ipcspec %s: exit code %d, said %q, %q", line, code, stdout, stderr)
		}
	}
}
