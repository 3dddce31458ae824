package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// A Change is what is different about one clause between two runs. Old is the zero value for a clause
// that only the new results know, New for one that only the old ones do.
type Change struct {
	Old, New ClauseResult
	Kind     ChangeKind
}

// ChangeKind sorts changes by what they mean for whoever has made the new kernel.
type ChangeKind int

const (
	// Regression: a deviation that nobody expects and that was not there before; an expectation that
	// does not come true any more; or something that was there and now is not supported.
	Regression ChangeKind = iota
	// Mended: an unexpected result is gone.
	Mended
	// Lost: the clause was judged and is not any more, so that nobody knows.
	Lost
	// Found: the clause could not be judged before, and is now, with nothing unexpected.
	Found
	// Otherwise: another verdict, or one that is expected now or was before.
	Otherwise
	// Added: only the new results know the clause; Removed: only the old ones.
	Added
	Removed
)

var changeTitles = [...]string{
	Regression: "regression",
	Mended:     "mended",
	Lost:       "judged before and not now",
	Found:      "not judged before and now",
	Otherwise:  "changed otherwise",
	Added:      "only in the new results",
	Removed:    "only in the old results",
}

// A Difference is what changed from one run to another.
type Difference struct {
	Old, New  Results
	Changes   []Change // regressions first, else in the order of the catalogue
	Unchanged int
}

// notRun is the verdict shown for a clause that was selected and did not start.
const notRun Verdict = "not run"

// Diff compares the results of two runs, clause by clause.
func Diff(before, after Results) Difference {
	d := Difference{Old: before, New: after}
	old, now := verdictsByID(before), verdictsByID(after)
	ids := slices.Concat(idsOf(after), idsOf(before))
	seen := map[string]bool{}
	for _, id := range ids {
		if seen[id] {
			continue
		}
		seen[id] = true
		c := Change{Old: old[id], New: now[id]}
		var changed bool
		if c.Kind, changed = c.kind(); changed {
			d.Changes = append(d.Changes, c)
		} else {
			d.Unchanged++
		}
	}
	slices.SortStableFunc(d.Changes, func(a, b Change) int { return int(a.Kind) - int(b.Kind) })
	return d
}

func verdictsByID(r Results) map[string]ClauseResult {
	all := map[string]ClauseResult{}
	for _, c := range r.Clauses {
		all[c.ID] = c
	}
	for _, id := range r.NotRun {
		if _, ok := all[id]; !ok {
			all[id] = ClauseResult{ClauseInfo: ClauseInfo{ID: id}, Verdict: notRun}
		}
	}
	return all
}

func idsOf(r Results) []string {
	var ids []string
	for _, c := range r.Clauses {
		ids = append(ids, c.ID)
	}
	return append(ids, r.NotRun...)
}

// judged says whether a result tells what the kernel does.
func judged(r ClauseResult) bool {
	return r.Verdict == Conforms || r.Verdict == Deviates || r.Verdict == Unsupported
}

// unexpected says whether a run with this result would have failed because of the kernel.
func unexpected(r ClauseResult) bool { return r.UnexpectedDeviation() || r.Unmet() }

// kind says what a change means; false where there is none.
func (c Change) kind() (ChangeKind, bool) {
	was, is := c.Old, c.New
	switch {
	case was.ID == "":
		return Added, true
	case is.ID == "":
		return Removed, true
	case word(was) == word(is):
		return 0, false
	case unexpected(is) && !unexpected(was), was.Verdict == Conforms && is.Verdict == Unsupported && !is.AsExpected():
		return Regression, true
	case judged(was) && !judged(is):
		return Lost, true
	case unexpected(was) && !unexpected(is):
		return Mended, true
	case !judged(was) && judged(is):
		return Found, true
	}
	return Otherwise, true
}

// word says in a word or two what was found for a clause.
func word(r ClauseResult) string {
	switch {
	case r.ID == "":
		return ""
	case r.Verdict == Deviates && r.AsExpected():
		return "deviates as expected"
	case r.Unmet():
		return string(r.Verdict) + " against expectation"
	case r.Fault != "" && r.Verdict == Unresolved:
		return "fault"
	}
	return string(r.Verdict)
}

// Regressions counts them.
func (d Difference) Regressions() int {
	n := 0
	for _, c := range d.Changes {
		if c.Kind == Regression {
			n++
		}
	}
	return n
}

// ExitCode gives the exit code of a comparison: a regression comes first, and where there is none the
// new run must have come to its end for that to be said.
func (d Difference) ExitCode() int {
	switch {
	case d.Regressions() > 0:
		return ExitDeviates
	case d.New.Interrupted:
		return ExitFault
	}
	return ExitConforms
}

// Write writes the difference for a reader: the regressions in full, the rest a line each.
func (d Difference) Write(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "old: %s\nnew: %s\n", heading(d.Old), heading(d.New))
	for kind, title := range changeTitles {
		var of []Change
		for _, c := range d.Changes {
			if c.Kind == ChangeKind(kind) {
				of = append(of, c)
			}
		}
		if len(of) == 0 {
			continue
		}
		if ChangeKind(kind) == Regression {
			title = plurals(len(of), title)
		}
		fmt.Fprintf(&b, "\n%d %s\n\n", len(of), title)
		for i, c := range of {
			if ChangeKind(kind) == Regression && i > 0 {
				b.WriteByte('\n')
			}
			c.write(&b, again(d.New))
		}
	}
	if d.New.Interrupted {
		fmt.Fprintf(&b, "\nThe new run was interrupted: what it did not judge may be different as well.\n")
	}
	if len(d.Changes) == 0 {
		b.WriteString("\nNothing has changed.\n")
	}
	fmt.Fprintf(&b, "\n%s, %d unchanged\n", plural(d.Regressions(), "regression"), d.Unchanged)
	_, err := io.WriteString(w, b.String())
	return err
}

func (c Change) write(b *strings.Builder, command string) {
	switch c.Kind {
	case Added:
		fmt.Fprintf(b, "  %s: %s\n", printable(c.New.ID), word(c.New))
	case Removed:
		fmt.Fprintf(b, "  %s: %s\n", printable(c.Old.ID), word(c.Old))
	case Regression:
		fmt.Fprintf(b, "  %s: %s, now %s\n", printable(c.New.ID), word(c.Old), word(c.New))
		writeDetails(b, c.New, "    ", command)
		if c.New.Reason != "" {
			wrap(b, "reason: "+oneLine(c.New.Reason), "    ", "      ")
		}
	default:
		fmt.Fprintf(b, "  %s: %s, now %s\n", printable(c.New.ID), word(c.Old), word(c.New))
		if why := oneLine(c.New.Fault + " " + c.New.Reason); c.Kind == Lost && why != "" {
			wrap(b, why, "    ", "      ")
		}
	}
}
