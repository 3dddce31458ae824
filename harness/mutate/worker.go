package mutate

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
	"github.com/ipcspec/ipcspec/harness/report"
)

const workerEnv = "IPCSPEC_MUTATION_WORKER"

// A part is what a worker is told when it starts.
type part struct {
	Seed         int64   `json:"seed"`
	Most         int     `json:"most"`
	TimeoutScale float64 `json:"timeout_scale"` // of recordings
	MutantScale  float64 `json:"mutant_scale"`  // of runs with a lie
	Disposable   bool    `json:"disposable"`
}

// An order asks a worker for the mutants of one spec, from one of them on.
type order struct {
	Spec int `json:"spec"`
	From int `json:"from"`
}

// An answer is a line that a worker writes: the spec's plan, then the outcome of each mutant, then
// that it is done.
type answer struct {
	Plan   *specPlan `json:"plan,omitempty"`
	Result *verdict  `json:"result,omitempty"`
	Done   bool      `json:"done,omitempty"`
}

// A specPlan is what is known of a spec before it is lied to.
type specPlan struct {
	Verdict  report.Verdict `json:"verdict"` // without a lie
	Reason   string         `json:"reason,omitempty"`
	Unsteady bool           `json:"unsteady,omitempty"` // two runs made different calls
	Calls    map[string]int `json:"calls,omitempty"`    // how often each subject is called
	Mutants  []*Mutant      `json:"mutants,omitempty"`
	Excluded map[string]int `json:"excluded,omitempty"`
}

// An Outcome is what became of a mutant.
type Outcome string

// The outcomes of mutants.
const (
	Killed     Outcome = "killed"     // the spec deviated, its actor died, or it hung
	Survived   Outcome = "survived"   // the spec conformed: nobody noticed the lie
	Unresolved Outcome = "unresolved" // the set-up failed: it neither conforms nor deviates
	NotTold    Outcome = "not-told"   // the spec did not come to the call
)

// A verdict is the outcome of one mutant.
type verdict struct {
	Mutant  int     `json:"mutant"`
	Outcome Outcome `json:"outcome"`
	Rule    string  `json:"rule,omitempty"` // by which it is explained that nobody noticed
	Why     string  `json:"why,omitempty"`  // what was noticed
	At      string  `json:"at,omitempty"`   // where
	Seconds float64 `json:"seconds"`
}

// InWorker says whether this process was started as a worker of a mutation run. A program that
// holds suites asks this first and calls RunWorker then.
func InWorker() bool { return os.Getenv(workerEnv) != "" }

// RunWorker plays a worker's part and returns the exit code.
func RunWorker() int {
	var p part
	if err := json.Unmarshal([]byte(os.Getenv(workerEnv)), &p); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", workerEnv, err)
		return 2
	}
	_ = os.Unsetenv(workerEnv) // it has no descendants that would ask
	unix.CloseOnExec(3)
	answers := json.NewEncoder(os.NewFile(3, "answers"))
	orders := make(chan order)
	go func() {
		lines := bufio.NewScanner(os.Stdin)
		for lines.Scan() {
			var o order
			if json.Unmarshal(lines.Bytes(), &o) == nil {
				orders <- o
			}
		}
		// The director is gone, or needs this worker no more; the keeper tidies up.
		_ = unix.Kill(os.Getpid(), unix.SIGKILL)
	}()
	harness.Settings.Disposable = p.Disposable
	harness.RunBackstage(func() {
		specs := map[int]harness.Spec{}
		for _, s := range harness.Specs() {
			specs[s.Sequence] = s
		}
		for o := range orders {
			w := &worker{part: p, spec: specs[o.Spec], say: func(a answer) { _ = answers.Encode(a) }}
			w.obey(o)
		}
	})
	return 0
}

type worker struct {
	part part
	spec harness.Spec
	say  func(answer)
}

