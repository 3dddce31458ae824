package report

import (
	"slices"
	"testing"
	"time"
)

func TestWorst(t *testing.T) {
	order := []Verdict{Untested, Conforms, Unsupported, Unresolved, Deviates}
	for i, a := range order {
		for j, b := range order {
			if got, want := Worst(a, b), order[max(i, j)]; got != want {
				t.Errorf("worst of %s and %s: %s", a, b, got)
			}
		}
		if !a.Valid() {
			t.Errorf("%s is not valid", a)
		}
	}
	if Worst() != Untested || Verdict("").Valid() || Verdict("ok").Valid() {
		t.Error("no verdict is taken for one")
	}
}

func TestFold(t *testing.T) {
	r := sampleResults(t)
	want := `pipe.lseek-espipe conforms
pipe.write-full-eagain deviates
pipe.watch-queue unsupported
pipe.capacity-privileged unresolved
pipe.capacity-limit unresolved
pipe.later untested
signal.kill-zero conforms
signal.panics unresolved
`
	if got := verdicts(r); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if want := (Counts{Clauses: 8, Conforms: 2, Deviates: 1, Unsupported: 1, Unresolved: 3, Untested: 1, Faults: 1, Seconds: 1.8101}); r.Total != want {
		t.Errorf("total %+v, want %+v", r.Total, want)
	}
	pipes := SuiteCounts{"pipes", Counts{Clauses: 6, Conforms: 1, Deviates: 1, Unsupported: 1, Unresolved: 2, Untested: 1, Seconds: 0.3101}}
	signals := SuiteCounts{"signals", Counts{Clauses: 2, Conforms: 1, Unresolved: 1, Faults: 1, Seconds: 1.5}}
	if want := []SuiteCounts{pipes, signals}; !slices.Equal(r.Suites, want) {
		t.Errorf("suites %+v", r.Suites)
	}
	if r.Interrupted || len(r.NotRun) != 0 || r.Schema != 1 || r.Tool != "v0.1.0" || r.Options.Seed != 42 || r.Target.Kernel.CPUs != 2 {
		t.Errorf("%+v", r)
	}
	if !r.Started.Equal(sampleStart.Add(250*time.Millisecond)) || r.Ended.Sub(r.Started) != 17*250*time.Millisecond {
		t.Errorf("from %v to %v", r.Started, r.Ended)
	}
	full := byID(t, r, "pipe.write-full-eagain")
	if full.Specs != 2 || full.Seconds != 0.3 || full.Location != "suites/pipes/capacity.go:30" || len(full.Evidence) != 1 ||
		full.Evidence[0].Spec != "A full pipe pipe.write-full-eagain PIPE_BUF" || full.Text != sampleClauses[1].Text {
		t.Errorf("%+v", full)
	}
}

// line makes lines of a journal without writing one.
func line(event Event, proc int, o Outcome) Line {
	return Line{Event: event, Proc: proc, Outcome: &o, Time: sampleStart}
}

func runs(selected ...string) Line {
	return Line{Event: RunEvent, Run: &Run{Selected: selected}, Time: sampleStart}
}

func stops(interrupted bool) Line {
	return Line{Event: StopEvent, Stop: &Stop{Interrupted: interrupted}, Time: sampleStart}
}

func TestFoldSpecsOfOneClause(t *testing.T) {
	for _, test := range []struct {
		name     string
		outcomes []Outcome
		want     ClauseResult
	}{
		{"the first of the worst gives the reason",
			[]Outcome{{Verdict: Unsupported, Reason: "absent"}, {Verdict: Unresolved, Reason: "one", Location: "f:1"}, {Verdict: Unresolved, Reason: "two", Location: "f:2"}},
			ClauseResult{Verdict: Unresolved, Reason: "one", Location: "f:1"}},
		{"conforms leaves no reason behind",
			[]Outcome{{Verdict: Conforms, Location: "f:1"}, {Verdict: Conforms, Location: "f:2"}},
			ClauseResult{Verdict: Conforms, Location: "f:1"}},
		{"a deviation drops the reason of an unresolved spec",
			[]Outcome{{Verdict: Unresolved, Reason: "needs root"}, {Verdict: Deviates, Location: "f:2"}, {Verdict: Conforms}},
			ClauseResult{Verdict: Deviates, Location: "f:2"}},
		{"a fault stays next to a deviation",
			[]Outcome{{Verdict: Deviates, Location: "f:1"}, {Verdict: Unresolved, Fault: "hung"}},
			ClauseResult{Verdict: Deviates, Location: "f:1", Fault: "hung"}},
		{"the first fault is told",
			[]Outcome{{Verdict: Unresolved, Fault: "hung"}, {Verdict: Unresolved, Fault: "panicked"}},
			ClauseResult{Verdict: Unresolved, Fault: "hung"}},
	} {
		lines := []Line{runs("a.b")}
		for _, o := range test.outcomes {
			o.Clause, o.Suite = "a.b", "s"
			lines = append(lines, line(StartEvent, 1, o), line(EndEvent, 1, o))
		}
		r := Fold(append(lines, stops(false)), []ClauseInfo{{ID: "a.b", Suite: "s"}})
		got := byID(t, r, "a.b")
		if got.Verdict != test.want.Verdict || got.Reason != test.want.Reason || got.Location != test.want.Location || got.Fault != test.want.Fault || got.Specs != len(test.outcomes) {
			t.Errorf("%s: %+v", test.name, got)
		}
	}
}

