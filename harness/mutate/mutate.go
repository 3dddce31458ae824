// Package mutate finds out whether specs can fail: it lies to them about one call at a time and
// looks whether they notice.
//
// A run of a spec is recorded first. Then the spec is run again and again, each time with one lie
// about one of the calls that its clause is about: the call is not made, made twice, made without
// a flag, or its outcome is told other than it was. A clause whose specs conform whatever they are
// told does not check anything.
package mutate

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/kernel"
	"github.com/ipcspec/ipcspec/harness/report"
	"github.com/ipcspec/ipcspec/harness/spec"
)

// Options say which clauses' specs to lie to, and how.
type Options struct {
	Filter       spec.Filter
	Procs        int   // workers side by side; 0: twice as many as CPUs, as lies often lead to waiting
	Seed         int64 // of the choice of lies where there are too many
	Most         int   // lies a spec; 0: DefaultMost
	TimeoutScale float64
	Disposable   bool
	Silence      time.Duration // how long a spec may do nothing; 0: 30 s
	Results      io.Writer     `json:"-"` // gets a line of JSON for each spec with all its mutants; may be nil
	Progress     io.Writer     `json:"-"` // may be nil
}

// DefaultMost is how many lies at most are told to one spec.
const DefaultMost = 400

// mutantLimit is the scale of time limits in runs with a lie: a spec that waits in vain costs half
// a second.
const mutantLimit = 0.05

// A SpecResult is what lying to one spec has shown.
type SpecResult struct {
	Clause   string         `json:"clause"`
	Spec     string         `json:"spec,omitempty"`
	At       string         `json:"at"`
	Verdict  report.Verdict `json:"verdict"` // without a lie; only where it conforms is it lied to
	Reason   string         `json:"reason,omitempty"`
	Unsteady bool           `json:"unsteady,omitempty"`
	Calls    map[string]int `json:"calls,omitempty"`
	Mutants  []MutantResult `json:"mutants,omitempty"`
	Excluded map[string]int `json:"excluded,omitempty"`
	Seconds  float64        `json:"seconds"`
}

// A MutantResult is a mutant and what became of it.
type MutantResult struct {
	*Mutant
	Outcome Outcome `json:"outcome"`
	Rule    string  `json:"rule,omitempty"` // that explains why it survived
	By      string  `json:"by,omitempty"`   // the clause that notices instead
	Why     string  `json:"why,omitempty"`
	Noticed string  `json:"noticed_at,omitempty"`
	Seconds float64 `json:"seconds"`
}

// Local lies to the specs of the selected clauses on this machine.
func Local(ctx context.Context, o Options) (Report, error) {
	d, clauses, err := o.director()
	if err != nil {
		return Report{}, err
	}
	facts := kernel.Gather()
	if o.Procs == 0 {
		o.Procs = 2 * facts.CPUs
	}
	var together, alone []harness.Spec
	for _, s := range selected(clauses) {
		if s.Clause.Needs.Serial {
			alone = append(alone, s)
		} else {
			together = append(together, s)
		}
	}
	start := time.Now()
	err = d.direct(ctx, together, o.Procs)
	if err == nil && ctx.Err() == nil {
		err = d.direct(ctx, alone, 1)
	}
	if err == nil && ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	return d.report(clauses, facts, time.Since(start).Seconds()), err
}

// director completes the options, refuses what is wrong with them, and gives a director for them and
// the selected clauses.
func (o Options) director() (*director, []*spec.Clause, error) {
	if problems := harness.Problems(); len(problems) > 0 {
		return nil, nil, fmt.Errorf("specs and catalogue do not fit each other:\n%s", strings.Join(problems, "\n"))
	}
	catalogue, err := harness.Catalogue()
	if err != nil {
		return nil, nil, err
	}
	clauses, err := catalogue.Select(o.Filter)
	if err != nil {
		return nil, nil, err
	}
	o.Most = cmp.Or(o.Most, DefaultMost)
	o.TimeoutScale = cmp.Or(o.TimeoutScale, 1)
	return &director{
		options: o,
		part: part{
			Seed: o.Seed, Most: o.Most, TimeoutScale: o.TimeoutScale,
			MutantScale: mutantLimit * o.TimeoutScale, Disposable: o.Disposable,
		},
		silence: cmp.Or(o.Silence, time.Duration(30*float64(time.Second)*max(1, o.TimeoutScale))),
		all:     len(selected(clauses)),
	}, clauses, nil
}

// Check refuses options that select nothing, or what there is not, before a machine is started for
// them.
func (o Options) Check() error {
	_, _, err := o.director()
	return err
}

// selected are the specs of these clauses.
func selected(clauses []*spec.Clause) []harness.Spec {
	return slices.DeleteFunc(slices.Clone(harness.Specs()), func(s harness.Spec) bool { return !slices.Contains(clauses, s.Clause) })
}

// report makes the report of what was kept.
func (d *director) report(clauses []*spec.Clause, facts kernel.Facts, seconds float64) Report {
	found := newReport(clauses, d.results)
	found.Tool, found.Kernel, found.Seed, found.Most, found.Seconds = harness.Version(), facts, d.options.Seed, d.options.Most, seconds
	return found
}

// A director hands specs to workers and keeps what they find.
type director struct {
	options Options
	part    part
	silence time.Duration // how long a worker may say nothing; then it hangs
	all     int

	mu      sync.Mutex
	results []SpecResult
	mutants int
}

