package harness

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"

	"github.com/ipcspec/ipcspec/harness/actor"
	"github.com/ipcspec/ipcspec/harness/report"
	"github.com/ipcspec/ipcspec/harness/spec"
)

// A Spec is one check of a clause, as Clause has named it.
type Spec struct {
	Clause   *spec.Clause
	Name     string // what tells it apart from the clause's other specs
	At       spec.Location
	Sequence int // its place among all specs of the program, the same in each of its processes

	body func()
}

// Specs returns all specs. It has the tree of specs built first, unless it is there.
func Specs() []Spec {
	if !onStage {
		preview()
	}
	registry.Lock()
	defer registry.Unlock()
	return slices.Clone(registry.checkers)
}

// onStage says that ginkgo runs RunBackstage's function: the tree of specs is there.
var onStage bool

// RunBackstage runs f where specs would run, so that all that a spec may call works there, but
// without any spec: f rehearses them itself.
func RunBackstage(f func()) {
	const label = "ipcspec-backstage"
	ginkgo.It("rehearses", ginkgo.Label(label), func() {
		onStage = true
		f()
	})
	config, reporting := ginkgo.GinkgoConfiguration()
	config.LabelFilter = label
	config.Timeout = 0
	reporting.Succinct = true
	Settings.Out = ""
	ginkgo.GinkgoWriter.TeeTo(io.Discard)
	ginkgo.RunSpecs(verdictIsInTheJournal{}, "ipcspec", config, reporting)
}

// A Rehearsal is what became of a spec that was run by itself.
type Rehearsal struct {
	Verdict  report.Verdict
	Message  string // the first line of what was wrong
	Location string // where
	Panicked bool   // the spec's own code failed
}

// Rehearse runs the spec in this process without a word in any journal; it may be called again and
// again.
func (s Spec) Rehearse() (found Rehearsal) {
	p := &performance{clause: s.Clause, started: time.Now(), direct: true}
	running.Store(p)
	gomega.SetDefaultEventuallyTimeout(time.Duration(float64(time.Second) * Settings.TimeoutScale))
	defer func() {
		if r := recover(); r != nil {
			if end, ok := r.(curtain); ok {
				found = Rehearsal(end)
			} else {
				found = Rehearsal{Verdict: report.Unresolved, Message: fmt.Sprintf("the spec panicked: %v", r), Location: panicSite(), Panicked: true}
			}
		}
		running.Store(nil)
		for i := len(p.cleanups) - 1; i >= 0; i-- {
			p.cleanups[i]()
		}
	}()
	actor.TimeoutScale = Settings.TimeoutScale
	actor.SetDefaults()
	provide(s.Clause)
	s.body()
	if p.assertions.Load() == 0 {
		fault("the spec made no assertion")
	}
	return Rehearsal{Verdict: report.Conforms}
}

// curtain is the panic that ends a rehearsed spec early.
type curtain Rehearsal

func drop(verdict report.Verdict, message string) {
	first, _, _ := strings.Cut(message, "\n")
	panic(curtain{Verdict: verdict, Message: first, Location: callSite().String()})
}

// panicSite returns where the spec's code panicked; called while the stack is still there.
func panicSite() string {
	for skip := 2; ; skip++ {
		pc, file, line, ok := runtime.Caller(skip)
		if !ok {
			return ""
		}
		name := runtime.FuncForPC(pc).Name()
		if !slices.ContainsFunc(backstage, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
			return fmt.Sprintf("%s:%d", sourcePath(file), line)
		}
	}
}

// Script returns where the running spec makes the call that is under way: the places in its own
// code, the innermost first, and whether the harness makes it as a step of the set-up.
func Script() (places []spec.Location, setup bool) {
	frames := make([]uintptr, 64)
	found := runtime.CallersFrames(frames[:runtime.Callers(2, frames)])
	for {
		frame, more := found.Next()
		switch {
		case strings.HasPrefix(frame.Function, modulePath+"harness.Spec.Rehearse"):
			return places, setup
		case strings.HasPrefix(frame.Function, modulePath+"harness/mutate."):
		case strings.HasPrefix(frame.Function, modulePath+"harness/actor."):
			setup = setup || strings.HasSuffix(frame.File, "/actor/setup.go")
		case !slices.ContainsFunc(backstage, func(prefix string) bool { return strings.HasPrefix(frame.Function, prefix) }):
			places = append(places, spec.Location{File: sourcePath(frame.File), Line: frame.Line})
		}
		if !more {
			return places, setup
		}
	}
}
