package spec

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
)

// Coverage says how much of the manual pages the catalogue covers, by suite and page.
type Coverage struct {
	Edition string          `json:"edition"`
	Suites  []SuiteCoverage `json:"suites"` // sorted by name
	Total   Tally           `json:"total"`
}

// SuiteCoverage is the coverage of the pages of one suite.
type SuiteCoverage struct {
	Suite string         `json:"suite"`
	Pages []PageCoverage `json:"pages"` // sorted by name
	Total Tally          `json:"total"`
}

// PageCoverage is the coverage of one page. Its statements count for the suite that the index gives
// it to, whatever suites cite them; without any cite or disposition they are all left over. In
// another suite that has a file about the page only the clauses of that file count.
type PageCoverage struct {
	Page string `json:"page"`           // pipe.7
	File string `json:"file,omitempty"` // suites/pipes/pipe.7.yaml; empty if the suite has none
	Home string `json:"home,omitempty"` // the suite for which the statements count, if it is another one
	Tally
	LeftOver  []string `json:"left_over,omitempty"` // ids of the statements that Left counts, in page order
	Unchecked []string `json:"unchecked,omitempty"` // ids of the clauses without a spec, in file order
}

// Tally counts statements of pages and clauses of their files. Normative is always the sum of
// Cited, Disposed and Left, and Clauses that of Checked and those without a spec.
type Tally struct {
	Statements   int          `json:"statements"`    // of all classes
	Normative    int          `json:"normative"`     // of class Normative; the next four are about these alone
	Cited        int          `json:"cited"`         // by at least one clause, of whatever page
	CitedPercent float64      `json:"cited_percent"` // of the normative ones, to one decimal; 100 if there are none
	Disposed     map[Kind]int `json:"disposed"`      // by kind; every kind has an entry
	Left         int          `json:"left"`          // neither cited nor disposed of
	CitedOther   int          `json:"cited_other"`   // cited statements of other classes
	Clauses      int          `json:"clauses"`
	Checked      int          `json:"checked"`  // clauses with a spec
	Untested     int          `json:"untested"` // clauses without
}

func newTally() Tally {
	t := Tally{Disposed: map[Kind]int{}, CitedPercent: 100}
	for _, kind := range Kinds() {
		t.Disposed[kind] = 0
	}
	return t
}

func (t *Tally) add(u Tally) {
	t.Statements += u.Statements
	t.Normative += u.Normative
	t.Cited += u.Cited
	for kind, n := range u.Disposed {
		t.Disposed[kind] += n
	}
	t.Left += u.Left
	t.CitedOther += u.CitedOther
	t.Clauses += u.Clauses
	t.Checked += u.Checked
	t.Untested += u.Untested
	t.rate()
}

// rate rounds down, so that 100 % means all.
func (t *Tally) rate() {
	t.CitedPercent = 100
	if t.Normative > 0 {
		t.CitedPercent = math.Floor(1000*float64(t.Cited)/float64(t.Normative)) / 10
	}
}

// Cover counts the coverage of the suites named, or of all if none is: those of the index of
// statements and those of the catalogue. checks gives by clause id where its specs are; an id
// without a location has none. An unknown suite is an error.
func (c *Catalogue) Cover(checks map[string][]Location, suites ...string) (*Coverage, error) {
	pages := map[string][]PageCoverage{}
	atHome := map[string]bool{}
	for _, page := range c.pages {
		p := coverClauses(page, checks)
		if home := c.home(page.Name); home == page.Suite {
			atHome[page.Name] = true
			c.coverStatements(&p)
		} else {
			p.Home = home
		}
		pages[page.Suite] = append(pages[page.Suite], p)
	}
	for _, name := range c.index.Pages() {
		if !atHome[name] {
			p := PageCoverage{Page: name, Tally: newTally()}
			c.coverStatements(&p)
			pages[c.home(name)] = append(pages[c.home(name)], p)
		}
	}
	for _, suite := range suites {
		if pages[suite] == nil {
			return nil, fmt.Errorf("no suite %q%s", suite, oneOfSuites(sortedKeys(pages)))
		}
	}
	coverage := &Coverage{Edition: Edition, Total: newTally()}
	for _, suite := range sortedKeys(pages) {
		if len(suites) > 0 && !slices.Contains(suites, suite) {
			continue
		}
		s := SuiteCoverage{Suite: suite, Pages: pages[suite], Total: newTally()}
		slices.SortFunc(s.Pages, func(a, b PageCoverage) int { return strings.Compare(a.Page, b.Page) })
		for _, page := range s.Pages {
			s.Total.add(page.Tally)
		}
		coverage.Suites = append(coverage.Suites, s)
		coverage.Total.add(s.Total)
	}
	return coverage, nil
}

