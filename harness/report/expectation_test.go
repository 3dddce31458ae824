package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

var known = Expectation{Verdict: Deviates, Why: "the count is cut to 32 bits", Link: "https://example.org/bug", Source: "expectations/linux.yaml:3"}

// expecting gives the results of the sample run with expectations.
func expecting(t *testing.T, expected map[string]Expectation) Results {
	t.Helper()
	lines := sampleLines(t)
	run := *lines[0].Run
	run.Expected = expected
	lines[0].Run = &run
	for i := range lines {
		if o := lines[i].Outcome; o != nil && lines[i].Event == EndEvent {
			if e, ok := expected[o.Clause]; ok && e.Verdict == o.Verdict {
				o.Expected = &e
			}
		}
	}
	return Fold(lines, sampleClauses)
}

func TestExpected(t *testing.T) {
	unsupported := Expectation{Verdict: Unsupported, Why: "it is an old one"}
	for _, test := range []struct {
		name            string
		clause          string
		e               Expectation
		expected, unmet bool
		exit            int // of a run of this clause alone
		strict          int
	}{
		{"a deviation that is expected", "pipe.write-full-eagain", known, true, false, 0, 0},
		{"a deviation where something else is expected", "pipe.write-full-eagain", unsupported, false, false, 1, 1},
		{"a clause that conforms and should not", "pipe.lseek-espipe", known, false, true, 1, 1},
		{"one of whose specs not all were run", "pipe.lseek-espipe", Expectation{Verdict: Deviates, Why: "w", Specs: 2}, false, false, 0, 0},
		{"one whose specs were all run", "pipe.lseek-espipe", Expectation{Verdict: Deviates, Why: "w", Specs: 1}, false, true, 1, 1},
		{"one that conforms and sometimes does not", "pipe.lseek-espipe", Expectation{Verdict: Deviates, Why: "w", Sometimes: true}, false, false, 0, 0},
		{"unsupported instead of deviating", "pipe.watch-queue", known, false, true, 1, 1},
		{"unsupported as expected", "pipe.watch-queue", unsupported, true, false, 0, 0},
		{"unresolved leaves it open", "pipe.capacity-limit", known, false, false, 0, 3},
		{"unresolved as expected", "pipe.capacity-limit", Expectation{Verdict: Unresolved, Why: "w"}, true, false, 0, 0},
		{"untested leaves it open", "pipe.later", known, false, false, 0, 0},
		{"a fault stays one", "signal.panics", Expectation{Verdict: Unresolved, Why: "w"}, true, false, 2, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := expecting(t, map[string]Expectation{test.clause: test.e})
			c := byID(t, r, test.clause)
			if c.Expected == nil || *c.Expected != test.e || c.AsExpected() != test.expected || c.Unmet() != test.unmet {
				t.Errorf("expected %v, unmet %v: %+v", c.AsExpected(), c.Unmet(), c)
			}
			if unmet := r.Total.Unmet == 1; unmet != test.unmet {
				t.Errorf("%d are unmet", r.Total.Unmet)
			}
			if deviates := r.Total.Expected == 1; deviates != (test.expected && test.e.Verdict == Deviates) {
				t.Errorf("%d deviate as expected", r.Total.Expected)
			}
			r.Clauses = []ClauseResult{c}
			if got := ExitCode(r, false); got != test.exit {
				t.Errorf("exit code %d, want %d", got, test.exit)
			}
			if got := ExitCode(r, true); got != test.strict {
				t.Errorf("strict exit code %d, want %d", got, test.strict)
			}
		})
	}
}

// bothKinds gives results with an expected deviation and an expectation that did not come true.
func bothKinds(t *testing.T) Results {
	t.Helper()
	return expecting(t, map[string]Expectation{"pipe.write-full-eagain": known, "pipe.lseek-espipe": known, "signal.kill-zero": {Verdict: Unresolved, Why: "who knows"}})
}

func TestExpectedGolden(t *testing.T) {
	r := bothKinds(t)
	golden(t, "summary-expected.txt", []byte(summary(t, r)))
	text, all := junit(t, r)
	golden(t, "junit-expected.xml", text)
	if all.Failures != 2 || all.Skipped != 5 || all.Errors != 1 || all.Tests != 8 {
		t.Errorf("%+v", all)
	}
}

func TestExpectedFile(t *testing.T) {
	r := bothKinds(t)
	path := filepath.Join(t.TempDir(), "r.json")
	check(t, r.WriteResults(path))
	text, err := json.Marshal(r)
	check(t, err)
	check(t, validate(t, schema(t), text))
	back, err := ReadResults(path)
	check(t, err)
	if c := byID(t, back, "pipe.lseek-espipe"); !c.Unmet() || *c.Expected != known || back.Total != r.Total {
		t.Errorf("%+v", c)
	}
}

// A journal keeps what was expected, printable.
func TestExpectedJournal(t *testing.T) {
	var b bytes.Buffer
	j := NewJournal(&b, 1)
	e := Expectation{Verdict: Deviates, Why: "two\nlines\x1b", Link: "a\nb"}
	check(t, j.Run(Run{Selected: []string{"a.b"}, Expected: map[string]Expectation{"a.b": e}}))
	o := Outcome{Clause: "a.b", Suite: "s", Verdict: Deviates, Expected: &e}
	check(t, j.Start(o))
	check(t, j.End(o))
	check(t, j.Stop(Stop{}))
	lines, err := ReadJournal(&b, "j")
	check(t, err)
	want := Expectation{Verdict: Deviates, Why: `two lines\x1b`, Link: "a b"}
	if lines[0].Run.Expected["a.b"] != want || lines[1].Outcome.Expected != nil || *lines[2].Outcome.Expected != want {
		t.Errorf("%+v", lines)
	}
	if r := Fold(lines, nil); !r.Clauses[0].AsExpected() || e.Why != "two\nlines\x1b" {
		t.Errorf("%+v", r.Clauses)
	}
}

func TestExpectedProgress(t *testing.T) {
	o := deviation("a.b")
	o.Expected = &known
	for width, want := range map[int]string{0: "expected    a.b: deviates, as expected: the count is cut to 32 bits\n", 80: ""} {
		var s screen
		var size func() int
		if width > 0 {
			size = fixed(width)
		}
		p := newProgress(&s, 2, size)
		p.End(o)
		if got := p.lineFor(o); got != strings.TrimSuffix(want, "\n") {
			t.Errorf("width %d: %q", width, got)
		}
		if got := p.state(); got != "1/2 clauses, 0 deviations, 1 expected" {
			t.Errorf("width %d: %q", width, got)
		}
		p.End(deviation("a.c"))
		if got := p.state(); got != fmt.Sprintf("2/2 clauses, %s, 1 expected", plural(1, "deviation")) {
			t.Errorf("width %d: %q", width, got)
		}
		p.Close()
	}
}
