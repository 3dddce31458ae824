// Genpage cuts a manual page of this repository into statements, and writes the full list of them
// that genindex turns into an index:
//
//	go run ./harness/spec/internal/genpage -suite chardev -o statements.tsv channel.4
//
// A statement is a sentence. The page has each at a line of its own, at the end of which its full stop
// stands; a sentence with macros in it goes over several lines. A comment such as
//
//	.\" [lead-in]
//
// gives the class of the next one; without it a statement is normative. An id is made of the
// section, the label and the text: it changes when one of them does, and only then.
package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
)

func main() {
	suite := flag.String("suite", "", "the suite that the page is given to")
	out := flag.String("o", "", "the list to write")
	flag.Parse()
	if err := run(*suite, *out, flag.Args()); err != nil {
		fmt.Fprintf(os.Stderr, "genpage: %v\n", err)
		os.Exit(2)
	}
}

func run(suite, out string, pages []string) error {
	if suite == "" || out == "" || len(pages) != 1 {
		return errors.New("usage: genpage -suite SUITE -o LIST PAGE")
	}
	source, err := os.ReadFile(pages[0])
	if err != nil {
		return err
	}
	list, err := generate(suite, string(source))
	if err != nil {
		return fmt.Errorf("%s: %w", pages[0], err)
	}
	return os.WriteFile(out, list, 0o644)
}

// sections gives the headings that have statements, and their part of an id.
var sections = map[string]string{
	"DESCRIPTION": "DESC", "RETURN VALUE": "RET", "ERRORS": "ERR", "FILES": "FILE", "VERSIONS": "VER", "NOTES": "NOTE", "BUGS": "BUG",
}

var class = regexp.MustCompile(`^\.\\" \[([a-z-]+)\]$`)

type reader struct {
	suite, page          string
	code, heading, label string // code is "" in a section without statements
	class                string
	words                []string // of the sentence so far
	tag                  bool     // the next line of text is a label
	list                 bytes.Buffer
	seen                 map[string]bool
}

func generate(suite, source string) ([]byte, error) {
	r := &reader{suite: suite, seen: map[string]bool{}}
	fmt.Fprintln(&r.list, "suite\tpage\tid\tclass\tsection\tlabel\ttext")
	for i, line := range strings.Split(strings.TrimSuffix(source, "\n"), "\n") {
		if err := r.line(line); err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	if len(r.words) > 0 {
		return nil, fmt.Errorf("the last sentence has no full stop: %q", strings.Join(r.words, " "))
	}
	return r.list.Bytes(), nil
}

func (r *reader) line(line string) error {
	if m := class.FindStringSubmatch(line); m != nil {
		r.class = m[1]
		return nil
	}
	if strings.HasPrefix(line, `.\"`) {
		return nil
	}
	macro, rest, _ := strings.Cut(line, " ")
	switch macro {
	case ".TH":
		name, section, ok := strings.Cut(rest, " ")
		section, _, _ = strings.Cut(section, " ")
		if !ok {
			return errors.New("the title has no section")
		}
		r.page = name + "." + section
		return nil
	case ".SH", ".SS", ".P", ".TP", ".nf", ".fi", ".EX", ".EE", ".in":
		if len(r.words) > 0 {
			return fmt.Errorf("%s in a sentence: %q", macro, strings.Join(r.words, " "))
		}
	}
	switch macro {
	case ".SH":
		r.code, r.label = sections[rest], ""
		r.heading = rest[:1] + strings.ToLower(rest[1:])
	case ".SS":
		r.heading, r.label = rest, ""
	case ".P":
		r.label = ""
	case ".TP":
		r.tag = true
	case ".nf", ".fi", ".EX", ".EE", ".in":
	case ".B", ".I":
		return r.text(strings.Join(arguments(rest), " "))
	case ".BR", ".RB", ".IR", ".RI", ".BI", ".IB":
		return r.text(strings.Join(arguments(rest), ""))
	default:
		if strings.HasPrefix(line, ".") {
			return fmt.Errorf("the macro %s is not known here", macro)
		}
		return r.text(line)
	}
	return nil
}

func (r *reader) text(text string) error {
	text = unescape(text)
	if r.code == "" {
		return nil
	}
	if r.tag {
		r.label, r.tag = text, false
		return nil
	}
	if r.words = append(r.words, text); !strings.HasSuffix(text, ".") {
		return nil
	}
	sentence := strings.Join(r.words, " ")
	sum := sha256.Sum256([]byte(r.heading + "\n" + r.label + "\n" + sentence))
	id := fmt.Sprintf("%s:%s:%x", r.page, r.code, sum[:4])
	if r.seen[id] {
		return fmt.Errorf("%s says it twice: %q", r.heading, sentence)
	}
	r.seen[id] = true
	kind := r.class
	if kind == "" {
		kind = "normative"
	}
	fmt.Fprintln(&r.list, strings.Join([]string{r.suite, r.page, id, kind, r.heading, r.label, sentence}, "\t"))
	r.words, r.class = nil, ""
	return nil
}

// arguments splits the arguments of a macro, which quotation marks hold together.
func arguments(rest string) []string {
	var args []string
	for rest = strings.TrimLeft(rest, " "); rest != ""; rest = strings.TrimLeft(rest, " ") {
		var arg string
		if quoted, ok := strings.CutPrefix(rest, `"`); ok {
			arg, rest, _ = strings.Cut(quoted, `"`)
		} else {
			arg, rest, _ = strings.Cut(rest, " ")
		}
		args = append(args, arg)
	}
	return args
}

var unescape = strings.NewReplacer(`\-`, "-", `\(aq`, "'", `\[aq]`, "'", `\[rs]`, `\`, `\e`, `\`, `\(mi`, "-").Replace
