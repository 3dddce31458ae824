package spec

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/ipcspec/ipcspec/harness/strict"
)

// Filter says which clauses are meant. The zero Filter means all.
type Filter struct {
	Suites []string // names; any of them
	IDs    []string // clause ids or globs as in path.Match (pipe.write-*); any of them
}

// Select gives the clauses that a filter means, in the order of Clauses. Selecting nothing is an
// error, and so is a suite or a glob that no clause belongs to, as either is a slip of the pen.
func (c *Catalogue) Select(f Filter) ([]*Clause, error) {
	for _, suite := range f.Suites {
		if !slices.Contains(c.Suites(), suite) {
			return nil, fmt.Errorf("no suite %q in the catalogue%s", suite, oneOfSuites(c.Suites()))
		}
	}
	for _, glob := range f.IDs {
		if _, err := path.Match(glob, ""); err != nil {
			return nil, fmt.Errorf("clause glob %q: %w", glob, err)
		}
		if !slices.ContainsFunc(c.clauses, func(clause *Clause) bool { return matchID(glob, clause.ID) }) {
			return nil, fmt.Errorf("no clause matches %q%s", glob, strict.DidYouMean(nil, c.near(glob)))
		}
	}
	var selected []*Clause
	for _, clause := range c.clauses {
		if (len(f.Suites) == 0 || slices.Contains(f.Suites, clause.Suite)) &&
			(len(f.IDs) == 0 || slices.ContainsFunc(f.IDs, func(glob string) bool { return matchID(glob, clause.ID) })) {
			selected = append(selected, clause)
		}
	}
	if len(selected) == 0 {
		return nil, fmt.Errorf("no clause selected")
	}
	return selected, nil
}

// matchID says whether a glob that is known to be well formed matches an id. An id has no slash,
// so that * matches any run of characters.
func matchID(glob, id string) bool {
	ok, _ := path.Match(glob, id)
	return ok
}

// Find gives the clause with that id, or an error that names near matches.
func (c *Catalogue) Find(id string) (*Clause, error) {
	if clause, ok := c.byID[id]; ok {
		return clause, nil
	}
	return nil, fmt.Errorf("no clause %q%s", id, strict.DidYouMean(nil, c.near(id)))
}

func (c *Catalogue) near(id string) []string { return strict.Near(id, sortedKeys(c.byID)) }

func oneOfSuites(suites []string) string {
	if len(suites) == 0 {
		return ": it has no suites"
	}
	return ": suites are " + strings.Join(suites, ", ")
}
