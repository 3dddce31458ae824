// Package target runs specs where the kernel under test is not this process's own: in a virtual
// machine or a container.
//
// The same program is at both ends. The near end ([Follow]) gives an order to the far end
// ([Inside]), a line of JSON with all that a run needs to know, and keeps the channel open: a second
// line interrupts the run, and the end of the channel ends it at once, since nobody is left to hear
// of it. The far end answers with the journal, line by line as it is written, and with a last line
// that says that it is done. Whatever ends the far end in between, the near end has everything up to
// then, and knows what was running.
package target

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/report"
	"github.com/ipcspec/ipcspec/harness/run"
)

// Env is the variable that makes the program the far end: as the first process of the target, which
// has another process run and reaps what is left to it, or as that process.
const (
	Env   = "IPCSPEC_INSIDE"
	first = "first"
	runs  = "run"

	// First is the setting for the first process.
	First = Env + "=" + first
)

// IsInside says whether this process is to play the far end's part.
func IsInside() bool { return os.Getenv(Env) != "" }

// Play plays the far end's part on standard input and output and returns the exit code. As the
// first process it looks after the others.
func Play() int {
	if os.Getenv(Env) == first {
		code, err := Reap(os.Environ())
		if err != nil {
			fmt.Fprintln(os.Stderr, "ipcspec:", err)
		}
		return code
	}
	_ = os.Unsetenv(Env)
	return Inside(os.Stdin, os.Stdout)
}

// Reap has a second process run, with this one's standard files, and reaps all that is left to the
// first process of a system until that one ends. It returns its exit code.
func Reap(env []string) (int, error) {
	pid, err := syscall.ForkExec("/proc/self/exe", []string{"ipcspec"}, &syscall.ProcAttr{
		Dir: "/", Env: append(without(env, Env), Env+"="+runs), Files: []uintptr{0, 1, 2},
		Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return report.ExitFault, fmt.Errorf("start the run (/proc/self/exe): %w", err)
	}
	for {
		var status syscall.WaitStatus
		ended, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return report.ExitFault, fmt.Errorf("wait for the run: %w", err)
		case ended == pid && status.Exited():
			return status.ExitStatus(), nil
		case ended == pid:
			return report.ExitFault, fmt.Errorf("the run was ended by %v", status.Signal())
		}
	}
}

func without(env []string, name string) []string {
	var rest []string
	for _, setting := range env {
		if !strings.HasPrefix(setting, name+"=") {
			rest = append(rest, setting)
		}
	}
	return rest
}

// A message is what the near end says after the order.
type message struct {
	Interrupt bool `json:"interrupt"`
}

// over is the far end's last line.
type over struct {
	Over  bool   `json:"over"`
	Error string `json:"error,omitempty"`
}

const overPrefix = `{"over":`

// Inside reads an order, runs what it asks for, and tells the journal. It returns the exit code.
func Inside(orders io.Reader, tell io.Writer) int {
	fail := func(err error) int {
		fmt.Fprintln(os.Stderr, "ipcspec:", err)
		return report.ExitFault
	}
	in := bufio.NewReader(orders)
	text, err := in.ReadBytes('\n')
	if err != nil {
		return fail(fmt.Errorf("no order: %w", err))
	}
	var o run.Options
	if err := json.Unmarshal(text, &o); err != nil {
		return fail(fmt.Errorf("the order: %w", err))
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		for {
			text, err := in.ReadBytes('\n')
			if err != nil {
				// The near end is gone; the keepers of the workers tidy up.
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			}
			var m message
			if json.Unmarshal(text, &m) == nil && m.Interrupt {
				cancel()
			}
		}
	}()
	journal := report.NewJournal(tell, 0)
	o.Progress = io.Discard
	if file, ok := tell.(*os.File); ok && report.IsSerial(file) {
		// Through this process a line might be on its way yet when the kernel panics.
		o.Line, tell = file, report.WholeLines(file)
	} else {
		o.Tell = func(l report.Line) {
			if err := journal.Copy(l); err != nil {
				fmt.Fprintln(os.Stderr, "ipcspec: cannot tell of the run:", err)
			}
		}
	}
	_, err = run.Local(ctx, o)
	end := over{Over: true}
	if err != nil {
		end.Error = err.Error()
	}
	text, err = json.Marshal(end)
	if err == nil {
		_, err = tell.Write(append(text, '\n'))
	}
	if err != nil {
		return fail(err)
	}
	return report.ExitConforms
}

// A Line is the channel to a far end.
type Line struct {
	Orders io.WriteCloser
	Told   io.Reader
	// Hang is called when the far end has said nothing for longer than the limit, or goes on long after
	// it was interrupted: it must have Told come to its end.
	Hang func()
	// Explain, where it is set, says what ended a far end that did not say that it was done, in one
	// line and in lines that show it. That becomes the fault of what was running.
	Explain func(End) (fault string, evidence []string)
	// Start is how long the far end may need to begin with a first line, Silence for any further one.
	Start, Silence time.Duration
}

// An End is how a run at a target ended.
type End struct {
	Over     bool     // it said that it was done
	Error    string   // what it said of a failure of its own
	Silent   bool     // it was given up on, since it had said nothing for too long
	Stubborn bool     // it was given up on, since it went on after it was interrupted
	Began    bool     // there was at least one line of the journal
	Noise    string   // the last of what came that was no line of ours
	Running  []string // the clauses that were being checked
}

// interruptLimit is how long the far end may take to come to its end when it is interrupted.
const interruptLimit = 20 * time.Second

