package spec

import (
	"fmt"
	"io"
	"strings"
)

// Listing is clauses with their numbers by suite.
type Listing struct {
	Edition string       `json:"edition"`
	Clauses []*Clause    `json:"clauses"`
	Suites  []SuiteCount `json:"suites"` // in the order of the clauses
	Total   int          `json:"total"`
}

// SuiteCount is the number of the clauses of a suite that a Listing has.
type SuiteCount struct {
	Suite   string `json:"suite"`
	Clauses int    `json:"clauses"`
}

// List makes a listing of clauses that are grouped by suite, as Select gives them.
func List(clauses []*Clause) *Listing {
	l := &Listing{Edition: Edition, Clauses: clauses, Total: len(clauses)}
	for _, c := range clauses {
		if n := len(l.Suites); n == 0 || l.Suites[n-1].Suite != c.Suite {
			l.Suites = append(l.Suites, SuiteCount{Suite: c.Suite})
		}
		l.Suites[len(l.Suites)-1].Clauses++
	}
	return l
}

// WriteJSON writes the listing as one JSON object.
func (l *Listing) WriteJSON(w io.Writer) error { return writeJSON(w, l) }

// WriteText writes each clause as a line of its id, suite, level and needs, and its text below;
// then the totals.
func (l *Listing) WriteText(w io.Writer) error {
	out := &sticky{w: w}
	for _, c := range l.Clauses {
		fmt.Fprintf(out, "%s  %s  %s", c.ID, c.Suite, c.Level)
		if !c.Needs.IsZero() {
			fmt.Fprintf(out, "  needs %s", c.Needs)
		}
		fmt.Fprintf(out, "\n%s\n\n", indent(c.Text))
	}
	var suites []string
	for _, s := range l.Suites {
		suites = append(suites, fmt.Sprintf("%s %d", s.Suite, s.Clauses))
	}
	noun := "clauses"
	if l.Total == 1 {
		noun = "clause"
	}
	fmt.Fprintf(out, "%d %s: %s\n", l.Total, noun, strings.Join(suites, ", "))
	return out.err
}

// WriteClause writes all that is known about a clause of the catalogue: its text, then one fact a
// line. checks says where its specs are.
func (c *Catalogue) WriteClause(w io.Writer, clause *Clause, checks []Location) error {
	out := &sticky{w: w}
	fact := func(name, value string) {
		if value != "" {
			fmt.Fprintf(out, "%-11s %s\n", name, value)
		}
	}
	fmt.Fprintf(out, "%s\n%s\n\n", clause.ID, indent(clause.Text))
	fact("suite", clause.Suite)
	fact("page", PageTitle(clause.Page)+", "+c.index.Edition(clause.Page))
	fact("level", string(clause.Level))
	fact("subjects", strings.Join(clause.Subjects, ", "))
	fact("since", versionText(clause.Since))
	fact("until", versionText(clause.Until))
	fact("optional", clause.Optional)
	fact("needs", clause.Needs.String())
	for _, id := range clause.Cites {
		fact("cites", c.statementLine(id))
	}
	for _, d := range c.Seeing(clause.ID) {
		name := "seen by"
		if d.Kind == Erratum {
			name = "corrects"
		}
		fact(name, c.statementLine(d.Statement)+": "+string(d.Kind)+": "+d.Why)
	}
	fact("catalogue", clause.Source.String())
	for _, at := range checks {
		fact("check", at.String())
	}
	if len(checks) == 0 {
		fact("check", "none: untested")
	}
	return out.err
}

func versionText(v Version) string {
	if v.IsZero() {
		return ""
	}
	return "Linux " + v.String()
}

// statementLine gives the id of a statement and where it stands: page, section, label.
func (c *Catalogue) statementLine(id string) string {
	s, ok := c.index.Statement(id)
	if !ok {
		return id
	}
	parts := []string{PageTitle(s.Page), s.Section}
	if s.Label != "" {
		parts = append(parts, s.Label)
	}
	return id + "  " + strings.Join(parts, ", ")
}

// indent breaks a text into lines of at most 78 columns that start with four spaces.
func indent(text string) string {
	const margin, width = "    ", 78
	var out strings.Builder
	column := 0
	for _, word := range strings.Fields(text) {
		switch {
		case column == 0:
			out.WriteString(margin)
			column = len(margin)
		case column+1+len(word) > width:
			out.WriteString("\n" + margin)
			column = len(margin)
		default:
			out.WriteString(" ")
			column++
		}
		out.WriteString(word)
		column += len(word)
	}
	return out.String()
}
