package spec

import (
	"fmt"
	"path"
	"slices"
	"strings"
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
			return nil, fmt.Errorf("no clause matches %q%s", glob, didYouMean(nil, c.near(glob)))
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
	return nil, fmt.Errorf("no clause %q%s", id, didYouMean(nil, c.near(id)))
}

func (c *Catalogue) near(id string) []string { return Near(id, sortedKeys(c.byID)) }

// Near gives up to three of the candidates that somebody who wrote word may have meant, the
// likeliest first: those that few changes of letters lead to, then those that contain it.
func Near(word string, candidates []string) []string {
	type ranked struct {
		name string
		rank int
	}
	var found []ranked
	for _, name := range candidates {
		limit := max(2, len(word)/3)
		if d := distance(word, name); d <= limit {
			found = append(found, ranked{name, d})
		} else if len(word) >= 3 && strings.Contains(name, strings.Trim(word, "*")) {
			found = append(found, ranked{name, limit + 1})
		}
	}
	slices.SortStableFunc(found, func(a, b ranked) int { return a.rank - b.rank })
	var names []string
	for _, f := range found[:min(3, len(found))] {
		names = append(names, f.name)
	}
	return names
}

// distance is the number of bytes to insert, delete or replace to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// didYouMean gives the end of a message that names near matches, shown as show says; "" for none.
func didYouMean(show func(string) string, names []string) string {
	if len(names) == 0 {
		return ""
	}
	shown := slices.Clone(names)
	for i := range shown {
		if show != nil {
			shown[i] = show(shown[i])
		}
	}
	return ": did you mean " + strings.Join(shown, " or ") + "?"
}

func oneOfSuites(suites []string) string {
	if len(suites) == 0 {
		return ": it has no suites"
	}
	return ": suites are " + strings.Join(suites, ", ")
}
