package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"runtime/debug"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/spf13/cobra"

	"github.com/ipcspec/ipcspec/harness/spec"
)

// withCatalogue makes the commands be about two clauses of pipe(7), of which the first has a spec.
func withCatalogue(t *testing.T, extra string) {
	t.Helper()
	statement := spec.ManPages().Page("pipe.7")[0].ID
	page := `page: pipe(7)
edition: man-pages 6.20
clauses:
  - id: pipe.lseek-espipe
    text: lseek on a pipe fails with ESPIPE.
    cites: [` + statement + `]
    level: posix
    subjects: [lseek]
  - id: pipe.capacity
    text: A pipe has room.
    cites: [` + statement + `]
    level: linux
    subjects: [write]
` + extra
	savedCatalogue, savedChecks := loadCatalogue, checks
	t.Cleanup(func() { loadCatalogue, checks = savedCatalogue, savedChecks })
	loadCatalogue = func() (*spec.Catalogue, error) {
		return spec.LoadAll(map[string]fs.FS{"pipes": fstest.MapFS{"pipe.7.yaml": {Data: []byte(page)}}})
	}
	checks = func() map[string][]spec.Location {
		return map[string][]spec.Location{"pipe.lseek-espipe": {{File: "suites/pipes/seek.go", Line: 7}}}
	}
}

func runCommand(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = execute(args, &out, &errs)
	return code, out.String(), errs.String()
}

func TestCommands(t *testing.T) {
	withCatalogue(t, "")
	for line, wants := range map[string][]string{
		"list":                      {"pipe.lseek-espipe  pipes  posix\n    lseek on a pipe fails with ESPIPE.\n", "pipe.capacity", "2 clauses: pipes 2\n"},
		"list --suite pipes":        {"2 clauses: pipes 2\n"},
		"list -c pipe.l* -c *.ca*":  {"2 clauses"},
		"list -c pipe.l*,*.ca*":     {"2 clauses"},
		"list --clause pipe.lseek*": {"1 clause: pipes 1\n"},
		"show pipe.lseek-espipe":    {"lseek on a pipe", "check       suites/pipes/seek.go:7\n", "catalogue   suites/pipes/pipe.7.yaml:4\n"},
		"show pipe.capacity":        {"check       none: untested\n"},
		"coverage":                  {"pipe(7)\n", "suite signals\n", "total\n"},
		"coverage --suite pipes":    {"pipe(7)\n", "suite pipes\n"},
		"coverage --suite pipes --left": {
			"\npipe(7): normative statements neither cited nor disposed of\n    pipe.7:DESC:",
			"\npipe(7): clauses without a spec\n    pipe.capacity\n"},
		"version":     {"ipcspec ", "\ngo1.", "\nman-pages 6.20\n", "\nsuites 1, clauses 2\n"},
		"--help":      {"Available Commands:\n"},
		"help show":   {"ipcspec show ID"},
		"help":        {"Available Commands:\n"},
		"list --help": {"--clause GLOB"},
	} {
		t.Run(line, func(t *testing.T) {
			code, stdout, stderr := runCommand(strings.Fields(line)...)
			if code != 0 || stderr != "" {
				t.Errorf("exit code %d, %q", code, stderr)
			}
			for _, want := range wants {
				if !strings.Contains(stdout, want) {
					t.Errorf("no %q in\n%s", want, stdout)
				}
			}
		})
	}
}

func TestLists(t *testing.T) {
	withCatalogue(t, "")
	if _, stdout, _ := runCommand("coverage", "--suite", "pipes"); strings.Contains(stdout, ":DESC:") || strings.Contains(stdout, "suite signals") {
		t.Errorf("coverage says more than it was asked for:\n%s", stdout)
	}
	if _, stdout, _ := runCommand("list", "--clause", "pipe.lseek*"); strings.Contains(stdout, "pipe.capacity") {
		t.Errorf("list says more than it was asked for:\n%s", stdout)
	}
}

func TestJSON(t *testing.T) {
	withCatalogue(t, "")
	var listing spec.Listing
	code, stdout, _ := runCommand("list", "--json", "-s", "pipes")
	if err := json.Unmarshal([]byte(stdout), &listing); code != 0 || err != nil || listing.Total != 2 || listing.Clauses[0].Source.Line != 4 {
		t.Errorf("exit code %d, %v:\n%s", code, err, stdout)
	}
	for _, args := range [][]string{{"coverage", "--json"}, {"coverage", "--json", "--left"}} {
		var coverage spec.Coverage
		code, stdout, _ := runCommand(args...)
		if err := json.Unmarshal([]byte(stdout), &coverage); code != 0 || err != nil || coverage.Total.Clauses != 2 || coverage.Total.Checked != 1 {
			t.Errorf("exit code %d, %v:\n%s", code, err, stdout)
		}
		if strings.Contains(stdout, `"left_over"`) != (len(args) == 3) {
			t.Errorf("%q lists what is left over wrongly", args)
		}
	}
}

