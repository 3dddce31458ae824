package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
)

// The list and the module's source name the same mutants, and the clauses are there.
func TestList(t *testing.T) {
	all, err := mutants()
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("../channel.c")
	if err != nil {
		t.Fatal(err)
	}
	catalogue, err := os.ReadFile("../../../suites/chardev/channel.4.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		if !strings.Contains(string(source), "MUTANT("+m.name+")") {
			t.Errorf("the module has no mutant %s", m.name)
		}
		for _, clause := range m.clauses {
			if !strings.Contains(string(catalogue), "- id: "+clause+"\n") {
				t.Errorf("mutant %s: there is no clause %s", m.name, clause)
			}
		}
	}
	for _, part := range strings.Split(string(source), "MUTANT(")[1:] {
		name, _, _ := strings.Cut(part, ")")
		if !strings.Contains(list, "\n"+name+"\t") {
			t.Errorf("the mutant %s is not in the list", name)
		}
	}
}

// The table in the module's description is that of the list.
func TestTableInReadme(t *testing.T) {
	all, err := mutants()
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		row := fmt.Sprintf("| `%s` | %s | `%s` |\n", m.name, m.wrong, strings.Join(m.clauses, "`, `"))
		if !strings.Contains(string(readme), row) {
			t.Errorf("README.md lacks the row\n%s", row)
		}
	}
	if rows := strings.Count(string(readme), "\n| `"); rows != len(all) {
		t.Errorf("README.md has %d rows for %d mutants", rows, len(all))
	}
}

func TestUnknownMutant(t *testing.T) {
	if _, err := run([]string{"NOSUCH"}, io.Discard); err == nil {
		t.Error("an unknown mutant is no error")
	}
}
