// Mutants finds out whether the chardev suite notices what is wrong with the module: it builds each of the
// module's mutants, boots it in a virtual machine, and checks the clauses that should notice.
//
//	go run ./modules/channel/mutants --kernel debian:6.12
//
// What follows is for ipcspec vm. Names of mutants in front of it choose some.
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
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, m := range all {
		if len(chosen) > 0 && !slices.Contains(chosen, m.name) {
			continue
		}
		command := []string{"vm", "--module", "modules/channel", "--make", "MUTANT=" + m.name, "--clause", strings.Join(m.clauses, ","), "--append", checks, "--timeout-scale", "2", "--procs", "1"}
		vm := exec.Command(program, append(command, args...)...)
		var said, words bytes.Buffer
		vm.Stdout, vm.Stderr = &said, &words
		var exit *exec.ExitError
		switch err := vm.Run(); {
		case err == nil:
			survived++
			fmt.Fprintf(table, "%s\tSURVIVED\t%s\n", m.name, m.wrong)
		case errors.As(err, &exit) && strings.Contains(said.String(), "\n1 deviation") || strings.Contains(said.String(), " deviations\n"):
			fmt.Fprintf(table, "%s\tcaught\t%s\n", m.name, m.wrong)
		default:
			return survived, fmt.Errorf("%s: ipcspec %s: %w\n%s%s", m.name, strings.Join(vm.Args[1:], " "), err, said.String(), words.String())
		}
		if err := table.Flush(); err != nil {
			return survived, err
		}
	}
	return survived, nil
}