// Misuse is one line on standard error, nothing on standard output, and exit code 2.
func TestMisuse(t *testing.T) {
	withCatalogue(t, "")
	for line, want := range map[string]string{
		"":                        "no command: see ipcspec --help",
		"shwo":                    `no command "shwo": see ipcspec --help`,
		"help nosuch":             `no help about "nosuch": see ipcspec --help`,
		"help list x":             `no help about "list x": see ipcspec --help`,
		"--nosuch":                "unknown flag: --nosuch",
		"list --nosuch":           "unknown flag: --nosuch",
		"list pipe.capacity":      `list takes no argument, but got "pipe.capacity"`,
		"list --clause":           "flag needs an argument: --clause",
		"list --clause nothing.*": `no clause matches "nothing.*"`,
		"list --clause [":         `clause glob "[": syntax error in pattern`,
		"list --suite pipe":       `no suite "pipe" in the catalogue: suites are pipes`,
		"list --suite pipes --clause pipe.* --clause x": `no clause matches "x"`,
		"show":                              "show takes the id of one clause",
		"show a.b c.d":                      "show takes the id of one clause",
		"show pipe.lseek-espip":             `no clause "pipe.lseek-espip": did you mean pipe.lseek-espipe?`,
		"show x.y.z.z.y":                    `no clause "x.y.z.z.y"`,
		"coverage x":                        `coverage takes no argument, but got "x"`,
		"coverage --suite nosuch":           `no suite "nosuch": suites are chardev, events, `,
		"version x":                         `version takes no argument, but got "x"`,
		"vm x":                              `vm takes no argument, but got "x"`,
		"vm exec":                           "exec needs a static program, and its arguments",
		"vm exec /x --kernel y":             "which kernel? Give its image with --kernel",
		"vm exec --kernel x --env A /x":     "--env A: give NAME=VALUE",
		"vm exec --kernel x --env =A /x":    "--env =A: give NAME=VALUE",
		"vm exec --kernel x --limit 0s /x":  "--limit 0s: give a time above 0",
		"vm exec --kernel x --limit many x": `invalid argument "many" for "--limit" flag`,
		"vm exec --kernel x --suite a /x":   "unknown flag: --suite",
		"vm exec --kernel x /nowhere/x -y":  "stat /nowhere/x: no such file or directory",
		"vm exec --kernel x /etc/passwd":    "/etc/passwd is no program for the guest: it is no ELF file",
		"vm exec --kernel x /proc/self":     "/proc/self is no program for the guest: it is no regular file",
	} {
		t.Run(line, func(t *testing.T) {
			code, stdout, stderr := runCommand(strings.Fields(line)...)
			if code != 2 || stdout != "" || !strings.HasPrefix(stderr, "ipcspec: "+want) || strings.Count(stderr, "\n") != 1 {
				t.Errorf("exit code %d, output %q, errors %q; want %q", code, stdout, stderr, want)
			}
		})
	}
}

func TestFaultyCatalogue(t *testing.T) {
	withCatalogue(t, "editions: 1\n")
	for _, line := range []string{"list", "show pipe.capacity", "coverage", "version"} {
		code, stdout, stderr := runCommand(strings.Fields(line)...)
		if code != 2 || stdout != "" || !strings.HasPrefix(stderr, "ipcspec: the catalogue has faults:\nsuites/pipes/pipe.7.yaml:14: the file: unknown key \"editions\"") {
			t.Errorf("%s: exit code %d, output %q, errors %q", line, code, stdout, stderr)
		}
	}
}

// References are checked even if whoever loads the suites leaves that out.
func TestDanglingReference(t *testing.T) {
	statement := spec.ManPages().Page("tee.2")[0].ID
	saved := loadCatalogue
	t.Cleanup(func() { loadCatalogue = saved })
	loadCatalogue = func() (*spec.Catalogue, error) {
		return spec.Load("pipes", fstest.MapFS{"tee.2.yaml": {Data: []byte(
			"page: tee(2)\nedition: man-pages 6.20\ndispositions:\n  - {statement: " + statement + ", is: restates, why: x, see: [no.such]}\n")}})
	}
	if code, _, stderr := runCommand("version"); code != 2 || !strings.Contains(stderr, "tee.2.yaml:4: ") {
		t.Errorf("exit code %d, errors %q", code, stderr)
	}
}

func TestExitCodes(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		code   int
		stderr string
	}{
		"none":       {nil, 0, ""},
		"plain":      {errors.New("broken"), exitFailure, "ipcspec: broken\n"},
		"deviation":  {&exitError{code: exitDeviation}, 1, ""},
		"unresolved": {&exitError{exitUnresolved, errors.New("2 clauses unresolved")}, 3, "ipcspec: 2 clauses unresolved\n"},
	} {
		t.Run(name, func(t *testing.T) {
			root := newRoot()
			root.AddCommand(&cobra.Command{Use: "test", RunE: func(*cobra.Command, []string) error { return c.err }})
			root.SetArgs([]string{"test"})
			var stderr bytes.Buffer
			if code := exitCode(root.Execute(), &stderr); code != c.code || stderr.String() != c.stderr {
				t.Errorf("exit code %d, errors %q; want %d, %q", code, stderr.String(), c.code, c.stderr)
			}
		})
	}
	if got := (&exitError{code: 3}).Error(); got != "exit code 3" {
		t.Errorf("an error without words says %q", got)
	}
}

func TestBuildVersion(t *testing.T) {
	vcs := []debug.BuildSetting{{Key: "GOOS", Value: "linux"}, {Key: "vcs.revision", Value: "0123abcd"}}
	for want, info := range map[string]*debug.BuildInfo{
		"(devel)":                    {},
		"v1.2.3":                     {Main: debug.Module{Version: "v1.2.3"}},
		"(devel), revision 0123abcd": {Settings: vcs},
		"v1.2.3, revision 0123abcd with changes": {Main: debug.Module{Version: "v1.2.3"},
			Settings: append(vcs[:2:2], debug.BuildSetting{Key: "vcs.modified", Value: "true"})},
	} {
		if got := buildVersion(info, true); got != want {
			t.Errorf("the version is %q, want %q", got, want)
		}
	}
	if got := buildVersion(nil, false); got != "of unknown version" {
		t.Errorf("the version is %q", got)
	}
}
