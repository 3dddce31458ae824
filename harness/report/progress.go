package report

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

const (
	// redraw is the least time between two states of the live line, plainEvery between two plain ones.
	redraw     = 100 * time.Millisecond
	plainEvery = 10 * time.Second
	// plainWidth is where a line about a clause is cut where there is no terminal to fit it to.
	plainWidth = 200
)

// Progress shows how far a run has come. On a terminal that is one line, kept up to date, with
// deviations and faults above it as they come. Elsewhere it is a line for each spec that deviates or
// stays unresolved, and one every ten seconds or so while something happens.
//
// It may be used by several goroutines. That the writer fails is no reason to end a run, so its
// errors are ignored.
type Progress struct {
	mu       sync.Mutex
	w        io.Writer
	width    func() int // of the terminal; nil where there is none
	every    time.Duration
	last     time.Time   // of the last line about the state
	timer    *time.Timer // set while a state waits to be shown
	closed   bool
	selected map[string]bool
	total    int
	verdicts map[string]Verdict
	faults   map[string]bool
	expected map[string]bool // clauses that deviate, as far as is known as expected
	running  []string
}

// NewProgress shows progress on w, towards a total number of clauses. The total may be 0 if it is
// not known; the run lines of a journal passed to Line make it known.
func NewProgress(w io.Writer, total int) *Progress {
	return newProgress(w, total, terminalWidth(w))
}

func newProgress(w io.Writer, total int, width func() int) *Progress {
	p := &Progress{
		w:        w,
		width:    width,
		every:    plainEvery,
		last:     time.Now(),
		selected: map[string]bool{},
		total:    total,
		verdicts: map[string]Verdict{},
		faults:   map[string]bool{},
		expected: map[string]bool{},
	}
	if width != nil {
		p.every = redraw
		p.last = time.Time{}
	}
	return p
}

// terminalWidth gives a function that tells the width of the terminal behind w, or nil if there is
// no terminal, or one that cannot move its cursor.
func terminalWidth(w io.Writer) func() int {
	file, ok := w.(syscall.Conn)
	if !ok || os.Getenv("TERM") == "dumb" {
		return nil
	}
	conn, err := file.SyscallConn()
	if err != nil {
		return nil
	}
	size := func() (width int, ok bool) {
		_ = conn.Control(func(fd uintptr) {
			s, err := unix.IoctlGetWinsize(int(fd), unix.TIOCGWINSZ)
			if err == nil {
				width, ok = int(s.Col), true
			}
		})
		return width, ok
	}
	if _, ok := size(); !ok {
		return nil
	}
	return func() int {
		width, _ := size()
		// A serial line does not know its width and says 0.
		return cmp.Or(width, 80)
	}
}

// Line takes a line of the journal in.
func (p *Progress) Line(l Line) {
	switch l.Event {
	case RunEvent:
		p.mu.Lock()
		for _, id := range l.Run.Selected {
			p.selected[id] = true
		}
		p.total = max(p.total, len(p.selected))
		p.mu.Unlock()
	case StartEvent:
		p.Start(*l.Outcome)
	case EndEvent:
		p.End(*l.Outcome)
	}
}

// Start says that a spec starts.
func (p *Progress) Start(o Outcome) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running = append(p.running, o.Clause)
	p.touch()
}

// End says that a spec has ended.
func (p *Progress) End(o Outcome) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.running, o.Clause); i >= 0 {
		p.running = slices.Delete(p.running, i, i+1)
	}
	p.verdicts[o.Clause] = Worst(p.verdicts[o.Clause], o.Verdict)
	if o.Verdict == Deviates && o.Expected != nil {
		p.expected[o.Clause] = true
	}
	if o.Fault != "" {
		p.faults[o.Clause] = true
	}
	if line := p.lineFor(o); line != "" && !p.closed {
		if p.width == nil {
			fmt.Fprintf(p.w, "%s\n", cut(line, plainWidth))
		} else {
			fmt.Fprintf(p.w, "\r\x1b[K%s\n", cut(line, p.width()-1))
			p.last = time.Time{} // the live line is gone: do not wait to draw it again
		}
	}
	p.touch()
}

// Close takes the live line away. Nothing is shown after it.
func (p *Progress) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	p.closed = true
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
	if p.width != nil {
		io.WriteString(p.w, "\r\x1b[K")
	}
}

// lineFor gives the line that an outcome deserves of its own, or "".
func (p *Progress) lineFor(o Outcome) string {
	var what, why string
	switch {
	case o.Verdict == Deviates && o.Expected != nil:
		if p.width != nil {
			return ""
		}
		what, why = "expected", "deviates, as expected: "+o.Expected.Why
	case o.Verdict == Deviates:
		what = "deviates"
		if o.Evidence != nil {
			why = o.Evidence.Message
		}
	case o.Fault != "":
		what, why = "fault", o.Fault
	case o.Verdict == Unresolved && p.width == nil:
		what, why = "unresolved", o.Reason
	default:
		return ""
	}
	line := fmt.Sprintf("%-10s  %s", what, o.Clause)
	if why != "" {
		line += ": " + oneLine(why)
	}
	return printable(line)
}

// touch shows the state, at once or when it is due. A single timer waits for that, and none while
// nothing happens.
func (p *Progress) touch() {
	if p.closed || p.timer != nil {
		return
	}
	wait := p.every - time.Since(p.last)
	if wait <= 0 {
		p.show()
		return
	}
	p.timer = time.AfterFunc(wait, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		// Close, or a Stop that came too late.
		if p.closed {
			return
		}
		p.timer = nil
		p.show()
	})
}

func (p *Progress) show() {
	p.last = time.Now()
	if p.width == nil {
		fmt.Fprintf(p.w, "%s\n", cut(p.state(), plainWidth))
		return
	}
	fmt.Fprintf(p.w, "\r%s\x1b[K", cut(p.state(), p.width()-1))
}

// state says in one line how far the run has come.
func (p *Progress) state() string {
	var b strings.Builder
	if p.total > 0 {
		fmt.Fprintf(&b, "%d/%s", len(p.verdicts), plural(p.total, "clause"))
	} else {
		b.WriteString(plural(len(p.verdicts), "clause"))
	}
	deviations := 0
	for id, v := range p.verdicts {
		if v == Deviates && !p.expected[id] {
			deviations++
		}
	}
	fmt.Fprintf(&b, ", %s", plural(deviations, "deviation"))
	if n := len(p.expected); n > 0 {
		fmt.Fprintf(&b, ", %d expected", n)
	}
	if n := len(p.faults); n > 0 {
		fmt.Fprintf(&b, ", %s", plural(n, "fault"))
	}
	if n := len(p.running); n > 0 {
		fmt.Fprintf(&b, "  %s", printable(p.running[n-1]))
	}
	return b.String()
}

// cut shortens a line to at most width characters, and shows that it did.
func cut(s string, width int) string {
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	if width <= 3 {
		return ""
	}
	return string([]rune(s)[:width-3]) + "..."
}
