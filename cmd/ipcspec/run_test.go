package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/report"
)

// binary builds the command once, static as it is meant to be.
func binary(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ipcspec")
	build := exec.Command("go", "build", "-o", path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

// A scene is a place in which ipcspec runs and where all that it may leave behind can be found.
type scene struct {
	t      *testing.T
	binary string
	tmp    string
	tag    string
}

func newScene(t *testing.T) *scene {
	tmp, err := os.MkdirTemp("", "scene") // not below t.TempDir, which other users cannot reach
	if err == nil {
		err = os.Chmod(tmp, 0o777)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(tmp) })
	return &scene{t: t, binary: binary(t), tmp: tmp, tag: fmt.Sprintf("scene-%d-%d", os.Getpid(), rand.Int())}
}

func (s *scene) command(args ...string) *exec.Cmd {
	cmd := exec.Command(s.binary, args...)
	cmd.Env = append(os.Environ(), "TMPDIR="+s.tmp, "IPCSPEC_TAG="+s.tag)
	return cmd
}

// left lists what a run has left behind.
func (s *scene) left() []string {
	var left []string
	entries, err := os.ReadDir("/proc")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err != nil {
			continue
		}
		exe, _ := os.Readlink("/proc/" + e.Name() + "/exe")
		line, _ := os.ReadFile("/proc/" + e.Name() + "/cmdline")
		if strings.HasPrefix(exe, s.binary) || bytes.Contains(line, []byte("ipcspec-actor:"+s.tag+":")) {
			left = append(left, "process "+e.Name()+" "+exe)
		}
	}
	files, err := os.ReadDir(s.tmp)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, f := range files {
		left = append(left, "file "+f.Name())
	}
	for _, table := range []string{"shm", "sem", "msg"} {
		if text, err := os.ReadFile("/proc/sysvipc/" + table); err == nil {
			for _, row := range strings.Split(strings.TrimSpace(string(text)), "\n")[1:] {
				left = append(left, table+" "+row)
			}
		}
	}
	return left
}

// clean waits until nothing is left that was not there before.
func (s *scene) clean(before []string) {
	s.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		left := s.left()
		if len(left) <= len(before) {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("left behind:\n%s\nbefore:\n%s", strings.Join(left, "\n"), strings.Join(before, "\n"))
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestRunToItsEnd(t *testing.T) {
	s := newScene(t)
	before := s.left()
	dir := t.TempDir()
	results, junit := filepath.Join(dir, "r.json"), filepath.Join(dir, "r.xml")
	out, err := s.command("run", "--suite", "pipes", "--clause", "pipe.write-*", "--results", results, "--junit", junit).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s.clean(before)
	if left := s.left(); len(left) > len(before) {
		t.Errorf("a run that has ended leaves for later what it should have removed: %q", left)
	}
	found, err := report.ReadResults(results)
	if err != nil {
		t.Fatal(err)
	}
	if found.Interrupted || len(found.NotRun) > 0 || found.Total.Conforms == 0 {
		t.Errorf("results: interrupted %v, not run %v, %d conform", found.Interrupted, found.NotRun, found.Total.Conforms)
	}
	if text, err := os.ReadFile(junit); err != nil || !bytes.Contains(text, []byte("<testcase")) {
		t.Errorf("JUnit: %v", err)
	}
	// The journal makes the same results again.
	again := filepath.Join(dir, "again.json")
	if out, err := s.command("report", filepath.Join(dir, "r.ndjson"), "--results", again).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if other, err := report.ReadResults(again); err != nil || other.Total != found.Total {
		t.Errorf("results of the journal: %v, %+v instead of %+v", err, other.Total, found.Total)
	}
}

func TestInterruptedRun(t *testing.T) {
	s := newScene(t)
	before := s.left()
	for range 3 {
		results := filepath.Join(t.TempDir(), "r.json")
		cmd := s.command("run", "--suite", "pipes", "--procs", "2", "--results", results)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		s.awaitJournal(results, 5+rand.IntN(200))
		if err := cmd.Process.Signal(unix.SIGINT); err != nil {
			t.Fatal(err)
		}
		err := cmd.Wait()
		s.clean(before)
		found, readErr := report.ReadResults(results)
		if readErr != nil {
			t.Fatalf("%v\n%s", readErr, out.String())
		}
		if !found.Interrupted || cmd.ProcessState.ExitCode() != report.ExitFault || found.Total.Deviates > found.Total.Expected {
			t.Errorf("interrupted %v, %v, %d deviations, %d expected\n%s", found.Interrupted, err, found.Total.Deviates, found.Total.Expected, out.String())
		}
	}
}

func TestKilledRun(t *testing.T) {
	s := newScene(t)
	before := s.left()
	for range 10 {
		results := filepath.Join(t.TempDir(), "r.json")
		cmd := s.command("run", "--suite", "pipes", "--procs", "2", "--results", results)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := rand.IntN(300)
		s.awaitJournal(results, lines)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		s.clean(before)
		if _, err := harness.FoldJournal(strings.TrimSuffix(results, ".json") + ".ndjson"); err != nil && (lines > 0 || !errors.Is(err, fs.ErrNotExist)) { // at 0 it may be killed before there is one
			t.Errorf("the journal of a killed run: %v", err)
		}
	}
}

// awaitJournal waits until the journal of a run has so many lines.
func (s *scene) awaitJournal(results string, lines int) {
	s.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		text, _ := os.ReadFile(strings.TrimSuffix(results, ".json") + ".ndjson")
		if bytes.Count(text, []byte("\n")) >= lines {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("the journal does not grow to %d lines", lines)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestMisuseOfRun(t *testing.T) {
	for line, want := range map[string]string{
		"run --clause nope.*":        "nope",
		"run --suite nope":           "nope",
		"run --procs -1":             "--procs -1",
		"run --timeout-scale 0":      "--timeout-scale 0",
		"run --label-filter (":       "--label-filter",
		"run --label-filter nowhere": "selects no clause",
		"run stray":                  "stray",
		"run --results /no/such/r.json -c pipe.two-ends": "/no/such",
		"report /no/such/journal":                        "/no/such/journal",
		"report":                                         "one journal",
	} {
		code, _, stderr := runCommand(strings.Fields(line)...)
		if code != report.ExitFault || !strings.Contains(stderr, want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("ipcspec %s: exit code %d, said %q", line, code, stderr)
		}
	}
}

// TestCompleteSuites keeps the suites that are complete what they claim to be.
func TestCompleteSuites(t *testing.T) {
	catalogue, err := wholeCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	for _, suite := range []struct {
		name    string
		clauses int // at least
	}{
		{"pipes", 250},
		{"signals", 650},
	} {
		coverage, err := catalogue.Cover(checks(), suite.name)
		if err != nil {
			t.Fatal(err)
		}
		total := coverage.Total
		if total.Normative == 0 || total.Left > 0 || total.Cited*100 < 60*total.Normative || total.Clauses < suite.clauses || total.Untested > 0 {
			t.Errorf("the %s suite is not complete: %+v", suite.name, total)
		}
	}
}