func TestFoldWorkerDied(t *testing.T) {
	spec := func(id, text string) Outcome { return Outcome{Clause: id, Suite: "s", Spec: text, Verdict: Conforms} }
	lines := []Line{
		runs("a.a", "a.b", "a.c"), runs("a.a", "a.b", "a.c"),
		line(StartEvent, 1, spec("a.a", "one")),
		line(StartEvent, 2, spec("a.b", "only")),
		line(EndEvent, 1, spec("a.a", "one")),
		line(StartEvent, 1, spec("a.a", "two")),
		line(EndEvent, 2, spec("a.b", "only")),
		stops(false),
	}
	clauses := []ClauseInfo{{ID: "a.a", Suite: "s"}, {ID: "a.b", Suite: "s"}, {ID: "a.c", Suite: "s"}, {ID: "a.d", Suite: "s"}}
	r := Fold(lines, clauses)
	if got, want := verdicts(r), "a.a unresolved\na.b conforms\na.d untested\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	a := byID(t, r, "a.a")
	if a.Specs != 2 || a.Fault != "the worker died while this ran" || a.Reason != "" {
		t.Errorf("%+v", a)
	}
	if !r.Interrupted || !slices.Equal(r.NotRun, []string{"a.c"}) || r.Total.NotRun != 1 || r.Suites[0].NotRun != 1 || r.Total.Clauses != 3 {
		t.Errorf("%+v", r)
	}
	if got := byID(t, Fold(lines, clauses, Died("the kernel\npanicked")), "a.a").Fault; got != "the kernel panicked" {
		t.Errorf("the reason of the caller became %q", got)
	}
}

// The same spec may run in several processes, and twice in one.
func TestFoldMatchesStartsAndEnds(t *testing.T) {
	o := Outcome{Clause: "a.a", Suite: "s", Spec: "one", Verdict: Conforms}
	start, end := line(StartEvent, 1, o), line(EndEvent, 1, o)
	other := line(StartEvent, 2, o)
	for _, test := range []struct {
		lines []Line
		specs int
		fault bool
	}{
		{[]Line{start, end, start, end}, 2, false},
		{[]Line{start, end, start}, 2, true},
		{[]Line{start, start}, 2, true},
		{[]Line{start, start, end}, 2, true},
		{[]Line{start, other, end}, 2, true},
		{[]Line{end}, 1, false}, // the start was lost
	} {
		got := byID(t, Fold(test.lines, nil), "a.a")
		if got.Specs != test.specs || (got.Fault != "") != test.fault {
			t.Errorf("%d lines: %+v", len(test.lines), got)
		}
	}
}

