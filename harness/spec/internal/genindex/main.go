// Genindex turns the full list of statements of an edition of the manual pages, whose texts cannot
// be part of this repository, into the index that package spec compiles in:
//
//	STATEMENTS=statements.tsv go generate ./harness/spec
package main

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/ipcspec/ipcspec/harness/spec"
)

func main() {
	out := flag.String("o", "", "the index to write")
	flag.Parse()
	if err := run(flag.Args(), *out); err != nil {
		fmt.Fprintf(os.Stderr, "genindex: %v\n", err)
		os.Exit(2)
	}
}

// run writes the index of the one list named by args to the file out. It writes nothing if the
// list is malformed.
func run(args []string, out string) error {
	if len(args) != 1 || args[0] == "" || out == "" {
		return errors.New("usage: genindex -o INDEX STATEMENTS")
	}
	list, err := os.Open(args[0])
	if err != nil {
		return err
	}
	defer list.Close()
	var index bytes.Buffer
	if err := generate(list, &index); err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	return os.WriteFile(out, index.Bytes(), 0o644)
}

const columns = "suite\tpage\tid\tclass\tsection\tlabel\ttext"

// generate reads a list of statements and writes its index, in the same order. Line N of the index
// is line N of the list, so that the lines that its errors name are right for both: a wrong first
// line, a wrong number of columns, an id of another page, and all that spec.ReadIndex refuses.
func generate(list io.Reader, index io.Writer) error {
	var out bytes.Buffer
	var faults []error
	lines := bufio.NewScanner(list)
	lines.Buffer(nil, 1<<20)
	line := 0
	for lines.Scan() {
		line++
		if line == 1 {
			if lines.Text() != columns {
				return fmt.Errorf("line 1: the columns must be %q, not %q", columns, lines.Text())
			}
			fmt.Fprintln(&out, spec.IndexColumns)
			continue
		}
		c := strings.Split(lines.Text(), "\t")
		if len(c) != 7 {
			faults = append(faults, fmt.Errorf("line %d: %d columns instead of 7", line, len(c)))
			continue
		}
		if !strings.HasPrefix(c[2], c[1]+":") {
			faults = append(faults, fmt.Errorf("line %d: statement %s is not of page %s", line, c[2], c[1]))
		}
		fmt.Fprintln(&out, strings.Join([]string{c[0], c[2], c[3], c[4], c[5]}, "\t"))
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("line %d: %w", line+1, err)
	}
	if line == 0 {
		return errors.New("line 1: the list is empty")
	}
	if len(faults) > 0 {
		return errors.Join(faults...)
	}
	if _, err := spec.ReadIndex(bytes.NewReader(out.Bytes())); err != nil {
		return err
	}
	_, err := index.Write(out.Bytes())
	return err
}
