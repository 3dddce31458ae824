package report

import (
	"maps"
	"math"
	"slices"
	"strings"
)

// FoldOption changes how Fold makes results of a journal.
type FoldOption func(*folding)

// Died says what to write of a spec that started and did not end, instead of that its worker died.
func Died(fault string) FoldOption {
	return func(f *folding) { f.died = fault }
}

// folding is the state of Fold.
type folding struct {
	died     string
	outcomes map[string][]Outcome // by clause
	selected map[string]int       // by clause, how many specs a run line promises
	suites   map[string]bool      // suites that a run line names
	expected map[string]Expectation
}

// Fold makes results of the lines of a journal and of the clauses that were selected from the
// catalogue.
//
// The specs of a clause give one result: their worst verdict, as Worst has it, the reason and the
// place of the first spec with that verdict, and the evidence of all. A fault of any of them stays,
// even next to a deviation. A spec that started and did not end is unresolved, with a fault.
//
// A clause without any spec is untested. One with a spec that did not start is left out of the
// results' clauses and counted as not run, unless the others already say that it deviates or is
// unresolved; that is known from the run lines, which name the clauses
// that were going to be run and the suites that were got to. Where none names any, all that did not
// start counts as not run if the run was interrupted, and as untested otherwise.
//
// What is expected of a clause is known from the run lines too, and is judged by the clause's verdict
// over all its specs.
//
// A run was interrupted if a process says so, or began and never said that it stopped.
func Fold(lines []Line, clauses []ClauseInfo, options ...FoldOption) Results {
	f := folding{
		died:     "the worker died while this ran",
		outcomes: map[string][]Outcome{},
		selected: map[string]int{},
		suites:   map[string]bool{},
		expected: map[string]Expectation{},
	}
	for _, option := range options {
		option(&f)
	}
	results := Results{Schema: Schema, NotRun: []string{}, Suites: []SuiteCounts{}, Clauses: []ClauseResult{}}
	f.read(lines, &results)

	suites := map[string]int{}
	counts := func(suite string) *Counts {
		i, ok := suites[suite]
		if !ok {
			i = len(results.Suites)
			suites[suite] = i
			results.Suites = append(results.Suites, SuiteCounts{Suite: suite})
		}
		return &results.Suites[i].Counts
	}
	for _, info := range f.all(clauses) {
		outcomes := f.outcomes[info.ID]
		result := foldClause(info, outcomes)
		if e, ok := f.expected[info.ID]; ok {
			result.Expected = &e
		}
		if f.left(result, results.Interrupted) {
			results.NotRun = append(results.NotRun, info.ID)
			results.Total.NotRun++
			if info.Suite != "" {
				counts(info.Suite).NotRun++
			}
			continue
		}
		results.Clauses = append(results.Clauses, result)
		results.Total.add(result)
		counts(info.Suite).add(result)
	}
	return results
}

// read takes the lines in: what they say of the run into the results, the rest into f.
func (f *folding) read(lines []Line, results *Results) {
	type spec struct {
		proc                int
		suite, clause, text string
	}
	running := map[spec][]Outcome{}
	var order []spec
	runs, stops := 0, 0
	for _, line := range lines {
		if results.Started.IsZero() || line.Time.Before(results.Started) {
			results.Started = line.Time
		}
		if line.Time.After(results.Ended) {
			results.Ended = line.Time
		}
		switch line.Event {
		case RunEvent:
			if runs++; runs == 1 {
				results.Tool, results.Target, results.Options = line.Run.Tool, line.Run.Target, line.Run.Options
			}
			specs := map[string]int{}
			for _, id := range line.Run.Selected {
				specs[id]++
				f.selected[id] = max(f.selected[id], specs[id])
			}
			maps.Copy(f.expected, line.Run.Expected)
			for _, suite := range line.Run.Suites {
				f.suites[suite] = true
			}
		case StartEvent:
			o := *line.Outcome
			key := spec{line.Proc, o.Suite, o.Clause, o.Spec}
			running[key] = append(running[key], o)
			order = append(order, key)
		case EndEvent:
			o := *line.Outcome
			key := spec{line.Proc, o.Suite, o.Clause, o.Spec}
			if n := len(running[key]); n > 0 {
				running[key] = running[key][:n-1]
			}
			f.outcomes[o.Clause] = append(f.outcomes[o.Clause], o)
		case StopEvent:
			stops++
			results.Interrupted = results.Interrupted || line.Stop.Interrupted
		}
	}
	if stops < max(runs, 1) {
		results.Interrupted = true
	}
	for _, key := range order {
		for _, o := range running[key] {
			o.Verdict, o.Fault = Unresolved, oneLine(f.died)
			f.outcomes[o.Clause] = append(f.outcomes[o.Clause], o)
		}
		delete(running, key)
	}
}

// left says whether a clause was left without a result, because specs of it were going to run and
// did not. A deviation, or a clause that stays unresolved, is a result whatever they would find.
func (f *folding) left(r ClauseResult, interrupted bool) bool {
	switch {
	case r.Verdict == Deviates || r.Verdict == Unresolved:
		return false
	case r.Specs < f.selected[r.ID]:
		return true
	case r.Specs > 0:
		return false
	case len(f.suites) > 0:
		return !f.suites[r.Suite]
	case len(f.selected) > 0:
		return false
	}
	return interrupted
}

// all gives the clauses in the order of the catalogue, followed by those that only the journal
// knows: nothing that was found may get lost.
func (f *folding) all(clauses []ClauseInfo) []ClauseInfo {
	known := map[string]bool{}
	var all []ClauseInfo
	for _, info := range clauses {
		if !known[info.ID] {
			known[info.ID] = true
			all = append(all, info)
		}
	}
	var others []ClauseInfo
	for id, outcomes := range f.outcomes {
		if !known[id] {
			others = append(others, ClauseInfo{ID: id, Suite: outcomes[0].Suite})
		}
	}
	for id := range f.selected {
		if !known[id] && len(f.outcomes[id]) == 0 {
			others = append(others, ClauseInfo{ID: id})
		}
	}
	slices.SortFunc(others, func(a, b ClauseInfo) int { return strings.Compare(a.ID, b.ID) })
	return append(all, others...)
}

// foldClause folds the outcomes of a clause's specs into one result.
func foldClause(info ClauseInfo, outcomes []Outcome) ClauseResult {
	r := ClauseResult{ClauseInfo: info, Verdict: Untested, Specs: len(outcomes)}
	for _, o := range outcomes {
		if worst := Worst(r.Verdict, o.Verdict); worst != r.Verdict || r.Location == "" && o.Verdict == worst {
			r.Verdict, r.Reason, r.Location = worst, o.Reason, o.Location
		}
		if r.Fault == "" {
			r.Fault = o.Fault
		}
		r.Seconds = microseconds(r.Seconds + o.Seconds)
		if o.Evidence != nil {
			e := *o.Evidence
			if e.Spec == "" {
				e.Spec = o.Spec
			}
			r.Evidence = append(r.Evidence, e)
		}
	}
	return r
}

// microseconds rounds a time in seconds, so that sums do not end in noise.
func microseconds(seconds float64) float64 { return math.Round(seconds*1e6) / 1e6 }
