package harness

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"

	"github.com/ipcspec/ipcspec/expectations"
	"github.com/ipcspec/ipcspec/harness/expect"
	"github.com/ipcspec/ipcspec/harness/report"
)

// expectNone stands for no expectations where a file of them could be named.
const expectNone = "none"

// Expectations gives those that ipcspec brings along, unless they are not wanted, followed by those
// of files, whose clauses must be in the catalogue. A file called none stands for leaving out what
// ipcspec brings along. Those of ipcspec's own that are about the clauses of suites that this
// program does not hold are left alone.
func Expectations(without bool, names ...string) ([]expect.Entry, error) {
	files, unread := ReadExpectations(names...)
	all, err := ExpectationsIn(without || slices.Contains(names, expectNone), files)
	if err := errors.Join(unread, err); err != nil {
		return nil, err
	}
	return all, nil
}

// ReadExpectations reads files of expectations, without looking at what is in them.
func ReadExpectations(names ...string) ([]expect.File, error) {
	var files []expect.File
	var faults []error
	for _, name := range names {
		if name == expectNone {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			faults = append(faults, fmt.Errorf("the expectations: %w", err))
			continue
		}
		files = append(files, expect.File{Name: name, Text: text})
	}
	return files, errors.Join(faults...)
}

// ExpectationsIn is Expectations for files that have been read.
func ExpectationsIn(without bool, files []expect.File) ([]expect.Entry, error) {
	var all []expect.Entry
	var faults []error
	if !without {
		own, err := expect.LoadAll("expectations", expectations.Files)
		all, faults = own, append(faults, err)
	}
	catalogue, err := Catalogue()
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		more, err := expect.Load(file.Name, file.Text)
		if err == nil {
			err = expect.Check(more, catalogue)
		}
		all, faults = append(all, more...), append(faults, err)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return all, nil
}

// entries are the expectations of a test binary's run.
var entries = sync.OnceValues(func() ([]expect.Entry, error) { return Expectations(false, Settings.Expect...) })

// here is the target of a test binary's run.
func here() report.Target { return report.Target{Kind: "local", Kernel: facts()} }

// expected gives, by clause, the verdicts that are expected of this run: as the director of a
// worker has found, or as holds for this machine.
var expected = sync.OnceValue(func() map[string]report.Expectation {
	if InWorker() {
		return worker.Run.Expected
	}
	list, err := entries()
	catalogue, faults := Catalogue()
	if err != nil || faults != nil {
		return nil // the run is refused
	}
	found := expect.Apply(list, here(), catalogue.Clauses())
	registry.Lock()
	defer registry.Unlock()
	for id, e := range found {
		e.Specs = registry.specs[id]
		found[id] = e
	}
	return found
})

const expectedDeviation = "expected deviation: "

// skipText is what ginkgo is told of a spec that ends early.
func skipText(verdict report.Verdict, reason string) string { return string(verdict) + ": " + reason }

// judgeExpectations says in the end of a ginkgo suite which clauses deviate as expected, and makes
// the suite fail when a verdict that was expected did not come. That is known when all specs have
// run, in all processes, since some of a clause's specs may conform where it deviates. In a
// directed run the director judges.
func judgeExpectations(r ginkgo.Report) {
	if InWorker() || r.SuiteConfig.DryRun {
		return
	}
	found := map[string]*report.ClauseResult{}
	for id, e := range expected() {
		found[id] = &report.ClauseResult{Verdict: report.Untested, Expected: &e}
	}
	for _, s := range r.SpecReports {
		for _, label := range s.Labels() {
			c, ok := found[label]
			verdict := verdictOf(s)
			if !ok || verdict == report.Untested {
				continue
			}
			c.Verdict = report.Worst(c.Verdict, verdict)
			c.Specs++
		}
	}
	var lines []string
	for _, id := range slices.Sorted(maps.Keys(found)) {
		c := found[id]
		if c.Verdict == report.Deviates && c.AsExpected() {
			// Ginkgo counts it among the skipped, without a word.
			fmt.Printf("\n%s%s: %s\n", expectedDeviation, id, c.Expected.Why)
		}
		if c.Unmet() {
			lines = append(lines, fmt.Sprintf("%s: expected: %s, and it is found: %s. Mend the expectation at %s: %s",
				id, c.Expected.Verdict, c.Verdict, c.Expected.Source, c.Expected.Why))
		}
	}
	if len(lines) > 0 {
		ginkgo.Fail("expectations that did not come true:\n" + strings.Join(lines, "\n"))
	}
}

// verdictOf tells from ginkgo's report of a spec, which is all that is known of those of other
// processes, what its verdict was. One that was not selected is untested.
func verdictOf(s ginkgo.SpecReport) report.Verdict {
	switch text := s.Failure.Message; {
	case s.State.Is(types.SpecStatePassed):
		return report.Conforms
	case s.State.Is(types.SpecStateFailed), strings.HasPrefix(text, expectedDeviation):
		return report.Deviates
	case s.State.Is(types.SpecStatePending), s.State.Is(types.SpecStateSkipped) && s.NumAttempts == 0:
		return report.Untested
	case strings.HasPrefix(text, skipText(report.Unsupported, "")):
		return report.Unsupported
	}
	return report.Unresolved
}
