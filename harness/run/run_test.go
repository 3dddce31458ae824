package run_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipcspec/ipcspec/harness/report"
)

var faulty string

func TestMain(m *testing.M) { os.Exit(withFaulty(m)) }

// withFaulty builds faulty, runs the tests, and takes it away.
func withFaulty(m *testing.M) int {
	dir, err := os.MkdirTemp("", "ipcspec-faulty")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	faulty = filepath.Join(dir, "faulty")
	build := exec.Command("go", "build", "-o", faulty, "./internal/faulty")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// perform runs faulty and returns its results by clause.
func perform(t *testing.T, clauses ...string) map[string]report.ClauseResult {
	t.Helper()
	byID := map[string]report.ClauseResult{}
	for _, c := range results(t, "none", clauses...).Clauses {
		byID[c.ID] = c
	}
	return byID
}

// results runs faulty with a file of expectations and returns its results.
func results(t *testing.T, expect string, clauses ...string) report.Results {
	t.Helper()
	file := filepath.Join(t.TempDir(), "results.json")
	cmd := exec.Command(faulty, clauses...)
	cmd.Env = append(os.Environ(), "RESULTS="+file, "IPCSPEC_TAG="+tag, "IPCSPEC_EXPECT="+expect)
	var out bytes.Buffer
	cmd.Stderr = &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	results, err := report.ReadResults(file)
	if err != nil {
		t.Fatal(err)
	}
	noneLeft(t)
	return results
}

// noneLeft checks that no actor and no keeper of a program that has ended is left.
func noneLeft(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		left := marked(t)
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("left behind: %q", left)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// tag marks the actors of this test's runs.
var tag = "test-" + strconv.Itoa(os.Getpid())

// marked lists the processes that have come from this test: workers and keepers, whose executable
// is faulty, and actors, which carry its tag.
func marked(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err != nil {
			continue
		}
		exe, _ := os.Readlink("/proc/" + e.Name() + "/exe")
		line, _ := os.ReadFile("/proc/" + e.Name() + "/cmdline")
		if strings.HasPrefix(exe, faulty) || bytes.Contains(line, []byte("ipcspec-actor:"+tag+":")) {
			left = append(left, e.Name()+" "+exe+" "+strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return left
}

func TestVerdictsOfFaultySpecs(t *testing.T) {
	found := perform(t)
	for id, want := range map[string]struct {
		verdict       report.Verdict
		reason, fault string
	}{
		"faulty.conforms-first":       {report.Conforms, "", ""},
		"faulty.conforms-last":        {report.Conforms, "", ""},
		"faulty.serial":               {report.Conforms, "", ""},
		"faulty.leaks":                {report.Conforms, "", ""},
		"faulty.deviates":             {report.Deviates, "", ""},
		"faulty.half":                 {report.Deviates, "", ""},
		"faulty.call-hangs":           {report.Deviates, "", ""},
		"faulty.spec-hangs":           {report.Unresolved, "", "hung in its own code"},
		"faulty.panics":               {report.Unresolved, "", "panicked: out of cheese"},
		"faulty.asserts-nothing":      {report.Unresolved, "", "made no assertion"},
		"faulty.killed":               {report.Unresolved, "", "signal: killed"},
		"faulty.crashes":              {report.Unresolved, "", "exit status 2"},
		"faulty.exits":                {report.Unresolved, "", "exit status 0"},
		"faulty.setup-fails":          {report.Unresolved, "set-up failed: close(12345) = -1 EBADF", ""},
		"faulty.skips":                {report.Unresolved, "", "skipped by its own code"},
		"faulty.needs-the-moon":       {report.Unresolved, "needs 100000 CPUs", ""},
		"faulty.too-new":              {report.Unsupported, "came with Linux 99.0", ""},
		"faulty.setup-hangs":          {report.Unresolved, "set-up failed: A: read(0, ", ""},
		"faulty.needs-no-sysctl":      {report.Unresolved, "needs the sysctl kernel.no-such", ""},
		"faulty.needs-a-later-sysctl": {report.Unsupported, "came with Linux 99.0", ""},
		"faulty.actor-dies":           {report.Unresolved, "it has ended", ""},
		"faulty.untested":             {report.Untested, "", ""},
	} {
		got, ok := found[id]
		if !ok {
			t.Errorf("%s: no result", id)
			continue
		}
		delete(found, id)
		if got.Verdict != want.verdict || !strings.Contains(got.Reason, want.reason) || !strings.Contains(got.Fault, want.fault) ||
			(got.Fault == "") != (want.fault == "") {
			t.Errorf("%s: %s, reason %q, fault %q\nwant %v", id, got.Verdict, got.Reason, got.Fault, want)
		}
	}
	for id := range found {
		t.Errorf("%s: not expected", id)
	}
}

func TestEvidence(t *testing.T) {
	found := perform(t, "faulty.deviates", "faulty.call-hangs", "faulty.crashes")
	e := found["faulty.deviates"].Evidence
	if len(e) != 1 || !strings.Contains(e[0].Message, `returned 1 with "x"`) || len(e[0].Trace) != 3 || e[0].Failing != 3 ||
		!strings.Contains(e[0].Trace[2], `read(0, "x", 1) = 1`) || !strings.Contains(e[0].Location, "internal/faulty/main.go:") {
		t.Errorf("evidence of a deviation: %+v", e)
	}
	e = found["faulty.call-hangs"].Evidence
	if len(e) != 1 || !strings.Contains(e[0].Message, "read(0, ") || !strings.Contains(e[0].Message, "did not return") ||
		!strings.Contains(e[0].Message, "in state S") {
		t.Errorf("evidence of a call that hangs: %+v", e)
	}
	e = found["faulty.crashes"].Evidence
	if len(e) != 1 || !strings.Contains(strings.Join(e[0].Trace, "\n"), "no spec can recover from this") {
		t.Errorf("evidence of a crash: %+v", e)
	}
}

// TestKilledDirector kills the whole run at some moment: the journal tells what was found until
// then and what was running, and nothing is left.
func TestKilledDirector(t *testing.T) {
	file := filepath.Join(t.TempDir(), "results.json")
	cmd := exec.Command(faulty, "faulty.conforms-*", "faulty.call-hangs", "faulty.spec-hangs")
	cmd.Env = append(os.Environ(), "RESULTS="+file, "IPCSPEC_TAG="+tag)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	journal := file + ".ndjson"
	deadline := time.Now().Add(20 * time.Second)
	for {
		text, _ := os.ReadFile(journal)
		if bytes.Contains(text, []byte(`"event":"start","time"`)) && bytes.Contains(text, []byte(`"clause":"faulty.spec-hangs"`)) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the run does not begin")
		}
		time.Sleep(time.Millisecond)
	}
	if err := cmd.Process.Signal(unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	noneLeft(t)
	f, err := os.Open(journal)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines, err := report.ReadJournal(f, journal)
	if err != nil {
		t.Fatal(err)
	}
	results := report.Fold(lines, []report.ClauseInfo{{ID: "faulty.conforms-first"}, {ID: "faulty.spec-hangs"}})
	if !results.Interrupted {
		t.Error("the results do not say that the run was interrupted")
	}
	for _, c := range results.Clauses {
		if c.ID == "faulty.spec-hangs" && (c.Verdict != report.Unresolved || c.Fault == "") {
			t.Errorf("the clause that was running: %+v", c)
		}
	}
}

func TestInterrupt(t *testing.T) {
	file := filepath.Join(t.TempDir(), "results.json")
	cmd := exec.Command(faulty, "faulty.spec-hangs", "faulty.conforms-first")
	cmd.Env = append(os.Environ(), "RESULTS="+file, "IPCSPEC_TAG="+tag)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for {
		text, _ := os.ReadFile(file + ".ndjson")
		if bytes.Contains(text, []byte(`"clause":"faulty.spec-hangs"`)) {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if err := cmd.Process.Signal(unix.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	noneLeft(t)
	results, err := report.ReadResults(file)
	if err != nil {
		t.Fatal(err)
	}
	if !results.Interrupted || report.ExitCode(results, false) != report.ExitFault {
		t.Errorf("interrupted: %v, exit code %d", results.Interrupted, report.ExitCode(results, false))
	}
}
