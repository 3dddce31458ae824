package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ipcspec/ipcspec/harness/kernel"
)

// lineWidth is where the summary wraps prose. Evidence is never wrapped.
const lineWidth = 100

// Summary writes the results for a reader: a table of the suites, each deviation in full, the
// faults of the tool, the expected that did not happen and that did, and what could not be judged,
// grouped by the reason.
func Summary(w io.Writer, r Results) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", heading(r))
	writeTable(&b, r)
	writeEach(&b, r, "deviation", ClauseResult.UnexpectedDeviation, writeDetails)
	writeEach(&b, r, "expectation that did not come true", ClauseResult.Unmet, writeDetails)
	writeEach(&b, r, "fault of the tool itself", func(c ClauseResult) bool { return !c.UnexpectedDeviation() && c.Fault != "" }, writeDetails)
	writeEach(&b, r, "expected deviation", func(c ClauseResult) bool {
		return c.Verdict == Deviates && c.AsExpected() && c.Fault == ""
	}, writeExpected)
	writeGroups(&b, r, Unresolved)
	writeGroups(&b, r, Unsupported)
	var untested []string
	for _, clause := range r.Clauses {
		if clause.Verdict == Untested {
			untested = append(untested, clause.ID)
		}
	}
	writeIDs(&b, "untested, for want of a spec", untested)
	if r.Interrupted {
		b.WriteString("\nThe run was interrupted.\n")
	}
	writeIDs(&b, "selected and not run", r.NotRun)
	_, err := io.WriteString(w, b.String())
	return err
}

// heading says in one line what was run where.
func heading(r Results) string {
	line := fmt.Sprintf("ipcspec %s on %s", r.Tool, targetLine(r.Target))
	if d := r.Ended.Sub(r.Started); d > 0 {
		line += fmt.Sprintf(", in %s", d.Round(100*time.Millisecond))
	}
	return oneLine(line)
}

// targetLine says in one line which kernel was under test.
func targetLine(t Target) string {
	k := t.Kernel
	parts := []string{oneLine(strings.Join([]string{cmp.Or(k.System, "an unknown system"), releaseText(k.Release), k.Machine}, " "))}
	if k.Runtime != "" {
		parts = append(parts, "inside "+k.Runtime)
	}
	parts = append(parts, plural(k.CPUs, "CPU"), fmt.Sprintf("uid %d", k.UID))
	if t.Kind != "" || t.Detail != "" {
		parts = append(parts, strings.TrimSpace(t.Kind+" "+t.Detail))
	}
	return oneLine(strings.Join(parts, ", "))
}

func releaseText(r kernel.Release) string {
	if r == (kernel.Release{}) {
		return ""
	}
	return r.String()
}