func (w *worker) obey(o order) {
	defer w.say(answer{Done: true})
	var told specPlan
	r := newRecording(w.subjectCall)
	found := w.run(r, w.part.TimeoutScale)
	r.close()
	told.Verdict, told.Reason = found.Verdict, found.Message
	if found.Verdict != report.Conforms {
		w.say(answer{Plan: &told})
		return
	}
	var again *recording
	for range tellings { // the limits are short, and this machine may be busy for a moment
		again = newRecording(func(string) bool { return false })
		found = w.run(again, w.part.MutantScale)
		again.close()
		if found.Verdict == report.Conforms {
			break
		}
	}
	if found.Verdict != report.Conforms {
		told.Verdict, told.Reason = found.Verdict, "with the time limits of mutation testing: "+found.Message
		w.say(answer{Plan: &told})
		return
	}
	told.Unsteady = !r.same(again)
	told.Calls = map[string]int{}
	for _, subject := range w.spec.Clause.Subjects {
		for _, name := range names(r, subject) {
			told.Calls[subject] += len(r.byName[name])
		}
	}
	p := newPlan(r, w.spec.Clause.Subjects, w.part.Seed, w.part.Most)
	told.Mutants, told.Excluded = p.mutants, p.excluded
	w.say(answer{Plan: &told})
	dead := 0
	for _, c := range r.calls {
		if c.died {
			dead++
		}
	}
	for i := o.From; i < len(p.mutants); i++ {
		w.say(answer{Result: w.lie(i, p.mutants[i], r, dead)})
	}
}

// subjectCall says whether calls of that name may be lied about.
func (w *worker) subjectCall(name string) bool {
	for _, subject := range w.spec.Clause.Subjects {
		if name == subject || slices.Contains(aliases[subject], name) {
			return true
		}
	}
	return false
}

func (w *worker) run(i actor.Interposer, scale float64) harness.Rehearsal {
	harness.Settings.TimeoutScale = scale
	actor.Interpose(i)
	defer actor.Interpose(nil)
	// A spec that a lie keeps going round ends with its worker; another one goes on.
	watchdog := time.AfterFunc(longest, func() { os.Exit(exitStuck) })
	defer watchdog.Stop()
	return w.spec.Rehearse()
}

const (
	longest   = time.Minute // for one run of a spec, which takes milliseconds and has short limits
	exitStuck = 3
)

// tellings is how often at most a lie is told: what goes unnoticed in a race may be noticed the next
// time.
const tellings = 3

// lie runs the spec with one lie, and again where nobody noticed.
func (w *worker) lie(i int, m *Mutant, r *recording, dead int) *verdict {
	var v *verdict
	start := time.Now()
	for range tellings {
		if v = w.tell(i, m, r, dead); v.Outcome != Survived || v.Rule != "" {
			break
		}
	}
	v.Seconds = time.Since(start).Seconds()
	return v
}

// tell runs the spec with one lie; dead actors are no news where the recording had as many.
func (w *worker) tell(i int, m *Mutant, r *recording, dead int) *verdict {
	l := m.liar()
	l.known = r.made
	found := w.run(l, w.part.MutantScale)
	v := &verdict{Mutant: i, Why: found.Message, At: found.Location}
	switch {
	case !l.told:
		v.Outcome = NotTold
	case found.Verdict == report.Conforms:
		v.Outcome, v.Rule = Survived, cmp.Or(l.excuse, m.excuse)
		if l.live != nil && (m.either || l.live.Regards()&actor.Either != 0) {
			exact := l.live.Regards()&actor.Exact != 0 // the spec names the number that it was told
			if m.Kind == Errno || m.Kind == Success || m.Kind == Count && exact || m.alone || m.fails {
				v.Rule = ruleEither.Name
			}
		}
	case found.Verdict == report.Deviates, l.dead > dead:
		v.Outcome = Killed
	default:
		v.Outcome = Unresolved
	}
	v.Why = strings.Join(strings.Fields(v.Why), " ")
	return v
}