// home gives the suite that the index gives a page to.
func (c *Catalogue) home(page string) string { return c.index.Page(page)[0].Suite }

func coverClauses(page *Page, checks map[string][]Location) PageCoverage {
	p := PageCoverage{Page: page.Name, File: page.File, Tally: newTally()}
	for _, clause := range page.Clauses {
		p.Clauses++
		if len(checks[clause.ID]) > 0 {
			p.Checked++
		} else {
			p.Untested++
			p.Unchecked = append(p.Unchecked, clause.ID)
		}
	}
	return p
}

func (c *Catalogue) coverStatements(p *PageCoverage) {
	for _, s := range c.index.Page(p.Page) {
		p.Statements++
		cited := len(c.citedBy[s.ID]) > 0
		if s.Class != Normative {
			if cited {
				p.CitedOther++
			}
			continue
		}
		p.Normative++
		if cited {
			p.Cited++
		} else if d := c.dispositions[s.ID]; d != nil {
			p.Disposed[d.Kind]++
		} else {
			p.Left++
			p.LeftOver = append(p.LeftOver, s.ID)
		}
	}
	p.rate()
}

// Brief gives the coverage without the lists of ids.
func (c *Coverage) Brief() *Coverage {
	brief := *c
	brief.Suites = slices.Clone(c.Suites)
	for i := range brief.Suites {
		s := &brief.Suites[i]
		s.Pages = slices.Clone(s.Pages)
		for j := range s.Pages {
			s.Pages[j].LeftOver, s.Pages[j].Unchecked = nil, nil
		}
	}
	return &brief
}

// begun says whether any page of the suite has a file.
func (s *SuiteCoverage) begun() bool {
	return slices.ContainsFunc(s.Pages, func(p PageCoverage) bool { return p.File != "" })
}

// WriteText writes a table with a line a page, a suite and in total, then the lists of ids, if
// there are any.
func (c *Coverage) WriteText(w io.Writer) error {
	out := &sticky{w: w}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(table, "clauses\twith spec\tstatements\tnormative\tcited\t%s\tleft\tcited %%\t  %s\n", strings.Join(kindNames(), "\t"), c.Edition)
	for _, s := range c.Suites {
		for _, p := range s.Pages {
			if !s.begun() {
				break // a suite that is still to come is one line
			}
			name := PageTitle(p.Page)
			if p.Home != "" {
				name += ", statements in suite " + p.Home
			}
			p.Tally.row(table, name)
		}
		s.Total.row(table, "suite "+s.Suite)
	}
	if len(c.Suites) != 1 {
		c.Total.row(table, "total")
	}
	_ = table.Flush() // into memory
	for _, s := range c.Suites {
		for _, p := range s.Pages {
			if len(p.LeftOver) > 0 {
				fmt.Fprintf(out, "\n%s: normative statements neither cited nor disposed of\n", PageTitle(p.Page))
			}
			for _, id := range p.LeftOver {
				fmt.Fprintf(out, "    %s\n", id)
			}
			if len(p.Unchecked) > 0 {
				fmt.Fprintf(out, "\n%s: clauses without a spec\n", PageTitle(p.Page))
			}
			for _, id := range p.Unchecked {
				fmt.Fprintf(out, "    %s\n", id)
			}
		}
	}
	return out.err
}

func (t Tally) row(w io.Writer, name string) {
	fmt.Fprintf(w, "%d\t%d\t%d\t%d\t%d\t", t.Clauses, t.Checked, t.Statements, t.Normative, t.Cited)
	for _, kind := range Kinds() {
		fmt.Fprintf(w, "%d\t", t.Disposed[kind])
	}
	percent := "-"
	if t.Normative > 0 {
		percent = fmt.Sprintf("%.1f", t.CitedPercent)
	}
	fmt.Fprintf(w, "%d\t%s\t  %s\n", t.Left, percent, name)
}

// WriteJSON writes the coverage as one JSON object.
func (c *Coverage) WriteJSON(w io.Writer) error { return writeJSON(w, c) }

func writeJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(v)
}

// sticky keeps the first error of a writer, so that it needs to be looked at only once.
type sticky struct {
	w   io.Writer
	err error
}

func (s *sticky) Write(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.w.Write(p)
	s.err = err
	return n, err
}
