// Mutants finds out whether the chardev suite notices what is wrong with the module: it builds each of the
// module's mutants, boots it in a virtual machine, and checks the clauses that should notice.
//
//	go run ./modules/channel/mutants --kernel debian:6.12
//
// First the module is checked as it is: there the same clauses have to conform. What follows is for ipcspec vm. Names of mutants in front of it choose some.
package main

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/ipcspec/ipcspec/harness/report"
)

//go:embed mutants.tsv
var list string

// A mutant is a line of the list.
type mutant struct {
	name    string
	clauses []string
	wrong   string
}

func mutants() ([]mutant, error) {
	var all []mutant
	for _, line := range strings.Split(strings.TrimSpace(list), "\n")[1:] {
		columns := strings.Split(line, "\t")
		if len(columns) != 3 {
			return nil, fmt.Errorf("mutants.tsv: %q: three columns are needed", line)
		}
		all = append(all, mutant{columns[0], strings.Split(columns[1], ","), columns[2]})
	}
	return all, nil
}

// checks are what makes a kernel look after itself: who corrupts its memory is found out by it.
const checks = "slub_debug=FZPU panic_on_warn=1 oops=panic"

func main() {
	survived, err := run(os.Args[1:], os.Stdout)
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(2)
	case survived > 0:
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) (survived int, err error) {
	all, err := mutants()
	if err != nil {
		return 0, err
	}
	var chosen []string
	for len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		chosen, args = append(chosen, args[0]), args[1:]
	}
	for _, name := range chosen {
		if !slices.ContainsFunc(all, func(m mutant) bool { return m.name == name }) {
			return 0, fmt.Errorf("no mutant %s: see modules/channel/mutants/mutants.tsv", name)
		}
	}
	work, err := os.MkdirTemp("", "mutants-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(work)
	program := filepath.Join(work, "ipcspec")
	build := exec.Command("go", "build", "-o", program, "./cmd/ipcspec")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("go build ./cmd/ipcspec: %w\n%s", err, text)
	}
	// Who finds fault with the module as it is notices nothing.
	var sound mutant
	for _, m := range all {
		sound.clauses = append(sound.clauses, m.clauses...)
	}
	found, err := sound.check(program, filepath.Join(work, "sound.json"), args)
	switch {
	case err != nil:
		return 0, err
	case len(found) > 0:
		return 0, fmt.Errorf("the module without a mutant does not conform: %v", found)
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, m := range all {
		if len(chosen) > 0 && !slices.Contains(chosen, m.name) {
			continue
		}
		found, err := m.check(program, filepath.Join(work, m.name+".json"), args)
		if err != nil {
			return survived, err
		}
		for _, clause := range m.clauses {
			how, noticed := found[clause]
			if !noticed {
				survived++
				how = "SURVIVED"
			}
			fmt.Fprintf(table, "%s\t%s\t%s\n", m.name, clause, how)
		}
		if err := table.Flush(); err != nil {
			return survived, err
		}
	}
	return survived, nil
}

// check runs the mutant's clauses, and gives those that noticed it, and how.
func (m mutant) check(program, results string, args []string) (map[string]string, error) {
	command := []string{
		"vm", "--module", "modules/channel", "--clause", strings.Join(m.clauses, ","),
		"--append", checks, "--procs", "1", "--results", results,
	}
	if m.name != "" {
		command = append(command, "--make", "MUTANT="+m.name)
	}
	vm := exec.Command(program, append(command, args...)...)
	var words bytes.Buffer
	vm.Stderr = &words
	err := vm.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return nil, err
	}
	// The kernel may not have survived it, and the run not have come to its end: what it found counts all the same.
	read, broken := report.ReadResults(results)
	if broken != nil {
		return nil, fmt.Errorf("%s: ipcspec %s: %w: %w\n%s", m.name, strings.Join(vm.Args[1:], " "), err, broken, words.String())
	}
	found := map[string]string{}
	for _, c := range read.Clauses {
		switch {
		case strings.HasPrefix(c.Fault, panicked):
			found[c.ID] = "caught: " + c.Fault
		case c.UnexpectedDeviation():
			found[c.ID] = "caught"
			for _, e := range c.Evidence {
				if _, by, ok := strings.Cut(e.Message, complained); ok {
					found[c.ID] = "caught by the kernel: " + strings.SplitN(by, "\n", 2)[0]
				}
			}
		case c.Verdict != report.Conforms || c.Fault != "":
			return nil, fmt.Errorf("%s: %s is %s: %s%s\n%s", m.name, c.ID, c.Verdict, c.Reason, c.Fault, words.String())
		}
	}
	return found, nil
}

// What the harness says of a kernel that found fault with itself begins with these words.
const (
	complained = "the kernel complained while this clause was being checked: "
	panicked   = "the guest's kernel panicked: "
)
