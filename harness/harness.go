// Package harness ties clauses to the specs that check them.
//
// A suite registers its catalogue with [Suite] and names each clause where it checks it with
// [Clause]. The harness sets up what the clause needs or says what is missing, runs the check,
// finds the verdict, and writes it to the journal; the same from ginkgo, go test, a compiled test
// binary and the ipcspec command.
package harness

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"

	"github.com/ipcspec/ipcspec/harness/actor"
	"github.com/ipcspec/ipcspec/harness/spec"
)

// registry is what the suites of this program have said when they were initialised, and what
// building the tree of specs has added.
var registry struct {
	sync.Mutex
	pages    map[string]fs.FS
	checks   map[string][]spec.Location
	specs    map[string]int // by clause, its Clause calls in that tree
	problems []string
	checkers []Spec
	sequence int // Clause calls in the tree that is being built
}

// Suite registers the catalogue of a suite: YAML files in the root of pages. It is called when the
// suite's package is initialised:
//
//	//go:embed *.yaml
//	var pages embed.FS
//
//	var _ = harness.Suite("pipes", pages)
func Suite(name string, pages fs.FS) bool {
	registry.Lock()
	defer registry.Unlock()
	if registry.pages == nil {
		registry.pages = map[string]fs.FS{}
		registry.checks = map[string][]spec.Location{}
		registry.specs = map[string]int{}
		hook()
	}
	if _, ok := registry.pages[name]; ok {
		panic("harness: the suite " + name + " is registered twice")
	}
	registry.pages[name] = pages
	return true
}

