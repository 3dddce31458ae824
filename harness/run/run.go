// Package run runs specs on this machine: it directs workers, processes of the same program that
// run specs side by side, and survives whatever becomes of them.
package run

import (
	"bytes"
	"cmp"
	"context"
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

	"github.com/onsi/ginkgo/v2/types"
	"golang.org/x/sys/unix"

	"github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/expect"
	"github.com/ipcspec/ipcspec/harness/kernel"
	"github.com/ipcspec/ipcspec/harness/report"
	"github.com/ipcspec/ipcspec/harness/spec"
)

// Options say what to run and how.
type Options struct {
	Filter       spec.Filter `json:"filter"`
	LabelFilter  string      `json:"label_filter"`  // in ginkgo's language, over the labels of specs
	Procs        int         `json:"procs"`         // workers side by side; 0: as many as CPUs
	Seed         int64       `json:"seed"`          // of the order of specs; 0: from the clock
	RandomizeAll bool        `json:"randomize_all"` // mix all specs, not only their groups
	TimeoutScale float64     `json:"timeout_scale"`
	Disposable   bool        `json:"disposable"`
	NoExpect     bool        `json:"no_expect"` // leave out the expectations that ipcspec brings along
	Command      []string    `json:"command"`

	Expect    []string      `json:"-"`         // files of expectations besides those
	Expecting []expect.File `json:"expecting"` // such files that have been read

	// Target says where this is. Its kernel's facts are found; only the runtime is taken from here,
	// if it is known. The zero value is this machine.
	Target report.Target `json:"target"`

	Journal  string            `json:"-"` // file to keep the journal in; "" for none
	Tell     func(report.Line) `json:"-"` // is told each line of the journal; one at a time
	Line     *os.File          `json:"-"` // a serial line that the workers keep the journal on, in place of a file
	Progress io.Writer         `json:"-"`
}

// A Plan is what a run is going to do.
type Plan struct {
	Clauses []*spec.Clause
	IDs     []string // theirs
	Specs   []string // ids again, once a spec
	Entries []expect.Entry
}

// Plan finds out what the options ask for. An error says what is wrong with them.
func (o Options) Plan() (Plan, error) {
	if problems := harness.Problems(); len(problems) > 0 {
		return Plan{}, fmt.Errorf("specs and catalogue do not fit each other:\n%s", strings.Join(problems, "\n"))
	}
	selected, err := selection(o)
	if err != nil {
		return Plan{}, err
	}
	p := Plan{Clauses: selected}
	labels := harness.SpecLabels()
	for _, c := range selected {
		p.IDs = append(p.IDs, c.ID)
		for _, of := range labels[c.ID] { // a clause that has no spec is untested
			if o.matches(of) {
				p.Specs = append(p.Specs, c.ID)
			}
		}
	}
	if len(o.Expecting) > 0 {
		p.Entries, err = harness.ExpectationsIn(o.NoExpect, o.Expecting)
	} else {
		p.Entries, err = harness.Expectations(o.NoExpect, o.Expect...)
	}
	return p, err
}

// maxReplacements bounds how many workers may die in one run before it is given up.
const maxReplacements = 25

// Local runs the selected clauses' specs. It returns what was found, also with an error: then the
// run did not come to its end. Cancelling the context interrupts it.
func Local(ctx context.Context, o Options) (report.Results, error) {
	if o.Seed == 0 {
		o.Seed = time.Now().Unix()
	}
	facts := kernel.Gather()
	if facts.Runtime != "gvisor" { // a kernel of its own, which shows itself
		facts.Runtime = cmp.Or(o.Target.Kernel.Runtime, facts.Runtime)
	}
	if o.Procs == 0 {
		o.Procs = facts.CPUs
	}
	plan, err := o.Plan()
	if err != nil {
		return report.Results{}, err
	}
	selected := plan.Clauses
	target := o.Target
	target.Kind, target.Kernel = cmp.Or(target.Kind, "local"), facts
	expected := expect.Apply(plan.Entries, target, selected)
	labels := harness.SpecLabels()
	for id, e := range expected {
		e.Specs = len(labels[id])
		expected[id] = e
	}
	d := &director{
		options: o,
		run: report.Run{
			Tool:   harness.Version(),
			Target: target,
			Options: report.Options{
				Command: o.Command, Selection: o.words(), Seed: o.Seed, Procs: o.Procs,
				TimeoutScale: o.TimeoutScale, Disposable: o.Disposable,
			},
			Suites: suitesOf(selected), Selected: plan.Specs, Expected: expected,
		},
		progress: report.NewProgress(o.Progress, len(plan.IDs)),
		silence:  time.Duration(120 * float64(time.Second) * max(o.TimeoutScale, 1)),
	}
	defer d.progress.Close()
	if err := d.open(); err != nil {
		return report.Results{}, err
	}
	defer d.close()

	var together, alone []string
	for _, c := range selected {
		if c.Needs.Serial {
			alone = append(alone, c.ID)
		} else {
			together = append(together, c.ID)
		}
	}
	err = d.direct(ctx, together, o.Procs)
	if err == nil && ctx.Err() == nil {
		err = d.direct(ctx, alone, 1)
	}
	if ctx.Err() != nil {
		// The workers may have been between two specs, or not even there: only the director knows.
		d.say(0, func(j *report.Journal) error { return j.Stop(report.Stop{Interrupted: true}) })
	}
	infos, infoErr := harness.ClauseInfos(plan.IDs)
	return report.Fold(d.lines, infos), errors.Join(err, infoErr)
}

