package report

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// runOf makes results of "clause verdict" pairs; a verdict with an exclamation mark is expected.
func runOf(t *testing.T, findings ...string) Results {
	t.Helper()
	r := sampleResults(t)
	r.Clauses, r.NotRun, r.Interrupted = nil, nil, false
	for _, finding := range findings {
		id, verdict, _ := strings.Cut(finding, " ")
		c := ClauseResult{ClauseInfo: ClauseInfo{ID: id, Suite: "pipes", Text: "It holds."}, Specs: 1}
		switch verdict {
		case "not-run":
			r.NotRun, r.Interrupted = append(r.NotRun, id), true
			continue
		case "fault":
			c.Verdict, c.Fault = Unresolved, "the worker died"
		case "deviates!":
			c.Verdict, c.Expected = Deviates, &Expectation{Verdict: Deviates, Why: "known"}
		case "conforms!":
			c.Verdict, c.Expected = Conforms, &Expectation{Verdict: Deviates, Why: "known", Specs: 1}
		default:
			c.Verdict = Verdict(verdict)
		}
		if c.Verdict == Deviates {
			c.Evidence = []Evidence{{Message: "expected this\nbut it was that", Trace: []string{"A  pause() = 0"}, Failing: 1}}
		}
		if c.Verdict == Unresolved && c.Fault == "" {
			c.Reason = "needs root"
		}
		r.Clauses = append(r.Clauses, c)
	}
	return r
}

func TestKindsOfChange(t *testing.T) {
	for _, test := range []struct {
		before, after string
		kind          ChangeKind
		unchanged     bool
	}{
		{before: "conforms", after: "deviates", kind: Regression},
		{before: "deviates!", after: "deviates", kind: Regression},
		{before: "unresolved", after: "deviates", kind: Regression},
		{before: "unsupported", after: "deviates", kind: Regression},
		{before: "not-run", after: "deviates", kind: Regression},
		{before: "conforms", after: "unsupported", kind: Regression},
		{before: "deviates!", after: "conforms!", kind: Regression}, // an expectation that is not true
		{before: "deviates", after: "conforms", kind: Mended},
		{before: "deviates", after: "deviates!", kind: Mended},
		{before: "conforms!", after: "conforms", kind: Mended},
		{before: "conforms", after: "unresolved", kind: Lost},
		{before: "conforms", after: "not-run", kind: Lost},
		{before: "deviates", after: "fault", kind: Lost},
		{before: "unresolved", after: "conforms", kind: Found},
		{before: "untested", after: "deviates!", kind: Found},
		{before: "conforms", after: "deviates!", kind: Otherwise},
		{before: "deviates!", after: "conforms", kind: Otherwise},
		{before: "unsupported", after: "conforms", kind: Otherwise},
		{before: "unresolved", after: "fault", kind: Otherwise},
		{before: "", after: "deviates", kind: Added},
		{before: "deviates", after: "", kind: Removed},
		{before: "conforms", after: "conforms", unchanged: true},
		{before: "deviates", after: "deviates", unchanged: true},
		{before: "deviates!", after: "deviates!", unchanged: true},
		{before: "not-run", after: "not-run", unchanged: true},
	} {
		of := func(verdict string) Results {
			if verdict == "" {
				return runOf(t)
			}
			return runOf(t, "a.b "+verdict)
		}
		d := Diff(of(test.before), of(test.after))
		switch {
		case test.unchanged:
			if len(d.Changes) != 0 || d.Unchanged != 1 {
				t.Errorf("%s, %s: %+v", test.before, test.after, d.Changes)
			}
		case len(d.Changes) != 1 || d.Changes[0].Kind != test.kind:
			t.Errorf("%s, %s: %+v", test.before, test.after, d.Changes)
		}
		want := ExitConforms
		if !test.unchanged && test.kind == Regression {
			want = ExitDeviates
		} else if test.after == "not-run" {
			want = ExitFault
		}
		if code := d.ExitCode(); code != want {
			t.Errorf("%s, %s: exit code %d, want %d", test.before, test.after, code, want)
		}
	}
}

func TestDiffGolden(t *testing.T) {
	before := runOf(t, "a.same conforms", "a.mended deviates", "a.worse conforms", "a.lost conforms", "a.gone conforms", "a.found unresolved", "a.known conforms", "a.left conforms")
	after := runOf(t, "a.same conforms", "a.mended conforms", "a.new deviates", "a.lost unresolved", "a.found conforms", "a.known deviates!", "a.worse deviates", "a.left not-run")
	var b bytes.Buffer
	check(t, Diff(before, after).Write(&b))
	golden(t, "diff.txt", b.Bytes())
	b.Reset()
	check(t, Diff(before, before).Write(&b))
	golden(t, "diff-none.txt", b.Bytes())
}

func TestMatrixGolden(t *testing.T) {
	columns := Columns([]string{"x/6.1.json", "gvisor.json", "y/6.1.json"}, []Results{
		runOf(t, "a.same conforms", "a.known conforms", "a.worse conforms", "a.everywhere deviates", "a.lone conforms"),
		runOf(t, "a.same conforms", "a.known deviates!", "a.worse unresolved", "a.everywhere deviates"),
		runOf(t, "a.same conforms", "a.known conforms", "a.worse deviates", "a.everywhere deviates", "a.left|over not-run"),
	})
	m := NewMatrix(columns)
	var order []string
	for _, row := range m.Rows {
		order = append(order, row.Clause)
	}
	if want := []string{"a.worse", "a.known", "a.everywhere", "a.same", "a.lone", "a.left|over"}; !slices.Equal(order, want) {
		t.Errorf("the rows are %q, want %q", order, want)
	}
	var b bytes.Buffer
	check(t, m.Write(&b))
	golden(t, "matrix.txt", b.Bytes())
	b.Reset()
	check(t, m.Differing().WriteMarkdown(&b))
	golden(t, "matrix.md", b.Bytes())
}
