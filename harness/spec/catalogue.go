// Package spec holds the words of ipcspec as data: clauses, the statements of the manual pages that
// they cite, and the dispositions of the statements that no clause cites.
//
// The catalogue of a suite is YAML beside its specs, one file a manual page. Load reads it and
// refuses what is not exact, LoadAll reads all suites and checks what lies between them, Cover
// counts how much of the manual pages is covered.
package spec

import (
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/ipcspec/ipcspec/harness/strict"
)

// Catalogue is the clauses and dispositions of one suite or of several.
type Catalogue struct {
	index        *Index
	pages        []*Page // by suite, then by name
	clauses      []*Clause
	byID         map[string]*Clause
	citedBy      map[string][]*Clause
	dispositions map[string]*Disposition
}

func newCatalogue(index *Index) *Catalogue {
	c, _ := assemble(index, nil)
	return c
}

// LoadAll reads the catalogues of all suites, given by name, and joins them. It finds all that
// Load, Join and CheckReferences find, in one error with one line a fault.
func LoadAll(suites map[string]fs.FS) (*Catalogue, error) {
	return loadAll(Statements(), suites)
}

func loadAll(index *Index, suites map[string]fs.FS) (*Catalogue, error) {
	var parts []*Catalogue
	var errs []error
	for _, suite := range sortedKeys(suites) {
		part, err := load(index, suite, suites[suite])
		parts = append(parts, part)
		errs = append(errs, err)
	}
	all, between := join(index, parts)
	// A part has reported already what lies between its own files.
	known := map[string]bool{}
	for _, err := range errs {
		for _, line := range lines(err) {
			known[line] = true
		}
	}
	between = append(between, all.references()...)
	between = slices.DeleteFunc(between, func(f strict.Fault) bool { return known[f.Error()] })
	return all, errors.Join(append(errs, between.Err())...)
}

func lines(err error) []string {
	if err == nil {
		return nil
	}
	return strings.Split(err.Error(), "\n")
}

// Join makes one catalogue of several, each of its own suites. Faults are a clause id that
// stands twice, a statement with two dispositions, a statement that is both cited and disposed of,
// and a clause that is not documented; the error has one line a fault. References to clauses are
// CheckReferences' business, since they may go to a suite that is not here.
func Join(parts ...*Catalogue) (*Catalogue, error) {
	all, faults := join(Statements(), parts)
	return all, faults.Err()
}

func join(index *Index, parts []*Catalogue) (*Catalogue, strict.Faults) {
	var pages []*Page
	for _, part := range parts {
		pages = append(pages, part.pages...)
	}
	return assemble(index, pages)
}

// assemble builds the lookups and finds the faults that lie between clauses and dispositions. Of
// things that stand twice the first one counts.
func assemble(index *Index, pages []*Page) (*Catalogue, strict.Faults) {
	pages = slices.Clone(pages)
	slices.SortStableFunc(pages, func(a, b *Page) int { return strings.Compare(a.File, b.File) })
	c := &Catalogue{
		index:        index,
		pages:        pages,
		byID:         map[string]*Clause{},
		citedBy:      map[string][]*Clause{},
		dispositions: map[string]*Disposition{},
	}
	var faults strict.Faults
	for _, page := range pages {
		for _, clause := range page.Clauses {
			if first, ok := c.byID[clause.ID]; ok {
				faults.Add(clause.Source, "clause %s stands at %s already: an id is unique over all pages and suites, so choose another", clause.ID, first.Source)
				continue
			}
			c.byID[clause.ID] = clause
			c.clauses = append(c.clauses, clause)
			for _, id := range clause.Cites {
				c.citedBy[id] = append(c.citedBy[id], clause)
			}
		}
		for _, d := range page.Dispositions {
			if first, ok := c.dispositions[d.Statement]; ok {
				faults.Add(d.Source, "statement %s has a disposition at %s already: keep one", d.Statement, first.Source)
				continue
			}
			c.dispositions[d.Statement] = d
		}
	}
	for id, d := range c.dispositions {
		for _, clause := range c.citedBy[id] {
			mend := "remove the disposition or the cite"
			if d.Kind == Erratum {
				mend = "remove the cite and name the clause in the erratum's see"
			}
			faults.Add(d.Source, "statement %s is disposed of as %s, but clause %s at %s cites it: %s", id, d.Kind, clause.ID, clause.Source, mend)
		}
	}
	for _, clause := range c.clauses {
		if len(clause.Cites) == 0 && !slices.ContainsFunc(c.Seeing(clause.ID), func(d *Disposition) bool {
			// Of the same suite, so that the answer does not depend on which others are loaded.
			return d.Kind == Erratum && d.Suite == clause.Suite
		}) {
			faults.Add(clause.Source, "clause %s cites nothing: name the statements that document it, or name it in the see of an erratum of its suite", clause.ID)
		}
	}
	return c, faults
}

// CheckReferences finds dispositions whose see names a clause that is not in the catalogue. It is
// right only for a catalogue of all suites: one suite alone, in its own test binary, cannot know
// the clauses of the others.
func (c *Catalogue) CheckReferences() error { return c.references().Err() }

func (c *Catalogue) references() strict.Faults {
	var faults strict.Faults
	for _, page := range c.pages {
		for _, d := range page.Dispositions {
			for _, id := range d.See {
				if _, ok := c.byID[id]; !ok {
					faults.Add(d.Source, "the disposition of %s sees clause %s, which is not in the catalogue%s", d.Statement, id, strict.DidYouMean(nil, c.near(id)))
				}
			}
		}
	}
	return faults
}

// Index gives the statements that the catalogue is about.
func (c *Catalogue) Index() *Index { return c.index }

// Clauses gives all clauses: by suite, then by page, then in file order.
func (c *Catalogue) Clauses() []*Clause { return slices.Clone(c.clauses) }

// InSuite gives the clauses of a suite: by page, then in file order.
func (c *Catalogue) InSuite(suite string) []*Clause {
	return slices.DeleteFunc(c.Clauses(), func(clause *Clause) bool { return clause.Suite != suite })
}

// Clause gives the clause with that id.
func (c *Catalogue) Clause(id string) (*Clause, bool) {
	clause, ok := c.byID[id]
	return clause, ok
}

// Suites gives the names of the suites that the catalogue has pages of, sorted.
func (c *Catalogue) Suites() []string {
	suites := map[string]bool{}
	for _, page := range c.pages {
		suites[page.Suite] = true
	}
	return sortedKeys(suites)
}

// Pages gives the pages by suite, then by name.
func (c *Catalogue) Pages() []*Page { return slices.Clone(c.pages) }

// CitedBy gives the clauses that cite a statement.
func (c *Catalogue) CitedBy(statement string) []*Clause { return slices.Clone(c.citedBy[statement]) }

// Disposition gives the disposition of a statement; there is none for one that clauses cite.
func (c *Catalogue) Disposition(statement string) (*Disposition, bool) {
	d, ok := c.dispositions[statement]
	return d, ok
}

// Seeing gives the dispositions whose See names a clause, by page, then in file order.
func (c *Catalogue) Seeing(clause string) []*Disposition {
	var seeing []*Disposition
	for _, page := range c.pages {
		for _, d := range page.Dispositions {
			if d.Sees(clause) {
				seeing = append(seeing, d)
			}
		}
	}
	return seeing
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
