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

// PageCoverage is the coverage of one page. A page without a file in the catalogue is left over as
// a whole, and counts for the suite that the index of statements gives it to.
type PageCoverage struct {
	Page string `json:"page"`           // pipe.7
	File string `json:"file,omitempty"` // suites/pipes/pipe.7.yaml; empty if there is none
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
	filed := map[string]bool{}
	for _, page := range c.pages {
		filed[page.Name] = true
		pages[page.Suite] = append(pages[page.Suite], c.coverPage(page, checks))
	}
	for _, name := range c.index.Pages() {
		if suite := c.index.Page(name)[0].Suite; !filed[name] {
			pages[suite] = append(pages[suite], c.coverPage(&Page{Name: name}, checks))
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

func (c *Catalogue) coverPage(page *Page, checks map[string][]Location) PageCoverage {
	p := PageCoverage{Page: page.Name, File: page.File, Tally: newTally()}
	for _, s := range c.index.Page(page.Name) {
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
	for _, clause := range page.Clauses {
		p.Clauses++
		if len(checks[clause.ID]) > 0 {
			p.Checked++
		} else {
			p.Untested++
			p.Unchecked = append(p.Unchecked, clause.ID)
		}
	}
	p.rate()
	return p
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

// WriteText writes a table with a line a page, a suite and in total, then the lists of ids, if
// there are any.
func (c *Coverage) WriteText(w io.Writer) error {
	out := &sticky{w: w}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(table, "clauses\twith spec\tstatements\tnormative\tcited\t%s\tleft\tcited %%\t  %s\n", strings.Join(kindNames(), "\t"), c.Edition)
	for _, s := range c.Suites {
		for _, p := range s.Pages {
			p.Tally.row(table, PageTitle(p.Page))
		}
		s.Total.row(table, "suite "+s.Suite)
	}
	if len(c.Suites) != 1 {
		c.Total.row(table, "total")
	}
	table.Flush()
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
	fmt.Fprintf(w, "%d\t%.1f\t  %s\n", t.Left, t.CitedPercent, name)
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
