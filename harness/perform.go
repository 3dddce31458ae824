package harness

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"
	"github.com/onsi/gomega"

	"github.com/ipcspec/ipcspec/harness/actor"
	"github.com/ipcspec/ipcspec/harness/report"
	"github.com/ipcspec/ipcspec/harness/spec"
)

const (
	// A spec that takes longer than this hangs in its own code: calls have shorter limits.
	specSeconds = 60
	gracePeriod = 100 * time.Millisecond
	// Of a clause that is expected to deviate it is known that a call may never return: nobody needs to
	// wait for that as long as where it would be news.
	knownToDeviate = 0.25
)

func specLimit() time.Duration {
	return time.Duration(specSeconds * float64(time.Second) * Settings.TimeoutScale)
}

// A performance is one run of a spec.
type performance struct {
	clause     *spec.Clause
	outcome    report.Outcome
	started    time.Time
	assertions atomic.Int64
	verdict    report.Verdict // where the spec ended before its end
	reason     string
	evidence   *report.Evidence

	direct   bool // rehearsed, without ginkgo
	cleanups []func()
}

// running is the spec that is being performed, nil between specs.
var running atomic.Pointer[performance]

// hook makes the harness part of ginkgo's run, once a program.
func hook() {
	gomega.Default = counting{gomega.Default}
	gomega.RegisterFailHandler(deviate)
	actor.SetStage(theatre{})
	ginkgo.SynchronizedBeforeSuite(func() []byte { return openJournals() }, func(begin []byte) { joinJournals(begin) })
	ginkgo.ReportAfterEach(conclude)
	ginkgo.SynchronizedAfterSuite(func() { leave() }, func() {})
	ginkgo.ReportAfterSuite("ipcspec results", func(r ginkgo.Report) {
		closeJournals()
		judgeExpectations(r)
	})
}

// perform runs a spec of a clause.
func perform(clause *spec.Clause, sequence int, at spec.Location, variant string, body func()) {
	if !claim(clause, sequence) {
		return
	}
	p := &performance{
		clause:  clause,
		started: time.Now(),
		outcome: report.Outcome{
			Clause: clause.ID, Suite: clause.Suite, Location: at.String(),
			Spec: specName(variant),
		},
	}
	running.Store(p)
	keepJournal(func(j *report.Journal) error { return j.Start(p.outcome) })
	actor.TimeoutScale = Settings.TimeoutScale
	if e, ok := expected()[clause.ID]; ok && e.Verdict == report.Deviates {
		actor.TimeoutScale *= knownToDeviate
	}
	actor.SetDefaults()
	provide(clause)
	body()
	if p.assertions.Load() == 0 {
		fault("the spec made no assertion")
	}
}

// specName tells the specs of a clause apart: what the suite says around it, and its variant.
func specName(variant string) string {
	words := slices.Clone(ginkgo.CurrentSpecReport().ContainerHierarchyTexts)
	if variant != "" {
		words = append(words, variant)
	}
	return strings.Join(words, ": ")
}

// counting counts the assertions of the running spec.
type counting struct{ gomega.Gomega }

func (c counting) Inner() gomega.Gomega { return c.Gomega }

func count() {
	if p := running.Load(); p != nil {
		p.assertions.Add(1)
	}
}

func (c counting) Expect(actual any, extra ...any) gomega.Assertion {
	count()
	return c.Gomega.Expect(actual, extra...)
}

func (c counting) Ω(actual any, extra ...any) gomega.Assertion {
	count()
	return c.Gomega.Ω(actual, extra...)
}

func (c counting) ExpectWithOffset(offset int, actual any, extra ...any) gomega.Assertion {
	count()
	return c.Gomega.ExpectWithOffset(offset, actual, extra...)
}

func (c counting) Eventually(actual any, extra ...any) gomega.AsyncAssertion {
	count()
	return c.Gomega.Eventually(actual, extra...)
}

func (c counting) Consistently(actual any, extra ...any) gomega.AsyncAssertion {
	count()
	return c.Gomega.Consistently(actual, extra...)
}

// theatre is the stage on which a suite's actors perform.
type theatre struct{}

// Fail is told of what never happened: a call that did not return, a signal that did not come. That
// is a deviation on any kernel, since one that lacks something says so.
func (theatre) Fail(message string, skip ...int) {
	count()
	convict(message, 1+sum(skip))
}

func (theatre) Unresolved(message string, skip ...int) {
	unresolved(message, 1+sum(skip))
}

func (theatre) Cleanup(f func()) {
	if p := running.Load(); p != nil && p.direct {
		p.cleanups = append(p.cleanups, f)
		return
	}
	ginkgo.DeferCleanup(f)
}

func sum(skip []int) int {
	n := 0
	for _, s := range skip {
		n += s
	}
	return n
}