// selection returns the clauses that the options select.
func selection(o Options) ([]*spec.Clause, error) {
	catalogue, err := harness.Catalogue()
	if err != nil {
		return nil, err
	}
	clauses, err := catalogue.Select(o.Filter)
	if err != nil || o.LabelFilter == "" {
		return clauses, err
	}
	if _, err := types.ParseLabelFilter(o.LabelFilter); err != nil {
		return nil, fmt.Errorf("--label-filter %q is malformed: write a query such as 'suite:pipes && !level:posix' (ginkgo's documentation of label filters)", o.LabelFilter)
	}
	labels := harness.SpecLabels()
	clauses = slices.DeleteFunc(slices.Clone(clauses), func(c *spec.Clause) bool {
		return !slices.ContainsFunc(labels[c.ID], o.matches)
	})
	if len(clauses) == 0 {
		return nil, fmt.Errorf("--label-filter %q selects no clause: ipcspec list shows what there is", o.LabelFilter)
	}
	return clauses, nil
}

// matches says whether the label filter, which is in order, matches a spec's labels.
func (o Options) matches(labels []string) bool {
	if o.LabelFilter == "" {
		return true
	}
	matches, err := types.ParseLabelFilter(o.LabelFilter)
	return err == nil && matches(labels)
}

func suitesOf(clauses []*spec.Clause) []string {
	var suites []string
	for _, c := range clauses {
		if !slices.Contains(suites, c.Suite) {
			suites = append(suites, c.Suite)
		}
	}
	return suites
}

// words is the selection as the results file keeps it.
func (o Options) words() []string {
	var words []string
	for _, s := range o.Filter.Suites {
		words = append(words, "suite "+s)
	}
	for _, c := range o.Filter.IDs {
		words = append(words, "clause "+c)
	}
	if o.LabelFilter != "" {
		words = append(words, "labels "+o.LabelFilter)
	}
	return words
}

// A director starts workers, listens to them, and replaces those that die.
type director struct {
	options  Options
	run      report.Run
	progress *report.Progress
	claims   *os.File
	journal  *os.File
	silence  time.Duration // how long a worker may say nothing

	mu           sync.Mutex
	lines        []report.Line
	replacements int
}

func (d *director) open() error {
	fd, err := unix.MemfdCreate("ipcspec-claims", unix.MFD_CLOEXEC)
	if err != nil {
		return fmt.Errorf("make memory for the workers to share: %w", err)
	}
	d.claims = os.NewFile(uintptr(fd), "claims")
	if err := d.claims.Truncate(int64(max(4*harness.Sequence(), 4))); err != nil {
		return fmt.Errorf("make memory for the workers to share: %w", err)
	}
	switch {
	case d.options.Line != nil:
		d.journal = d.options.Line
	case d.options.Journal != "":
		d.journal, err = os.OpenFile(d.options.Journal, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o666)
		if err != nil {
			return fmt.Errorf("the journal: %w: give --results a place that can be written", err)
		}
	}
	return nil
}

func (d *director) close() {
	d.claims.Close()
	if d.journal != nil && d.journal != d.options.Line {
		d.journal.Close()
	}
}