// Suites returns the names of the registered suites, sorted.
func Suites() []string {
	registry.Lock()
	defer registry.Unlock()
	var names []string
	for name := range registry.pages {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Catalogue returns the clauses of all registered suites. The error has one line a fault.
func Catalogue() (*spec.Catalogue, error) { return catalogue() }

var catalogue = sync.OnceValues(func() (*spec.Catalogue, error) {
	var parts []*spec.Catalogue
	var faults []error
	for _, name := range Suites() {
		part, err := spec.Load(name, registry.pages[name])
		if err != nil {
			faults = append(faults, err)
		}
		parts = append(parts, part)
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return spec.Join(parts...)
})

// Checks returns where each clause is checked, by its id. It has the tree of specs built first.
func Checks() map[string][]spec.Location {
	preview()
	registry.Lock()
	defer registry.Unlock()
	checks := map[string][]spec.Location{}
	for id, at := range registry.checks {
		checks[id] = slices.Clone(at)
	}
	return checks
}

// Problems returns what is wrong between the specs and the catalogue, one line each, such as specs
// that name an unknown clause. A clause without a spec is untested, which is no problem here.
func Problems() []string {
	preview()
	all, err := Catalogue() // before the lock, which it takes as well
	if err == nil {
		err = all.CheckReferences()
	}
	registry.Lock()
	defer registry.Unlock()
	found := slices.Clone(registry.problems)
	if err != nil {
		found = append(found, strings.Split(err.Error(), "\n")...)
	}
	return found
}

// unused returns the clauses that no spec names, a line each. The tree of specs is there already.
func unused() []string {
	all, err := Catalogue()
	if err != nil {
		return nil
	}
	registry.Lock()
	defer registry.Unlock()
	var found []string
	for _, clause := range all.Clauses() {
		if len(registry.checks[clause.ID]) == 0 {
			found = append(found, fmt.Sprintf("%s: the clause %s has no spec: write one, or remove the clause", clause.Source, clause.ID))
		}
	}
	return found
}

var preview = sync.OnceValue(func() ginkgo.Report {
	return ginkgo.PreviewSpecs("ipcspec")
})

// SpecLabels returns, for each clause that has specs, the labels of each of them.
func SpecLabels() map[string][][]string {
	labels := map[string][][]string{}
	for _, s := range preview().SpecReports {
		of := s.Labels()
		for _, label := range of {
			if _, ok := registry.checks[label]; ok {
				labels[label] = append(labels[label], of)
			}
		}
	}
	return labels
}

// Clause names the clause that body checks. It stands where ginkgo's It would. Between the id and
// the body there may be a string that tells several specs of one clause apart, and ginkgo's
// decorators: a function that wraps Clause passes Offset(1), so that the clause's place is where that
// function is called.
func Clause(id string, args ...any) {
	skip := 0
	for _, arg := range args {
		if offset, ok := arg.(ginkgo.Offset); ok {
			skip += int(offset)
		}
	}
	at := location(2 + skip)
	if len(args) == 0 {
		problem("%s: Clause(%q) has no body", at, id)
		return
	}
	body, ok := args[len(args)-1].(func())
	if !ok {
		problem("%s: the body of Clause(%q) is a %T: make it a func()", at, id, args[len(args)-1])
		return
	}
	all, err := Catalogue()
	if err != nil {
		problem("%v", err)
		return
	}
	clause, err := all.Find(id)
	if err != nil {
		problem("%s: %v", at, err)
		return
	}
	registry.Lock()
	if !slices.Contains(registry.checks[id], at) {
		registry.checks[id] = append(registry.checks[id], at)
	}
	registry.specs[id]++
	sequence := registry.sequence
	registry.sequence++
	registry.Unlock()

	text, name := id+": "+clause.Text, ""
	decorators := []any{
		ginkgo.Offset(1 + skip), ginkgo.Label(id, "suite:"+clause.Suite, "level:"+string(clause.Level)),
		ginkgo.NodeTimeout(specLimit()), ginkgo.GracePeriod(gracePeriod),
	}
	for _, arg := range args[:len(args)-1] {
		switch arg := arg.(type) {
		case string:
			name += arg
			text += " [" + arg + "]"
		case ginkgo.Offset: // seen to above
		default:
			decorators = append(decorators, arg)
		}
	}
	if clause.Needs.Serial {
		decorators = append(decorators, ginkgo.Serial)
	}
	registry.Lock()
	registry.checkers = append(registry.checkers, Spec{Clause: clause, Name: name, At: at, Sequence: sequence, body: body})
	registry.Unlock()
	decorators = append(decorators, func(ginkgo.SpecContext) { perform(clause, sequence, at, name, body) })
	ginkgo.It(text, decorators...)
}

func problem(format string, args ...any) {
	registry.Lock()
	defer registry.Unlock()
	text := fmt.Sprintf(format, args...)
	if !slices.Contains(registry.problems, text) {
		registry.problems = append(registry.problems, text)
	}
}

// location returns the file and line of a caller, as a path from the root of the source tree.
func location(skip int) spec.Location {
	_, file, line, _ := runtime.Caller(skip)
	return spec.Location{File: sourcePath(file), Line: line}
}

// callSite returns where the running spec is: the innermost caller that belongs neither to the
// harness nor to its libraries.
func callSite() spec.Location {
	frames := make([]uintptr, 64)
	found := runtime.CallersFrames(frames[:runtime.Callers(2, frames)])
	for {
		frame, more := found.Next()
		if !slices.ContainsFunc(backstage, func(prefix string) bool { return strings.HasPrefix(frame.Function, prefix) }) {
			return spec.Location{File: sourcePath(frame.File), Line: frame.Line}
		}
		if !more {
			return location(2)
		}
	}
}

const modulePath = "github.com/ipcspec/ipcspec/"

// backstage begins the names of functions that no reader wants to be shown as a spec's place.
var backstage = []string{modulePath + "harness.", modulePath + "harness/actor.", "github.com/onsi/", "reflect.", "runtime."}

// sourcePath cuts what is before the source tree from a path.
func sourcePath(file string) string {
	if _, rest, ok := strings.Cut(file, modulePath); ok { // built with -trimpath
		return rest
	}
	if rest, ok := strings.CutPrefix(filepath.ToSlash(file), root); ok {
		return rest
	}
	return file
}

// root is where the source tree was when this program was built.
var root = func() string {
	_, file, _, _ := runtime.Caller(0)
	return strings.TrimSuffix(filepath.ToSlash(file), "harness/harness.go")
}()

// The vocabulary of a spec, so that suites need one import for it.

// Return, ReturnBetween, ReturnFD, ReturnSuccess, ReturnRevents, ReturnEvents, ReturnReventsPerhaps, ReturnEventsPerhaps,
// FailWith, Block, BeKilledBy and Exit judge calls, Catch an
// actor's handlers: see package actor.
var (
	Return               = actor.Return
	ReturnFD             = actor.ReturnFD
	ReturnSuccess        = actor.ReturnSuccess
	ReturnBetween        = actor.ReturnBetween
	ReturnRevents        = actor.ReturnRevents
	ReturnEvents         = actor.ReturnEvents
	ReturnReventsPerhaps = actor.ReturnReventsPerhaps
	ReturnEventsPerhaps  = actor.ReturnEventsPerhaps
	FailWith             = actor.FailWith
	Block                = actor.Block
	BeKilledBy           = actor.BeKilledBy
	Exit                 = actor.Exit
	Catch                = actor.Catch
	Must                 = actor.Must
)

// ReturnData judges a call by the bytes that it returned.
func ReturnData[T string | []byte](data T) gomega.OmegaMatcher { return actor.ReturnData(data) }

// ReturnSomeOf judges a call that may return fewer bytes than there are.
func ReturnSomeOf[T string | []byte](data T) gomega.OmegaMatcher { return actor.ReturnSomeOf(data) }
