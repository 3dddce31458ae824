package spec

import (
	"bufio"
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Edition is the edition of the Linux manual pages that the statements come from.
const Edition = "man-pages 6.20"

// OwnEdition is the edition of the pages that are part of this repository: of the things that it has
// itself, such as /dev/channel.
const OwnEdition = "ipcspec"

// Class is what kind of sentence a statement is. It was found by a heuristic: normative statements
// must be cited or disposed of, the others may be.
type Class string

// The classes.
const (
	Normative      Class = "normative"
	LeadIn         Class = "lead-in"
	Fragment       Class = "fragment"
	CrossReference Class = "cross-reference"
	Advice         Class = "advice"
	Bug            Class = "bug"
	History        Class = "history"
	Portability    Class = "portability"
	Standards      Class = "standards"
)

var classes = []Class{Normative, LeadIn, Fragment, CrossReference, Advice, Bug, History, Portability, Standards}

// Statement is one sentence, table row or ERRORS entry of a manual page. The text stays in the
// manual page; a statement is found there by its section and label.
type Statement struct {
	ID      string `json:"id"`              // stable: pipe.7:DESC:c14f7011
	Suite   string `json:"suite"`           // the suite that its page was given to
	Page    string `json:"page"`            // pipe.7
	Class   Class  `json:"class"`           //
	Section string `json:"section"`         // the heading above it
	Label   string `json:"label,omitempty"` // the tag or table row that it belongs to: EAGAIN
}

// Index holds the statements of an edition, in the order of the pages.
type Index struct {
	statements []*Statement
	byID       map[string]*Statement
	byPage     map[string][]*Statement
	own        map[string]bool // pages of OwnEdition
}

// go generate needs the path of the full list of statements in $STATEMENTS.
//
//go:generate go run ./internal/genindex -o statements-6.20.tsv $STATEMENTS

// The texts of the repository's own pages are there in the repository, too.
//
//go:generate go run ./internal/genpage -suite chardev -o ../../modules/channel/statements.tsv ../../modules/channel/channel.4
//go:generate go run ./internal/genindex -o statements-ipcspec.tsv ../../modules/channel/statements.tsv

//go:embed statements-6.20.tsv
var manPages []byte

//go:embed statements-ipcspec.tsv
var ownPages []byte

// What null(4), full(4), open(2), mknod(2) and mount(2) say of character devices. It was taken from the pages by
// hand: of the last three only those statements are here, which are not in the list of the edition.
//
//go:embed statements-6.20-devices.tsv
var devicePages []byte

// ManPages gives the statements of Edition. It panics if the index that was compiled in is
// malformed, which a test excludes.
var ManPages = sync.OnceValue(func() *Index {
	index, err := ReadIndex(bytes.NewReader(manPages))
	if err != nil {
		panic(fmt.Sprintf("statements-6.20.tsv: %v", err))
	}
	return index
})

// Statements gives the statements of all editions.
var Statements = sync.OnceValue(func() *Index {
	all := &Index{statements: slices.Clone(ManPages().statements), own: map[string]bool{}}
	all.byID, all.byPage = maps.Clone(ManPages().byID), maps.Clone(ManPages().byPage)
	for _, part := range []struct {
		name string
		text []byte
		own  bool
	}{{"statements-6.20-devices.tsv", devicePages, false}, {"statements-ipcspec.tsv", ownPages, true}} {
		index, err := ReadIndex(bytes.NewReader(part.text))
		if err != nil {
			panic(fmt.Sprintf("%s: %v", part.name, err))
		}
		all.statements = append(all.statements, index.statements...)
		maps.Copy(all.byID, index.byID)
		maps.Copy(all.byPage, index.byPage)
		for page := range index.byPage {
			all.own[page] = part.own
		}
	}
	return all
})

// Edition gives the edition of a page, named as in pipe.7.
func (x *Index) Edition(page string) string {
	if x.own[page] {
		return OwnEdition
	}
	return Edition
}

// IndexColumns is the first line of an index. The page is the id up to its first colon.
const IndexColumns = "suite\tid\tclass\tsection\tlabel"

var statementID = regexp.MustCompile(`^([A-Za-z0-9_-]+\.[0-9][a-z]*):[A-Z]+:[0-9a-f]{8}(\.[0-9]+)?$`)

// ReadIndex reads an index: a line IndexColumns, then one line a statement, with tabs between the
// columns. It gives all faults at once, one line each, "line N: …": a wrong number of columns, a
// malformed or repeated id, an unknown class, a missing suite or section, a page in two suites.
func ReadIndex(r io.Reader) (*Index, error) {
	index := &Index{byID: map[string]*Statement{}, byPage: map[string][]*Statement{}}
	var faults []error
	lineOf := map[string]int{}
	lines := bufio.NewScanner(r)
	line := 0
	for lines.Scan() {
		line++
		fault := func(format string, args ...any) {
			faults = append(faults, fmt.Errorf("line %d: %s", line, fmt.Sprintf(format, args...)))
		}
		if line == 1 {
			if lines.Text() != IndexColumns {
				return nil, fmt.Errorf("line 1: the columns must be %q, not %q", IndexColumns, lines.Text())
			}
			continue
		}
		columns := strings.Split(lines.Text(), "\t")
		if len(columns) != 5 {
			fault("%d columns instead of 5", len(columns))
			continue
		}
		s := &Statement{Suite: columns[0], ID: columns[1], Class: Class(columns[2]), Section: columns[3], Label: columns[4]}
		if m := statementID.FindStringSubmatch(s.ID); m != nil {
			s.Page = m[1]
		} else {
			fault("statement id %q is not <page>:<SECTION>:<8 hexadecimal digits>", s.ID)
			continue
		}
		if first, ok := lineOf[s.ID]; ok {
			fault("statement %s was on line %d already", s.ID, first)
			continue
		}
		lineOf[s.ID] = line
		if !slices.Contains(classes, s.Class) {
			fault("statement %s: unknown class %q", s.ID, s.Class)
		}
		if s.Suite == "" || s.Section == "" {
			fault("statement %s has no suite or no section", s.ID)
		}
		if page := index.byPage[s.Page]; page != nil && page[0].Suite != s.Suite {
			fault("page %s is in suite %q here and in suite %q on line %d", s.Page, s.Suite, page[0].Suite, lineOf[page[0].ID])
		}
		index.statements = append(index.statements, s)
		index.byID[s.ID] = s
		index.byPage[s.Page] = append(index.byPage[s.Page], s)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("line %d: %w", line+1, err)
	}
	if line == 0 {
		return nil, errors.New("line 1: the index is empty")
	}
	return index, errors.Join(faults...)
}

// Statement gives the statement with that id.
func (x *Index) Statement(id string) (*Statement, bool) {
	s, ok := x.byID[id]
	return s, ok
}

// Page gives the statements of a page, named as in pipe.7, in page order; none for an unknown page.
func (x *Index) Page(name string) []*Statement { return x.byPage[name] }

// Pages gives the names of all pages, sorted.
func (x *Index) Pages() []string { return sortedKeys(x.byPage) }

// Len is the number of statements.
func (x *Index) Len() int { return len(x.statements) }

var pageName = regexp.MustCompile(`^([A-Za-z0-9_-]+)\.([0-9][a-z]*)$`)
var pageTitle = regexp.MustCompile(`^([A-Za-z0-9_-]+)\(([0-9][a-z]*)\)$`)

// PageTitle turns the name of a page into its title: pipe.7 into pipe(7), F_GETPIPE_SZ.2const into
// F_GETPIPE_SZ(2const). Anything else comes back as it is.
func PageTitle(name string) string { return pageName.ReplaceAllString(name, "$1($2)") }

// ParsePageTitle turns the title of a page into its name: pipe(7) into pipe.7.
func ParsePageTitle(title string) (name string, err error) {
	m := pageTitle.FindStringSubmatch(title)
	if m == nil {
		return "", fmt.Errorf("page %q is not of the form pipe(7)", title)
	}
	return m[1] + "." + m[2], nil
}