func writeTable(b *strings.Builder, r Results) {
	header := []string{"suite", "clauses", "conforms", "deviates", "unsupported", "unresolved", "untested", "seconds"}
	row := func(name string, c Counts) []string {
		cells := []string{printable(name)}
		for _, n := range []int{c.Clauses, c.Conforms, c.Deviates, c.Unsupported, c.Unresolved, c.Untested} {
			cells = append(cells, fmt.Sprint(n))
		}
		if c.Expected > 0 {
			cells[3] += fmt.Sprintf(" (%d expected)", c.Expected)
		}
		cells = append(cells, fmt.Sprintf("%.1f", c.Seconds))
		if r.Total.NotRun > 0 {
			cells = append(cells, fmt.Sprint(c.NotRun))
		}
		return cells
	}
	if r.Total.NotRun > 0 {
		header = append(header, "not run")
	}
	rows := [][]string{header}
	for _, s := range r.Suites {
		rows = append(rows, row(s.Suite, s.Counts))
	}
	rows = append(rows, row("total", r.Total))

	widths := make([]int, len(header))
	for _, cells := range rows {
		for i, cell := range cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, cells := range rows {
		fmt.Fprintf(b, "%-*s", widths[0], cells[0])
		for i, cell := range cells[1:] {
			fmt.Fprintf(b, "  %*s", widths[i+1], cell)
		}
		b.WriteByte('\n')
	}
}

// writeEach writes each clause that a condition holds for, below a line that counts them.
func writeEach(b *strings.Builder, r Results, noun string, wanted func(ClauseResult) bool, write func(*strings.Builder, ClauseResult, string, string)) {
	var chosen []ClauseResult
	for _, clause := range r.Clauses {
		if wanted(clause) {
			chosen = append(chosen, clause)
		}
	}
	if len(chosen) == 0 {
		return
	}
	if first, rest, _ := strings.Cut(noun, " "); first == "expected" {
		noun = first + " " + plurals(len(chosen), rest)
	} else {
		noun = strings.TrimSpace(plurals(len(chosen), first) + " " + rest)
	}
	fmt.Fprintf(b, "\n%d %s\n", len(chosen), noun)
	for _, clause := range chosen {
		fmt.Fprintf(b, "\n%s (%s)\n", printable(clause.ID), printable(clause.Suite))
		write(b, clause, "  ", again(r))
	}
}

// again gives the command that makes a run like this one, of clauses that are still to be named.
func again(r Results) string {
	if r.Target.Kind == "local" || r.Target.Kind == "" || len(r.Options.Command) < 2 {
		return "ipcspec run"
	}
	var words []string
	skip := false
	for _, word := range r.Options.Command {
		if skip {
			skip = false
			continue
		}
		name, _, joined := strings.Cut(word, "=")
		switch name {
		case "--suite", "-s", "--clause", "-c", "--label-filter", "--results", "--junit", "--seed", "--procs":
			skip = !joined
			continue
		case "--no-expect", "--strict", "--randomize-all":
			continue
		}
		if word = oneLine(word); strings.ContainsAny(word, " '\"$&|;<>()*?[]`\\") {
			word = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

// writeDetails writes all that there is to say about one clause, below its id. The command is the one
// to reproduce it by.
func writeDetails(b *strings.Builder, clause ClauseResult, indent, command string) {
	if clause.Text != "" {
		wrap(b, oneLine(clause.Text), indent, indent)
	}
	if source := sourceOf(clause.ClauseInfo); source != "" {
		wrap(b, "documented: "+source, indent, indent+"            ")
	}
	if clause.Unmet() {
		wrap(b, unmetLine(clause), indent, indent+"  ")
		wrap(b, "mend: "+unmetMend(clause), indent, indent+"  ")
	}
	if clause.Fault != "" {
		wrap(b, "fault: "+oneLine(clause.Fault), indent, indent+"  ")
	}
	if len(clause.Evidence) == 0 && clause.Location != "" {
		fmt.Fprintf(b, "%schecked at: %s\n", indent, oneLine(clause.Location))
	}
	for _, e := range clause.Evidence {
		if place := cmp.Or(e.Location, clause.Location); place != "" {
			fmt.Fprintf(b, "%schecked at: %s\n", indent, oneLine(place))
		}
		if e.Spec != "" && clause.Specs > 1 {
			fmt.Fprintf(b, "%sspec: %s\n", indent, oneLine(e.Spec))
		}
		for line := range strings.Lines(printable(strings.Trim(e.Message, "\n"))) {
			writeLine(b, indent+"  ", line)
		}
		if len(e.Trace) > 0 {
			fmt.Fprintf(b, "%strace:\n", indent)
		}
		for i, call := range e.Trace {
			mark := "  "
			if i+1 == e.Failing {
				mark = "> "
			}
			writeLine(b, indent+mark, strings.ReplaceAll(printable(call), "\n", "\n"+indent+"  "))
		}
	}
	fmt.Fprintf(b, "%sreproduce: %s --clause %s\n", indent, command, printable(clause.ID))
}

// writeExpected writes why a deviation was expected, below its id.
func writeExpected(b *strings.Builder, clause ClauseResult, indent, command string) {
	wrap(b, "why: "+oneLine(clause.Expected.Why), indent, indent+"  ")
	if clause.Expected.Link != "" {
		fmt.Fprintf(b, "%slink: %s\n", indent, oneLine(clause.Expected.Link))
	}
	fmt.Fprintf(b, "%sreproduce: %s --no-expect --clause %s\n", indent, command, printable(clause.ID))
}

// unmetLine says that an expected verdict did not come, and what came instead.
func unmetLine(clause ClauseResult) string {
	return fmt.Sprintf("expected: %s, and it is found: %s. Why it was expected: %s",
		clause.Expected.Verdict, clause.Verdict, oneLine(clause.Expected.Why))
}

// unmetMend says what to do about that.
func unmetMend(clause ClauseResult) string {
	entry := "the expectation"
	if clause.Expected.Source != "" {
		entry += " at " + oneLine(clause.Expected.Source)
	}
	return "narrow the where of " + entry + " to the targets of which it is true, or remove it"
}

// writeLine writes an indented line without blanks at its end.
func writeLine(b *strings.Builder, indent, line string) {
	b.WriteString(strings.TrimRight(indent+line, " \n"))
	b.WriteByte('\n')
}

// sourceOf says where a clause is documented.
func sourceOf(info ClauseInfo) string {
	parts := slices.DeleteFunc(append([]string{info.Page}, info.Cites...), func(s string) bool { return s == "" })
	source := strings.Join(parts, ", ")
	if info.Level != "" {
		source = strings.TrimSpace(source + " (" + info.Level + ")")
	}
	return oneLine(source)
}

func reasonOf(clause ClauseResult) string {
	return cmp.Or(oneLine(clause.Reason), "no reason was given")
}

// writeGroups writes the clauses of a verdict by reason, the most frequent one first. Faults have
// a section of their own.
func writeGroups(b *strings.Builder, r Results, verdict Verdict) {
	groups := map[string][]string{}
	total := 0
	for _, clause := range r.Clauses {
		if clause.Verdict == verdict && clause.Fault == "" {
			groups[reasonOf(clause)] = append(groups[reasonOf(clause)], clause.ID)
			total++
		}
	}
	if total == 0 {
		return
	}
	fmt.Fprintf(b, "\n%d %s\n", total, verdict)
	reasons := make([]string, 0, len(groups))
	for reason := range groups {
		reasons = append(reasons, reason)
	}
	slices.SortFunc(reasons, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(groups[b]), len(groups[a])), cmp.Compare(a, b))
	})
	for _, reason := range reasons {
		b.WriteByte('\n')
		wrap(b, fmt.Sprintf("%s: %s", plural(len(groups[reason]), "clause"), reason), "  ", "    ")
		wrap(b, printable(strings.Join(groups[reason], " ")), "    ", "    ")
	}
}

// writeIDs writes a list of clauses below a line that counts them.
func writeIDs(b *strings.Builder, what string, ids []string) {
	if len(ids) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%d %s\n\n", len(ids), what)
	if more := len(ids) - mostIDs; more > 0 {
		ids = append(slices.Clone(ids[:mostIDs]), fmt.Sprintf("… and %d more", more))
	}
	wrap(b, printable(strings.Join(ids, " ")), "    ", "    ")
}

// mostIDs bounds a list that nobody reads to its end; the results file has all.
const mostIDs = 60

// wrap writes words in lines of at most lineWidth, the first one indented by first, the others by
// rest. A word that is longer than that has a line of its own.
func wrap(b *strings.Builder, text, first, rest string) {
	line, empty := first, true
	for _, word := range strings.Fields(text) {
		if !empty && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > lineWidth {
			b.WriteString(line + "\n")
			line, empty = rest, true
		}
		if !empty {
			line += " "
		}
		line, empty = line+word, false
	}
	b.WriteString(strings.TrimRight(line, " ") + "\n")
}

// plural counts things: 1 clause, 2 clauses.
func plural(n int, noun string) string {
	return fmt.Sprintf("%d %s", n, plurals(n, noun))
}

// plurals gives the noun as it stands after a number.
func plurals(n int, noun string) string {
	if n == 1 {
		return noun
	}
	return noun + "s"
}
