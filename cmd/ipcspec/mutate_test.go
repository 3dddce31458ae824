package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipcspec/ipcspec/harness/mutate"
	"github.com/ipcspec/ipcspec/harness/report"
)

func TestMutate(t *testing.T) {
	s := newScene(t)
	before := s.left()
	dir := t.TempDir()
	file, all := filepath.Join(dir, "m.json"), filepath.Join(dir, "all.ndjson")
	out, err := s.command("mutate", "--clause", "pipe.write-full-*", "--json", file, "--results", all).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s.clean(before)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var found mutate.Report
	if err := json.Unmarshal(text, &found); err != nil {
		t.Fatal(err)
	}
	if len(found.Suites) != 1 || found.Suites[0].Strong != found.Suites[0].Clauses || found.Suites[0].Killed < 50 || len(found.Rules) == 0 {
		t.Errorf("%+v", found.Suites)
	}
	text, err = os.ReadFile(all)
	if err != nil || strings.Count(string(text), `"outcome":"killed"`) != found.Suites[0].Killed {
		t.Errorf("the results hold other mutants than the report counts: %v", err)
	}
	if !strings.Contains(string(out), "lies not counted, by rule") {
		t.Errorf("%s", out)
	}
}

func TestInterruptedMutate(t *testing.T) {
	s := newScene(t)
	before := s.left()
	cmd := s.command("mutate", "--suite", "pipes")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for len(s.left()) < len(before)+4 { // workers and actors are there
		time.Sleep(5 * time.Millisecond)
	}
	if err := cmd.Process.Signal(unix.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != report.ExitFault {
		t.Errorf("exit code %d", code)
	}
	s.clean(before)
}

func TestMisuseOfMutate(t *testing.T) {
	for line, want := range map[string]string{
		"mutate --clause nope.*":                         "nope",
		"mutate --suite nope":                            "nope",
		"mutate --procs -1":                              "--procs -1",
		"mutate --most 0":                                "--most 0",
		"mutate --timeout-scale 0":                       "--timeout-scale 0",
		"mutate stray":                                   "stray",
		"mutate --since nosuch":                          "--since nosuch",
		"mutate --accept -c pipe.two-ends":               "--accept",
		"mutate --module loop -c pipe.two-ends":          "--module",
		"mutate --kernel /no/image -c pipe.two-ends":     "/no/image",
		"mutate --kernel debian:0.1 -c pipe.two-ends":    "debian:0.1",
		"mutate --unjudged-in /no/r.json":                "/no/r.json",
		"mutate --unjudged-in r.json -c pipe.two-ends":   "--unjudged-in",
		"mutate --unjudged-in r.json --accept":           "--accept",
		"mutate --accept --check":                        "--accept",
		"mutate --json /no/such/r.json -c pipe.two-end":  "pipe.two-end",
		"mutate --json /no/such/r.json -c pipe.two-ends": "--json",
		"mutate --strict -c pipe.two-ends":               "--strict",
		"mutate --since HEAD -c pipe.two-ends":           "--since",
		"mutate --since HEAD --suite nope":               "nope",
		"mutate --unjudged-in r.json --suite nope":       "nope",
		"mutate --since HEAD":                            "run this in the root of the source tree",
		"mutate --check --suite pipes":                   "run this in the root of the source tree",
		"mutate --accept --suite pipes":                  "run this in the root of the source tree",
		"mutate --results /no/such -c pipe.two-ends":     "/no/such",
	} {
		code, _, stderr := runCommand(strings.Fields(line)...)
		if code != exitFailure || !strings.Contains(stderr, want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("ipcspec %s: exit code %d, said %q", line, code, stderr)
		}
	}
}

// Without a machine, what says how it is to be is no word to be passed over.
func TestMutateWithoutAMachine(t *testing.T) {
	names := machineFlags()
	for _, name := range []string{"cpus", "memory", "arch", "cache", "boot-limit", "module"} {
		if !slices.Contains(names, name) {
			t.Errorf("--%s is not among %q", name, names)
		}
	}
	for _, name := range names {
		value := newMutate().Flag(name).DefValue
		code, _, stderr := runCommand("mutate", "-c", "pipe.two-ends", "--"+name+"="+value)
		if want := "ipcspec: --" + name + " is for a virtual machine: give its --kernel too\n"; code != exitFailure || stderr != want {
			t.Errorf("--%s: exit code %d, said %q", name, code, stderr)
		}
	}
}

// What cannot be read is told in one line, before any lie is.
func TestMutateWithSpoiltFiles(t *testing.T) {
	t.Chdir(t.TempDir())
	write := func(file, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	refused := func(what, want string, args ...string) {
		t.Helper()
		code, stdout, stderr := runCommand(append([]string{"mutate"}, args...)...)
		if code != exitFailure || stdout != "" || !strings.Contains(stderr, want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%s: exit code %d, said %q and %q", what, code, stdout, stderr)
		}
	}
	for what, text := range map[string]string{
		"an empty file": "", "a truncated one": `{"suite": "pipes", "seed": 1,`, "one of another suite": `{"suite": "signals"}`,
		"something else": `{"clauses": []}`, "no JSON": "share: 97", "two results": `{"suite": "pipes"} {"suite": "pipes"}`,
	} {
		write("suites/pipes/mutation.json", text)
		refused("an accepted result that is "+what, "suites/pipes/mutation.json", "--check", "--suite", "pipes")
	}
	for what, text := range map[string]string{
		"an empty file": "", "a truncated one": `{"schema": 1, "tool": "ipcspec", "clauses": [`, "something else": `{"suite": "pipes"}`,
	} {
		write("r.json", text)
		refused("results that are "+what, "r.json", "--unjudged-in", "r.json")
	}
}
