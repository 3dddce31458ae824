package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ipcspec/ipcspec/harness/spec"
)

const list = columns + `
pipes	pipe.7	pipe.7:DESC:00000001	normative	Pipe capacity		A pipe has a limited capacity.
pipes	pipe.7	pipe.7:DESC:00000002	lead-in	PIPE_BUF		In what follows:
sysv	msgop.2	msgop.2:ERR:00000001	normative	Errors	EIDRM	The queue is gone.
`

const want = spec.IndexColumns + `
pipes	pipe.7:DESC:00000001	normative	Pipe capacity	
pipes	pipe.7:DESC:00000002	lead-in	PIPE_BUF	
sysv	msgop.2:ERR:00000001	normative	Errors	EIDRM
`

func TestGenerate(t *testing.T) {
	for range 2 {
		var index bytes.Buffer
		if err := generate(strings.NewReader(list), &index); err != nil {
			t.Fatal(err)
		}
		if index.String() != want {
			t.Errorf("the index is\n%s\nwant\n%s", index.String(), want)
		}
	}
}

// The index in the repository is what the generator makes of a list with the same rows: no other
// order, no other form. (The list itself, which has the texts, is not in the repository.)
func TestGenerateAgain(t *testing.T) {
	index, err := os.ReadFile("../../statements-6.20.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var again strings.Builder
	again.WriteString(columns + "\n")
	for i, line := range strings.Split(strings.TrimSuffix(string(index), "\n"), "\n") {
		if i == 0 {
			continue
		}
		c := strings.Split(line, "\t")
		page, _, _ := strings.Cut(c[1], ":")
		again.WriteString(strings.Join([]string{c[0], page, c[1], c[2], c[3], c[4], "some text"}, "\t") + "\n")
	}
	var out bytes.Buffer
	if err := generate(strings.NewReader(again.String()), &out); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out.Bytes(), index) {
		t.Error("generating the index again gives another one")
	}
}

func TestGenerateFaults(t *testing.T) {
	edit := func(old, new string) string { return strings.Replace(list, old, new, 1) }
	for name, c := range map[string]struct{ list, want string }{
		"empty":           {"", "line 1: the list is empty"},
		"columns":         {edit("suite\t", ""), `line 1: the columns must be "suite\tpage\tid`},
		"a column short":  {edit("\tIn what follows:", ""), "line 3: 6 columns instead of 7"},
		"a column more":   {edit("In what follows:", "In what\tfollows:"), "line 3: 8 columns instead of 7"},
		"of another page": {edit("sysv\tmsgop.2", "sysv\tmsgget.2"), "line 4: statement msgop.2:ERR:00000001 is not of page msgget.2"},
		"unknown class":   {edit("lead-in", "lead"), `line 3: statement pipe.7:DESC:00000002: unknown class "lead"`},
		"id twice":        {edit("DESC:00000002", "DESC:00000001"), "line 3: statement pipe.7:DESC:00000001 was on line 2 already"},
		"long line":       {list + strings.Repeat("x", 1<<21), "line 5: bufio.Scanner: token too long"},
		"two faults":      {strings.ReplaceAll(list, "\tnormative", ""), "line 2: 6 columns instead of 7\nline 4: 6 columns instead of 7"},
	} {
		t.Run(name, func(t *testing.T) {
			var index bytes.Buffer
			err := generate(strings.NewReader(c.list), &index)
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("the error is %v, want %s", err, c.want)
			}
			if index.Len() > 0 {
				t.Errorf("an index was written: %s", index.String())
			}
		})
	}
}

func TestRun(t *testing.T) {
	dir := t.TempDir()
	in, out := filepath.Join(dir, "list.tsv"), filepath.Join(dir, "index.tsv")
	if err := os.WriteFile(in, []byte(list), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run([]string{in}, out); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(out); err != nil || string(got) != want {
		t.Errorf("the index is %s, %v", got, err)
	}
	for name, c := range map[string]struct {
		args []string
		out  string
		want string
	}{
		"no list":    {nil, out, "usage: "},
		"empty name": {[]string{""}, out, "usage: "},
		"two lists":  {[]string{in, in}, out, "usage: "},
		"no index":   {[]string{in}, "", "usage: "},
		"not there":  {[]string{in + "x"}, out, "open " + in + "x: "},
		"malformed":  {[]string{out}, out, out + ": line 1: the columns must be"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := run(c.args, c.out); err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("the error is %v, want %s", err, c.want)
			}
		})
	}
	if got, err := os.ReadFile(out); err != nil || string(got) != want {
		t.Errorf("a failed run changed the index to %s, %v", got, err)
	}
}

// The index of the repository's own pages is that of their list.
func TestOwnIndexIsUpToDate(t *testing.T) {
	list, err := os.ReadFile("../../../../modules/channel/statements.tsv")
	if err != nil {
		t.Fatal(err)
	}
	have, err := os.ReadFile("../../statements-ipcspec.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	if err := generate(bytes.NewReader(list), &want); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, want.Bytes()) {
		t.Error("statements-ipcspec.tsv is not the index of statements.tsv: run go generate ./harness/spec")
	}
}