// direct has the clauses checked by a number of workers.
func (d *director) direct(ctx context.Context, clauses []string, procs int) error {
	if len(clauses) == 0 {
		return nil
	}
	var wg sync.WaitGroup
	errs := make([]error, min(procs, len(clauses)))
	for i := range errs {
		wg.Go(func() { errs[i] = d.keepWorking(ctx, clauses, i+1) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// keepWorking runs a worker, and another one in its place for as long as they die before the work
// is done.
func (d *director) keepWorking(ctx context.Context, clauses []string, proc int) error {
	for {
		w, err := d.start(clauses, proc)
		if err != nil {
			return fmt.Errorf("start a worker: %w", err)
		}
		end := w.follow(ctx)
		pass(end.words)
		if end.stopped || ctx.Err() != nil {
			return nil
		}
		d.mu.Lock()
		d.replacements++
		tooMany := d.replacements > maxReplacements
		d.mu.Unlock()
		switch {
		case !end.worked:
			return fmt.Errorf("a worker ended (%s) before it had run a single spec\n%s", end.how, end.words)
		case tooMany:
			return fmt.Errorf("more than %d workers have died; the last one: %s\n%s", maxReplacements, end.how, end.words)
		}
	}
}

// pass says what a worker had to say that no journal is for: what it could not clean up.
func pass(words string) {
	for line := range strings.Lines(words) {
		if strings.HasPrefix(line, "ipcspec: ") {
			fmt.Fprint(os.Stderr, line)
		}
	}
}

// take keeps a line of a worker's journal.
func (d *director) take(l report.Line) {
	d.mu.Lock()
	d.lines = append(d.lines, l)
	if d.options.Tell != nil {
		d.options.Tell(l)
	}
	d.mu.Unlock()
	d.progress.Line(l)
}

// A workerProcess is one process, from its start to its end.
type workerProcess struct {
	d     *director
	proc  int
	cmd   *exec.Cmd
	stdin io.Closer
	told  *os.File // the journal, as it is written
	words tail     // what it wrote to standard error
}

// An end is what became of a worker.
type end struct {
	stopped bool // it said that it had done its part
	worked  bool // it had begun at least one spec
	how     string
	words   string
}

func (d *director) start(clauses []string, proc int) (*workerProcess, error) {
	told, tell, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer tell.Close()
	w := &workerProcess{d: d, proc: proc, told: told, cmd: exec.Command("/proc/self/exe")}
	part := harness.Worker{
		Proc: proc, Claims: 3, Journals: []int{4}, Clauses: clauses, Run: d.run,
		LabelFilter: d.options.LabelFilter, RandomizeAll: d.options.RandomizeAll,
	}
	w.cmd.ExtraFiles = []*os.File{d.claims, tell}
	if d.journal != nil {
		// The file first: a line that was told of is a line that is kept.
		part.Journals = []int{5, 4}
		w.cmd.ExtraFiles = append(w.cmd.ExtraFiles, d.journal)
	}
	file, setting, err := part.Part(3 + len(w.cmd.ExtraFiles))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	w.cmd.ExtraFiles = append(w.cmd.ExtraFiles, file)
	w.cmd.Env = append(os.Environ(), setting)
	w.cmd.Stderr = &w.words
	// In a group of its own, so that ^C reaches the director only, which passes it on.
	w.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if w.stdin, err = w.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	// A dead worker's keeper holds standard error for a moment; nobody needs to wait for that.
	w.cmd.WaitDelay = time.Second
	return w, w.cmd.Start()
}

// follow listens to a worker until it ends, interrupts it when the context is cancelled, and kills
// it when it has said nothing for too long.
func (w *workerProcess) follow(ctx context.Context) end {
	defer w.told.Close()
	defer w.stdin.Close()
	stopIt := context.AfterFunc(ctx, func() {
		_ = w.cmd.Process.Signal(unix.SIGINT)
		time.AfterFunc(10*time.Second, func() { _ = w.cmd.Process.Kill() })
	})
	defer stopIt()
	watchdog := time.AfterFunc(w.d.silence, func() { _ = w.cmd.Process.Kill() })
	defer watchdog.Stop()

	var e end
	var started *report.Outcome
	reader := report.NewJournalReader(w.told, fmt.Sprintf("the journal of worker %d", w.proc))
	for {
		line, err := reader.Next()
		if err != nil {
			break // the worker has ended, or says what it cannot mean, which its end will explain
		}
		watchdog.Reset(w.d.silence)
		w.d.take(line)
		switch line.Event {
		case report.StartEvent:
			started, e.worked = line.Outcome, true
		case report.EndEvent:
			started = nil
		case report.StopEvent:
			e.stopped = line.Stop != nil && (!line.Stop.Interrupted || ctx.Err() != nil)
		}
	}
	err := w.cmd.Wait()
	e.how, e.words = "its end is unknown", w.words.String()
	if state := w.cmd.ProcessState; state != nil {
		e.how = state.String()
	} else if err != nil {
		e.how = err.Error()
	}
	if started != nil {
		w.mourn(*started, e, ctx)
	}
	if code := w.cmd.ProcessState.ExitCode(); code == harness.ExitReplace {
		e.stopped = false
	}
	return e
}

// mourn writes what the worker could not write any more: that it died while it ran a spec.
func (w *workerProcess) mourn(o report.Outcome, e end, ctx context.Context) {
	o.Verdict = report.Unresolved
	if ctx.Err() != nil {
		o.Reason = "the run was interrupted while this clause was being checked"
	} else {
		o.Fault = "the worker died while this clause was being checked: " + e.how
		if e.words != "" {
			o.Evidence = &report.Evidence{Message: o.Fault, Trace: strings.Split(strings.TrimSpace(e.words), "\n")}
		}
	}
	w.d.say(w.proc, func(j *report.Journal) error { return j.End(o) })
}

// say writes a line of the director's own into the journal, about the worker of that number or, with
// 0, about the run.
func (d *director) say(proc int, write func(*report.Journal) error) {
	var text bytes.Buffer
	if err := write(report.NewJournal(&text, proc)); err != nil {
		return
	}
	if d.journal != nil {
		if _, err := report.WholeLines(d.journal).Write(text.Bytes()); err != nil {
			fmt.Fprintln(os.Stderr, "ipcspec: the journal cannot be written:", err)
		}
	}
	if lines, err := report.ReadJournal(&text, "journal"); err == nil {
		for _, l := range lines {
			d.take(l)
		}
	}
}

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const tailSize = 8 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if len(t.text) > tailSize {
		t.text = t.text[len(t.text)-tailSize:]
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}
