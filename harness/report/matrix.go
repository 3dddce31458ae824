package report

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// A Matrix shows clauses by targets.
type Matrix struct {
	Columns []Column
	Rows    []Row
}

// A Column is one run.
type Column struct {
	Name    string
	Results Results
}

// A Row is one clause with a word for each run; "" where the run knows nothing of the clause.
type Row struct {
	Clause  string
	Cells   []string
	Differs bool // there are two runs that have found different things
	wrong   bool // one has found something unexpected
}

// Columns names the runs by their files, in as few letters as tell them apart.
func Columns(paths []string, results []Results) []Column {
	columns := make([]Column, len(paths))
	count := map[string]int{}
	short := func(path string) string { return strings.TrimSuffix(filepath.Base(path), ".json") }
	for _, path := range paths {
		count[short(path)]++
	}
	for i, path := range paths {
		columns[i] = Column{Name: short(path), Results: results[i]}
		if count[short(path)] > 1 {
			columns[i].Name = strings.TrimSuffix(path, ".json")
		}
	}
	return columns
}

// NewMatrix lays out the results of several runs: clauses with something unexpected first, then the
// others on which runs differ, then the rest; each in the order of the catalogue.
func NewMatrix(columns []Column) Matrix {
	m := Matrix{Columns: columns}
	var order []string
	seen := map[string]bool{}
	found := make([]map[string]ClauseResult, len(columns))
	for i, column := range columns {
		found[i] = verdictsByID(column.Results)
		for _, id := range idsOf(column.Results) {
			if !seen[id] {
				seen[id] = true
				order = append(order, id)
			}
		}
	}
	for _, id := range order {
		row := Row{Clause: id}
		first := ""
		for i := range columns {
			cell := word(found[i][id])
			row.Cells = append(row.Cells, cell)
			row.wrong = row.wrong || unexpected(found[i][id])
			if first == "" {
				first = cell
			}
			row.Differs = row.Differs || cell != "" && cell != first
		}
		m.Rows = append(m.Rows, row)
	}
	rank := func(r Row) int {
		switch {
		case r.Differs && r.wrong:
			return 0
		case r.Differs:
			return 1
		case r.wrong:
			return 2
		}
		return 3
	}
	slices.SortStableFunc(m.Rows, func(a, b Row) int { return rank(a) - rank(b) })
	return m
}

// Differing is the matrix without the rows on which all runs agree.
func (m Matrix) Differing() Matrix {
	m.Rows = slices.DeleteFunc(slices.Clone(m.Rows), func(r Row) bool { return !r.Differs })
	return m
}

// Write writes the matrix for a terminal.
func (m Matrix) Write(w io.Writer) error {
	var b strings.Builder
	names := 0
	for _, column := range m.Columns {
		names = max(names, utf8.RuneCountInString(printable(column.Name)))
	}
	for _, column := range m.Columns {
		name := printable(column.Name)
		fmt.Fprintf(&b, "%s%s  %s\n", name, strings.Repeat(" ", names-utf8.RuneCountInString(name)), heading(column.Results))
	}
	b.WriteByte('\n')
	rows := [][]string{{"clause"}}
	for _, column := range m.Columns {
		rows[0] = append(rows[0], printable(column.Name))
	}
	for _, row := range m.Rows {
		rows = append(rows, append([]string{printable(row.Clause)}, row.cells()...))
	}
	widths := make([]int, len(rows[0]))
	for _, cells := range rows {
		for i, cell := range cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, cells := range rows {
		line := ""
		for i, cell := range cells {
			line += cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2)
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	fmt.Fprintf(&b, "\n%s\n", m.summary())
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteMarkdown writes the matrix as a table in Markdown.
func (m Matrix) WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	for _, column := range m.Columns {
		fmt.Fprintf(&b, "- **%s**: %s\n", markdown(column.Name), markdown(heading(column.Results)))
	}
	b.WriteString("\n| clause |")
	for _, column := range m.Columns {
		fmt.Fprintf(&b, " %s |", markdown(column.Name))
	}
	b.WriteString("\n| --- |" + strings.Repeat(" --- |", len(m.Columns)) + "\n")
	for _, row := range m.Rows {
		fmt.Fprintf(&b, "| `%s` |", strings.ReplaceAll(printable(row.Clause), "|", `\|`))
		for _, cell := range row.cells() {
			fmt.Fprintf(&b, " %s |", markdown(cell))
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "\n%s\n", m.summary())
	_, err := io.WriteString(w, b.String())
	return err
}

func (r Row) cells() []string {
	cells := make([]string, len(r.Cells))
	for i, cell := range r.Cells {
		if cells[i] = cell; cell == "" {
			cells[i] = "-"
		}
	}
	return cells
}

func (m Matrix) summary() string {
	differ := 0
	for _, row := range m.Rows {
		if row.Differs {
			differ++
		}
	}
	return fmt.Sprintf("%s, %s, of which %d differ", plural(len(m.Columns), "target"), plural(len(m.Rows), "clause"), differ)
}

// markdown escapes what would be more than text in a table.
func markdown(s string) string {
	var b strings.Builder
	for _, r := range oneLine(s) {
		if strings.ContainsRune("\\`*_{}[]<>#|~", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
