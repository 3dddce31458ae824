package run_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ipcspec/ipcspec/harness/report"
)

// expecting writes a file of expectations: each clause deviates.
func expecting(t *testing.T, clauses ...string) string {
	t.Helper()
	text := "expectations:\n"
	for _, c := range clauses {
		text += "  - clause: " + c + "\n    where: {system: [linux, gvisor]}\n    why: faulty by design\n"
	}
	file := filepath.Join(t.TempDir(), "expect.yaml")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestExpectations(t *testing.T) {
	for _, test := range []struct {
		name     string
		expected []string
		clauses  []string
		exit     int
		summary  []string // in it
	}{
		{"expected", []string{"faulty.deviates"}, []string{"faulty.deviates", "faulty.conforms-first"}, report.ExitConforms,
			[]string{"1 (1 expected)", "\n1 expected deviation\n\nfaulty.deviates (faulty)\n  why: faulty by design\n"}},
		{"one of two specs deviates", []string{"faulty.half"}, []string{"faulty.half"}, report.ExitConforms,
			[]string{"1 (1 expected)", "\n1 expected deviation\n\nfaulty.half (faulty)\n"}},
		{"unexpected", nil, []string{"faulty.half"}, report.ExitDeviates, []string{"\n1 deviation\n\nfaulty.half (faulty)\n"}},
		{"another one", []string{"faulty.deviates"}, []string{"faulty.deviates", "faulty.half"}, report.ExitDeviates,
			[]string{"2 (1 expected)", "\n1 deviation\n\nfaulty.half (faulty)\n", "\n1 expected deviation\n\nfaulty.deviates (faulty)\n"}},
		{"does not happen", []string{"faulty.conforms-*"}, []string{"faulty.conforms-first", "faulty.serial"}, report.ExitDeviates,
			[]string{"\n1 expectation that did not come true\n\nfaulty.conforms-first (faulty)\n", "expect.yaml:2"}},
		{"does not happen to a serial one", []string{"faulty.serial"}, []string{"faulty.serial", "faulty.conforms-last"}, report.ExitDeviates,
			[]string{"\n1 expectation that did not come true\n\nfaulty.serial (faulty)\n"}},
		{"cannot be told", []string{"faulty.needs-the-moon"}, []string{"faulty.needs-the-moon"}, report.ExitConforms, []string{"\n1 unresolved\n"}},
		{"was not selected", []string{"faulty.conforms-last"}, []string{"faulty.conforms-first"}, report.ExitConforms, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := "none"
			if test.expected != nil {
				file = expecting(t, test.expected...)
			}
			r := results(t, file, test.clauses...)
			if got := report.ExitCode(r, false); got != test.exit {
				t.Errorf("exit code %d, want %d", got, test.exit)
			}
			var b bytes.Buffer
			if err := report.Summary(&b, r); err != nil {
				t.Fatal(err)
			}
			for _, want := range test.summary {
				if !strings.Contains(b.String(), want) {
					t.Errorf("no %q in\n%s", want, b.String())
				}
			}
			for _, c := range r.Clauses {
				if c.Verdict == report.Deviates && (len(c.Evidence) != 1 || len(c.Evidence[0].Trace) == 0) {
					t.Errorf("%s lacks evidence: %+v", c.ID, c.Evidence)
				}
			}
		})
	}
}

// TestExpectationsOfASuite has them judged by ginkgo.
func TestExpectationsOfASuite(t *testing.T) {
	for _, test := range []struct {
		name, filter string
		expected     []string
		fails        bool
		says         []string
	}{
		{"expected", "faulty.deviates || faulty.half", []string{"faulty.deviates", "faulty.half"}, false,
			[]string{"expected deviation: faulty.deviates: faulty by design\n", "expected deviation: faulty.half: faulty by design\n"}},
		{"unexpected", "faulty.deviates || faulty.half", []string{"faulty.half"}, true, []string{"[FAILED] expected read(0, ", "expected deviation: faulty.half: faulty by design\n"}},
		{"does not happen", "faulty.conforms-first || faulty.half", []string{"faulty.conforms-*", "faulty.half"}, true,
			[]string{"expectations that did not come true:", "faulty.conforms-first: expected: deviates, and it is found: conforms", "expect.yaml:2", "faulty by design"}},
		{"was not selected", "faulty.conforms-first", []string{"faulty.conforms-last"}, false, nil},
		{"cannot be told", "faulty.needs-the-moon", []string{"faulty.needs-the-moon"}, false, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			cmd := exec.Command(faulty)
			cmd.Env = append(os.Environ(), "AS_SUITE="+test.filter, "IPCSPEC_OUT="+dir, "IPCSPEC_TAG="+tag,
				"IPCSPEC_EXPECT="+expecting(t, test.expected...))
			out, err := cmd.CombinedOutput()
			noneLeft(t)
			if (err != nil) != test.fails {
				t.Errorf("%v\n%s", err, out)
			}
			for _, want := range test.says {
				if !strings.Contains(string(out), want) {
					t.Errorf("no %q in\n%s", want, out)
				}
			}
			// The results agree with ginkgo.
			r, err := report.ReadResults(filepath.Join(dir, "faulty.json"))
			if err != nil {
				t.Fatal(err)
			}
			if unexpected := r.Total.Deviates-r.Total.Expected+r.Total.Unmet > 0; unexpected != test.fails {
				t.Errorf("%+v", r.Total)
			}
		})
	}
}

func TestFaultyExpectations(t *testing.T) {
	file := expecting(t, "faulty.no-such")
	cmd := exec.Command(faulty, "faulty.conforms-first")
	cmd.Env = append(os.Environ(), "RESULTS="+filepath.Join(t.TempDir(), "r.json"), "IPCSPEC_TAG="+tag, "IPCSPEC_EXPECT="+file)
	out, _ := cmd.CombinedOutput()
	if !strings.Contains(string(out), file+`:2: the expectation of faulty.no-such: no clause matches "faulty.no-such"`) {
		t.Errorf("%s", out)
	}
	cmd = exec.Command(faulty)
	cmd.Env = append(os.Environ(), "AS_SUITE=faulty.conforms-first", "IPCSPEC_TAG="+tag, "IPCSPEC_EXPECT="+file)
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), `no clause matches "faulty.no-such"`) {
		t.Errorf("%v\n%s", err, out)
	}
}