func TestFoldNotRunOrUntested(t *testing.T) {
	o := Outcome{Clause: "a.a", Suite: "s", Verdict: Conforms}
	start, end := line(StartEvent, 1, o), line(EndEvent, 1, o)
	inSuite := func(suites ...string) Line {
		return Line{Event: RunEvent, Run: &Run{Suites: suites, Selected: []string{"a.a"}}, Time: sampleStart}
	}
	clauses := []ClauseInfo{{ID: "a.a", Suite: "s"}, {ID: "a.b", Suite: "s"}, {ID: "b.a", Suite: "z"}}
	for _, test := range []struct {
		name        string
		lines       []Line
		want        string
		notRun      []string
		interrupted bool
	}{
		{"complete, nothing listed", []Line{runs(), start, end, stops(false)}, "a.a conforms\na.b untested\nb.a untested\n", []string{}, false},
		{"interrupted, nothing listed", []Line{runs(), start, end, stops(true)}, "a.a conforms\n", []string{"a.b", "b.a"}, true},
		{"killed, nothing listed", []Line{runs(), start, end}, "a.a conforms\n", []string{"a.b", "b.a"}, true},
		{"interrupted, listed", []Line{runs("a.a", "a.b"), start, end, stops(true)}, "a.a conforms\nb.a untested\n", []string{"a.b"}, true},
		{"complete, but a selected one never started", []Line{runs("a.a", "a.b"), start, end, stops(false)}, "a.a conforms\nb.a untested\n", []string{"a.b"}, false},
		{"selected, not in the catalogue", []Line{runs("a.a", "c.c"), start, end, stops(true)}, "a.a conforms\na.b untested\nb.a untested\n", []string{"c.c"}, true},
		{"a suite that was never got to", []Line{inSuite("s"), start, end, stops(false)}, "a.a conforms\na.b untested\n", []string{"b.a"}, false},
		{"one of two specs", []Line{runs("a.a", "a.a"), runs("a.a", "a.a"), start, end, stops(true)}, "a.b untested\nb.a untested\n", []string{"a.a"}, true},
		{"both of two specs", []Line{runs("a.a", "a.a"), start, end, start, end, stops(false)}, "a.a conforms\na.b untested\nb.a untested\n", []string{}, false},
		{"one of two specs, which says enough", []Line{runs("a.a", "a.a"), start, stops(true)}, "a.a unresolved\na.b untested\nb.a untested\n", []string{}, true},
		{"all suites", []Line{inSuite("s"), inSuite("z"), start, end, stops(false), stops(false)}, "a.a conforms\na.b untested\nb.a untested\n", []string{}, false},
		{"no journal", nil, "", []string{"a.a", "a.b", "b.a"}, true},
	} {
		r := Fold(test.lines, clauses)
		if got := verdicts(r); got != test.want || !slices.Equal(r.NotRun, test.notRun) || r.Interrupted != test.interrupted {
			t.Errorf("%s: got\n%snot run %v, interrupted %v", test.name, got, r.NotRun, r.Interrupted)
		}
	}
}

// What the journal tells of a clause that the caller did not give is kept.
func TestFoldUnknownClause(t *testing.T) {
	o := Outcome{Clause: "z.z", Suite: "other", Verdict: Deviates}
	p := Outcome{Clause: "y.y", Suite: "other", Verdict: Conforms}
	r := Fold([]Line{runs(), line(EndEvent, 1, o), line(EndEvent, 1, p), stops(false)}, []ClauseInfo{{ID: "a.a", Suite: "s"}, {ID: "a.a", Suite: "s"}})
	if got, want := verdicts(r), "a.a untested\ny.y conforms\nz.z deviates\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if len(r.Suites) != 2 || r.Total.Deviates != 1 {
		t.Errorf("%+v", r)
	}
}

func TestExitCode(t *testing.T) {
	results := func(clauses ...ClauseResult) Results { return Results{Clauses: clauses} }
	conforms, deviates := ClauseResult{Verdict: Conforms}, ClauseResult{Verdict: Deviates}
	unresolved, fault := ClauseResult{Verdict: Unresolved}, ClauseResult{Verdict: Unresolved, Fault: "hung"}
	interrupted, notRun := results(deviates), results(conforms)
	interrupted.Interrupted = true
	notRun.NotRun = []string{"a.b"}
	for _, test := range []struct {
		name           string
		r              Results
		normal, strict int
	}{
		{"all conforms", results(conforms, ClauseResult{Verdict: Unsupported}, ClauseResult{Verdict: Untested}), 0, 0},
		{"a deviation", results(conforms, deviates, conforms), 1, 1},
		{"unresolved", results(conforms, unresolved, conforms), 0, 3},
		{"a deviation before unresolved", results(deviates, unresolved), 1, 1},
		{"unresolved before a deviation", results(unresolved, deviates), 1, 1},
		{"a fault", results(conforms, fault), 2, 2},
		{"a deviation and a fault", results(deviates, fault), 2, 2},
		{"a deviation with a fault", results(ClauseResult{Verdict: Deviates, Fault: "hung"}), 2, 2},
		{"interrupted", interrupted, 2, 2},
		{"not all run", notRun, 2, 2},
		{"nothing selected", results(), 2, 2},
	} {
		if got := ExitCode(test.r, false); got != test.normal {
			t.Errorf("%s: %d", test.name, got)
		}
		if got := ExitCode(test.r, true); got != test.strict {
			t.Errorf("%s, strict: %d", test.name, got)
		}
	}
}