// deviate ends the spec: the kernel did something else than the clause says. On a kernel that is
// not what the clause is about, that shows that it is unsupported.
func deviate(message string, skip ...int) {
	p := running.Load()
	if p == nil {
		ginkgo.Fail(message, 1+sum(skip))
		return
	}
	if why := outdated(p.clause); why != "" {
		endEarly(report.Unsupported, why, 1+sum(skip))
	}
	convict(message, 1+sum(skip))
}

// convict is deviate whatever the version of the kernel.
func convict(message string, skip int) {
	p := running.Load()
	if p == nil {
		ginkgo.Fail(message, 1+skip)
		return
	}
	if p.direct {
		drop(report.Deviates, message)
	}
	if p.evidence == nil {
		trace, failing := actor.FailingTrace()
		p.evidence = &report.Evidence{
			Message: message, Location: callSite().String(), Trace: trace, Failing: failing,
		}
	}
	if e, ok := expected()[p.clause.ID]; ok && e.Verdict == report.Deviates {
		// Everybody knows: the evidence is kept, and the suite does not fail.
		p.verdict = report.Deviates
		ginkgo.Skip(expectedDeviation+e.Why, 1+skip)
	}
	ginkgo.Fail(message+"\n\n"+strings.Join(p.evidence.Trace, "\n"), 1+skip)
}

// unresolved ends the spec: what the clause needs could not be had.
func unresolved(reason string, skip int) {
	endEarly(report.Unresolved, reason, 1+skip)
}

// fault ends the spec: the tool itself failed.
func fault(what string) {
	if p := running.Load(); p != nil {
		if p.direct {
			drop(report.Unresolved, what)
		}
		p.outcome.Fault = what
	}
	ginkgo.Fail(what, 1)
}

func endEarly(verdict report.Verdict, reason string, skip int) {
	if p := running.Load(); p != nil && p.direct {
		drop(verdict, reason)
	}
	// What cleaning up meets does not undo a deviation.
	if p := running.Load(); p != nil && p.verdict != report.Deviates {
		p.verdict, p.reason = verdict, strings.Join(strings.Fields(reason), " ")
		if verdict == report.Unresolved {
			trace, failing := actor.FailingTrace()
			p.evidence = &report.Evidence{Message: reason, Location: callSite().String(), Trace: trace, Failing: failing}
		}
	}
	ginkgo.Skip(skipText(verdict, reason), 1+skip)
}

// conclude finds the verdict of the spec that has just run.
func conclude(r ginkgo.SpecReport) {
	p := running.Swap(nil)
	if p == nil {
		return
	}
	o := p.outcome
	o.Seconds = time.Since(p.started).Seconds()
	o.Evidence = p.evidence
	switch {
	case o.Fault != "":
		o.Verdict = report.Unresolved
	case r.State.Is(types.SpecStatePassed):
		o.Verdict = report.Conforms
	case r.State.Is(types.SpecStateSkipped):
		o.Verdict, o.Reason = p.verdict, p.reason
		if p.verdict == "" {
			o.Verdict, o.Fault = report.Unresolved, "the spec was skipped by its own code, without a reason that the harness knows"
		}
	case r.State.Is(types.SpecStateFailed):
		o.Verdict = report.Deviates
		if o.Evidence == nil {
			o.Evidence = &report.Evidence{Message: r.Failure.Message, Location: place(r.Failure.Location)}
		}
	case r.State.Is(types.SpecStatePanicked):
		o.Verdict, o.Fault = report.Unresolved, "the spec panicked: "+oneLine(r.Failure.ForwardedPanic)+" at "+place(r.Failure.Location)
	case r.State.Is(types.SpecStateTimedout):
		o.Verdict, o.Fault = report.Unresolved, fmt.Sprintf("the spec hung in its own code for %v", specLimit())
	case r.State.Is(types.SpecStateInterrupted | types.SpecStateAborted):
		o.Verdict, o.Reason = report.Unresolved, "the run was interrupted while this clause was being checked"
		interrupted.Store(true)
	default:
		o.Verdict, o.Fault = report.Unresolved, "ginkgo calls the spec "+r.State.String()
	}
	if o.Verdict != report.Deviates && o.Verdict != report.Unresolved {
		o.Evidence = nil
	}
	if kernelLog != nil {
		blame(&o, kernelLog.next())
	}
	if e, ok := expected()[o.Clause]; ok && e.Verdict == o.Verdict && o.Fault == "" {
		o.Expected = &e
	}
	keepJournal(func(j *report.Journal) error { return j.End(o) })
	if r.State.Is(types.SpecStateTimedout) && InWorker() {
		// The spec's goroutine is still there and could disturb the specs to come: have another
		// worker go on with them.
		leave()
		os.Exit(ExitReplace)
	}
}

var interrupted atomic.Bool

func place(l types.CodeLocation) string {
	return fmt.Sprintf("%s:%d", sourcePath(l.FileName), l.LineNumber)
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