func (d *director) direct(ctx context.Context, specs []harness.Spec, procs int) error {
	queue := make(chan harness.Spec)
	failed, fail := context.WithCancel(ctx)
	defer fail()
	go func() {
		defer close(queue)
		for _, s := range specs {
			select {
			case queue <- s:
			case <-failed.Done():
				return
			}
		}
	}()
	errs := make([]error, min(procs, len(specs)))
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			if errs[i] = d.keepWorking(failed, queue); errs[i] != nil {
				fail()
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (d *director) keepWorking(ctx context.Context, queue <-chan harness.Spec) error {
	var w *process
	defer func() { w.stop() }()
	for s := range queue {
		found := SpecResult{Clause: s.Clause.ID, Spec: s.Name, At: s.At.String()}
		start := time.Now()
		for finished := false; !finished; {
			if ctx.Err() != nil {
				return nil
			}
			if w == nil {
				var err error
				if w, err = d.start(); err != nil {
					return fmt.Errorf("start a worker: %w", err)
				}
			}
			if finished = w.work(ctx, s, &found, d.silence); !finished {
				how := w.stop()
				w = nil
				switch {
				case ctx.Err() != nil:
					return nil
				case found.Verdict == "":
					found.Verdict, found.Reason = report.Unresolved, "the worker died while it recorded the spec: "+how
					finished = true
				case len(found.Mutants) == 0 && found.Verdict != report.Conforms:
					finished = true
				default:
					finished = !found.bury(how)
				}
			}
		}
		found.Seconds = time.Since(start).Seconds()
		d.keep(found)
	}
	return nil
}

// bury counts the mutant in whose run the worker died as killed; false where there is none left.
func (s *SpecResult) bury(how string) bool {
	for i := range s.Mutants {
		if s.Mutants[i].Outcome == "" {
			s.Mutants[i].Outcome, s.Mutants[i].Why = Killed, "the process that ran the spec ended: "+how
			return i+1 < len(s.Mutants)
		}
	}
	return false
}

func (d *director) keep(s SpecResult) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.results = append(d.results, s)
	d.mutants += len(s.Mutants)
	if d.options.Results != nil {
		_ = json.NewEncoder(d.options.Results).Encode(s) // the file's Close tells of trouble
	}
	if d.options.Progress != nil && (len(d.results)%50 == 0 || len(d.results) == d.all) {
		fmt.Fprintf(d.options.Progress, "%d of %d specs, %d mutants\n", len(d.results), d.all, d.mutants)
	}
}

// A process is a worker.
type process struct {
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	answers *os.File
	lines   *json.Decoder
	words   strings.Builder
}

func (d *director) start() (*process, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer write.Close()
	w := &process{cmd: exec.Command("/proc/self/exe"), answers: read, lines: json.NewDecoder(read)}
	config, err := json.Marshal(d.part)
	if err != nil {
		return nil, err
	}
	w.cmd.Env = append(os.Environ(), workerEnv+"="+string(config))
	w.cmd.ExtraFiles = []*os.File{write}
	w.cmd.Stderr = &w.words
	w.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	w.cmd.WaitDelay = time.Second
	if w.stdin, err = w.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	return w, w.cmd.Start()
}

// stop ends a worker, if it has not ended by itself, and says how it ended.
func (w *process) stop() string {
	if w == nil {
		return ""
	}
	w.stdin.Close()
	_ = w.cmd.Process.Kill()
	err := w.cmd.Wait()
	w.answers.Close()
	how := fmt.Sprint(err)
	if text := strings.TrimSpace(w.words.String()); text != "" {
		first, _, _ := strings.Cut(text, "\n")
		how += ": " + first
	}
	return how
}

// work has a worker lie to a spec, from where an earlier worker has left off; false where the
// worker ended or hung.
func (w *process) work(ctx context.Context, s harness.Spec, found *SpecResult, silence time.Duration) bool {
	from := 0
	for from < len(found.Mutants) && found.Mutants[from].Outcome != "" {
		from++
	}
	text, err := json.Marshal(order{Spec: s.Sequence, From: from})
	if err != nil {
		return false
	}
	if _, err := w.stdin.Write(append(text, '\n')); err != nil {
		return false
	}
	kill := func() { _ = w.cmd.Process.Kill() }
	watchdog := time.AfterFunc(silence, kill)
	defer watchdog.Stop()
	defer context.AfterFunc(ctx, kill)()
	for {
		var a answer
		if err := w.lines.Decode(&a); err != nil {
			return false
		}
		watchdog.Reset(silence)
		switch {
		case a.Plan != nil:
			if found.Verdict == "" {
				found.take(*a.Plan)
			} else {
				found.resume(*a.Plan, from)
			}
		case a.Result != nil && a.Result.Mutant < len(found.Mutants):
			m := &found.Mutants[a.Result.Mutant]
			m.Outcome, m.Rule, m.Why, m.Noticed, m.Seconds = a.Result.Outcome, a.Result.Rule, a.Result.Why, a.Result.At, a.Result.Seconds
		case a.Done:
			return true
		}
	}
}

func (s *SpecResult) take(p specPlan) {
	s.Verdict, s.Reason, s.Unsteady, s.Calls, s.Excluded = p.Verdict, p.Reason, p.Unsteady, p.Calls, p.Excluded
	for _, m := range p.Mutants {
		s.Mutants = append(s.Mutants, MutantResult{Mutant: m})
	}
}

// resume takes, from one of the mutants on, what another worker is going to lie: where a spec does not
// make the same calls in each run, those may be other lies.
func (s *SpecResult) resume(p specPlan, from int) {
	s.Mutants = s.Mutants[:from]
	for _, m := range p.Mutants[min(from, len(p.Mutants)):] {
		s.Mutants = append(s.Mutants, MutantResult{Mutant: m})
	}
}