// Prepare completes the options of a run that is going to be ordered, and finds out what they ask
// for, so that what is wrong with them is said before any target is started.
func Prepare(o *run.Options) (run.Plan, error) {
	plan, err := o.Plan()
	if err != nil {
		return plan, err
	}
	if o.Seed == 0 {
		o.Seed = time.Now().Unix()
	}
	files, err := harness.ReadExpectations(o.Expect...)
	o.NoExpect = o.NoExpect || len(files) < len(o.Expect) // one of them was none
	o.Expecting, o.Expect = files, nil
	return plan, err
}

// Follow gives the order and follows the run to its end: it shows the progress, keeps the journal,
// and makes the results of it. The options have been prepared. Cancelling the context interrupts the
// run. The error says what this end failed at; how the far end ended is in the End.
func Follow(ctx context.Context, o run.Options, plan run.Plan, line Line) (report.Results, End, error) {
	var end End
	f := &follower{options: o, end: &end, progress: report.NewProgress(o.Progress, len(plan.IDs))}
	defer f.progress.Close()
	var file *os.File
	if o.Journal != "" {
		var err error
		if file, err = os.OpenFile(o.Journal, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o666); err != nil {
			return report.Results{}, end, fmt.Errorf("the journal: %w: give --results a place that can be written", err)
		}
		defer file.Close()
		f.journal = report.NewJournal(file, 0)
	}
	order, err := json.Marshal(o)
	if err != nil {
		return report.Results{}, end, err
	}
	var giveUp sync.Once
	hang := func(why *bool) {
		giveUp.Do(func() {
			f.mu.Lock()
			*why = true
			f.mu.Unlock()
			line.Hang()
		})
	}
	// What cannot be written is explained by the end of what can be read.
	go func() { _, _ = line.Orders.Write(append(order, '\n')) }()
	watchdog := time.AfterFunc(line.Start, func() { hang(&end.Silent) })
	defer watchdog.Stop()
	stop := context.AfterFunc(ctx, func() {
		go func() { _, _ = io.WriteString(line.Orders, `{"interrupt":true}`+"\n") }()
		time.AfterFunc(interruptLimit, func() { hang(&end.Stubborn) })
	})
	defer stop()
	in := bufio.NewReader(line.Told)
	for {
		text, err := in.ReadBytes('\n')
		if f.take(text) {
			watchdog.Reset(line.Silence)
		}
		if err != nil {
			break
		}
	}
	giveUp.Do(func() {}) // too late for that
	for _, l := range f.running {
		end.Running = append(end.Running, l.Outcome.Clause)
	}
	if line.Explain != nil && !end.Over {
		f.mourn(line.Explain(end))
	}
	infos, err := harness.ClauseInfos(plan.IDs)
	died := "the target ended while this clause was being checked"
	if end.Silent {
		died = "the target said nothing any more while this clause was being checked"
	}
	found := report.Fold(f.lines, infos, report.Died(died))
	if len(f.lines) == 0 {
		found.Clauses, found.Interrupted = nil, true
	}
	return found, end, errors.Join(err, f.err)
}

type follower struct {
	options  run.Options
	progress *report.Progress
	journal  *report.Journal
	mu       sync.Mutex
	end      *End
	lines    []report.Line
	running  []report.Line // the specs that have started and not ended
	err      error
}

// mostNoise bounds what is kept of it.
const mostNoise = 4 << 10

// take takes what stands on a line, and says whether that came from the far end.
func (f *follower) take(text []byte) bool {
	if i := bytes.Index(text, []byte(overPrefix)); i >= 0 {
		var o over
		if json.Unmarshal(bytes.TrimSpace(text[i:]), &o) == nil && o.Over {
			f.end.Over, f.end.Error = true, o.Error
			return true
		}
	}
	i := bytes.Index(text, []byte(report.LinePrefix))
	if i < 0 {
		if text = bytes.TrimSpace(text); len(text) > 0 {
			f.end.Noise += string(text) + "\n"
			f.end.Noise = f.end.Noise[max(0, len(f.end.Noise)-mostNoise):]
		}
		return false
	}
	l, err := report.ParseLine(text[i:])
	if err != nil {
		return false // the remains of a line; the end explains them
	}
	f.end.Began = true
	f.keep(l)
	return true
}

// keep keeps a line of the journal.
func (f *follower) keep(l report.Line) {
	f.lines = append(f.lines, l)
	if f.options.Tell != nil {
		f.options.Tell(l)
	}
	switch l.Event {
	case report.StartEvent:
		f.running = append(f.running, l)
	case report.EndEvent:
		if i := slices.IndexFunc(f.running, func(s report.Line) bool {
			return s.Proc == l.Proc && s.Outcome.Clause == l.Outcome.Clause && s.Outcome.Spec == l.Outcome.Spec
		}); i >= 0 {
			f.running = slices.Delete(f.running, i, i+1)
		}
	}
	if f.journal != nil && f.err == nil {
		f.err = f.journal.Copy(l)
	}
	f.progress.Line(l)
}

// mourn ends the specs that were running, as the far end could not any more.
func (f *follower) mourn(fault string, evidence []string) {
	if fault == "" {
		return
	}
	for _, l := range slices.Clone(f.running) {
		o := *l.Outcome
		o.Verdict, o.Fault = report.Unresolved, fault
		o.Evidence = &report.Evidence{Message: fault, Location: o.Location, Trace: evidence}
		f.keep(report.Line{Event: report.EndEvent, Time: time.Now().UTC(), Proc: l.Proc, Outcome: &o})
	}
}
