package report

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// Event says what a line of the journal is about.
type Event string

const (
	// RunEvent: a process begins to run specs.
	RunEvent Event = "run"
	// StartEvent: a spec starts.
	StartEvent Event = "start"
	// EndEvent: a spec has ended.
	EndEvent Event = "end"
	// StopEvent: a process has run its last spec.
	StopEvent Event = "stop"
)

// Line is one line of a journal.
type Line struct {
	Event Event
	Time  time.Time
	// Proc is the number of the process among those that run specs side by side, from 1; 0 for the one
	// that directs them.
	Proc int
	// Run is set in a run line, Stop in a stop line, Outcome in a start line (without a verdict)
	// and in an end line.
	Run     *Run
	Stop    *Stop
	Outcome *Outcome
}

// head is what every line begins with. The event comes first: see LinePrefix.
type head struct {
	Event  Event     `json:"event"`
	Schema int       `json:"schema,omitempty"`
	Time   time.Time `json:"time"`
	Proc   int       `json:"proc"`
}

type (
	runLine struct {
		head
		*Run
	}
	startLine struct {
		head
		Clause   string `json:"clause"`
		Suite    string `json:"suite"`
		Spec     string `json:"spec,omitempty"`
		Location string `json:"location,omitempty"`
	}
	endLine struct {
		head
		*Outcome
	}
	stopLine struct {
		head
		*Stop
	}
)

// LinePrefix begins each line, and stands nowhere else in one: within a string its quotes would be
// escaped. So a line is found again after the remains of one whose writer was killed halfway.
const LinePrefix = `{"event":`

// Journal writes what happens in a run, line by line, each by a single call of Write as soon as it
// is known, so that whatever ends the run leaves everything up to then on record.
//
// Several processes may share a journal file, since each opens it for appending. Several may share
// a pipe only as long as their lines are shorter than PIPE_BUF, which the evidence of a deviation
// need not be: give each its own.
type Journal struct {
	mu     sync.Mutex
	w      io.Writer
	closer io.Closer
	proc   int
	now    func() time.Time
	torn   bool
}

// NewJournal gives a journal that is written to w. The proc is the number of this process among
// those that run specs side by side.
func NewJournal(w io.Writer, proc int) *Journal {
	return &Journal{w: w, proc: proc, now: time.Now}
}

// OpenJournal opens the journal file at path for appending, and makes it if it is not there. With
// durable, each line is on the disk before the run goes on, so that it survives a kernel panic as
// well; that costs a write to the disk twice a spec.
func OpenJournal(path string, proc int, durable bool) (*Journal, error) {
	flags := os.O_WRONLY | os.O_APPEND | os.O_CREATE
	if durable {
		flags |= os.O_SYNC
	}
	f, err := os.OpenFile(path, flags, 0o666)
	if err != nil {
		return nil, fmt.Errorf("cannot open the journal: %w", err)
	}
	j := NewJournal(f, proc)
	j.closer = f
	return j, nil
}

// Run writes that this process begins to run specs.
func (j *Journal) Run(r Run) error {
	if len(r.Expected) > 0 {
		expected := map[string]Expectation{}
		for id, e := range r.Expected {
			expected[id] = *e.printable()
		}
		r.Expected = expected
	}
	return j.write(RunEvent, func(h head) any { h.Schema = Schema; return runLine{h, &r} })
}

// Start writes that a spec starts. Of the outcome only the clause, the suite, the spec and the
// location are known yet; the rest is not written.
func (j *Journal) Start(o Outcome) error {
	o = o.printable()
	return j.write(StartEvent, func(h head) any { return startLine{h, o.Clause, o.Suite, o.Spec, o.Location} })
}

// End writes what a spec found.
func (j *Journal) End(o Outcome) error {
	if !o.Verdict.Valid() {
		return fmt.Errorf("journal: the outcome of clause %s has no valid verdict: %q", o.Clause, o.Verdict)
	}
	o = o.printable()
	return j.write(EndEvent, func(h head) any { return endLine{h, &o} })
}

// Stop writes that this process has run its last spec.
func (j *Journal) Stop(s Stop) error {
	s.Reason = oneLine(s.Reason)
	return j.write(StopEvent, func(h head) any { return stopLine{h, &s} })
}

// Copy writes a line of another journal as it is, with its time and its process.
func (j *Journal) Copy(l Line) error {
	text, err := l.text()
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.put(text)
}

// text gives the line as it stands in a journal.
func (l Line) text() ([]byte, error) {
	h := head{Event: l.Event, Time: l.Time, Proc: l.Proc}
	switch o := l.Outcome; l.Event {
	case RunEvent:
		h.Schema = Schema
		return marshal(runLine{h, l.Run}, "")
	case StartEvent:
		return marshal(startLine{h, o.Clause, o.Suite, o.Spec, o.Location}, "")
	case EndEvent:
		return marshal(endLine{h, o}, "")
	case StopEvent:
		return marshal(stopLine{h, l.Stop}, "")
	}
	return nil, fmt.Errorf("unknown event %q", l.Event)
}

// Close closes the journal file, if OpenJournal opened one.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closer == nil {
		return nil
	}
	return j.closer.Close()
}

func (j *Journal) write(event Event, line func(head) any) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	text, err := marshal(line(head{Event: event, Time: j.now().UTC(), Proc: j.proc}), "")
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return j.put(text)
}

// put writes a line's text, below the remains of one that could not be written.
func (j *Journal) put(text []byte) error {
	if j.torn {
		text = append([]byte("\n"), text...)
	}
	n, err := j.w.Write(text)
	if err != nil {
		j.torn = j.torn || n > 0
		return fmt.Errorf("journal: %w", err)
	}
	j.torn = false
	return nil
}

// marshal writes JSON with a newline at the end, and leaves <, > and & as they are: traces are full
// of them.
func marshal(v any, indent string) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// JournalReader reads a journal line by line, also one that is still being written to a pipe.
type JournalReader struct {
	r       *bufio.Reader
	name    string
	number  int
	pending [][]byte
	end     bool
}

// NewJournalReader gives a reader of the journal in r. The name is for error messages.
func NewJournalReader(r io.Reader, name string) *JournalReader {
	return &JournalReader{r: bufio.NewReader(r), name: name}
}

// Next gives the next line, or io.EOF after the last. The remains of a line that a killed process
// did not finish are left out; anything else that is no line of a journal gives an error that says
// where it stands.
func (j *JournalReader) Next() (Line, error) {
	for {
		for len(j.pending) > 0 {
			text := j.pending[0]
			j.pending = j.pending[1:]
			line, err := parseLine(text)
			if errors.Is(err, io.ErrUnexpectedEOF) && (len(j.pending) > 0 || j.end) {
				continue
			}
			if errors.Is(err, io.ErrUnexpectedEOF) {
				err = errors.New("this is not a line of an ipcspec journal: it ends too early")
			}
			if err != nil {
				return Line{}, fmt.Errorf("%s:%d: %w", j.name, j.number, err)
			}
			return line, nil
		}
		if j.end {
			return Line{}, io.EOF
		}
		text, err := j.r.ReadBytes('\n')
		if err != nil && err != io.EOF {
			return Line{}, fmt.Errorf("%s:%d: %w", j.name, j.number+1, err)
		}
		j.end = err == io.EOF
		j.number++
		j.pending = pieces(text)
	}
}

// pieces cuts what stands between two newlines wherever a line of a journal begins. There are
// several if a process was killed while it wrote to a file that others went on writing to. Zero
// bytes are what a crash leaves at the end of a file whose size had been written before its data.
func pieces(text []byte) [][]byte {
	var out [][]byte
	for len(text) > 0 {
		next := len(text)
		if i := bytes.Index(text[1:], []byte(LinePrefix)); i >= 0 {
			next = i + 1
		}
		if piece := bytes.Trim(text[:next], "\x00 \t\r\n"); len(piece) > 0 {
			out = append(out, piece)
		}
		text = text[next:]
	}
	return out
}

// ParseLine reads one line of a journal.
func ParseLine(text []byte) (Line, error) {
	line, err := parseLine(bytes.TrimSpace(text))
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("this is not a line of an ipcspec journal: it ends too early")
	}
	return line, err
}

// parseLine reads one line. If it is only the beginning of one, the error is io.ErrUnexpectedEOF.
func parseLine(text []byte) (Line, error) {
	n := min(len(text), len(LinePrefix))
	if string(text[:n]) != LinePrefix[:n] {
		return Line{}, fmt.Errorf("this is not a line of an ipcspec journal: %.60q", text)
	}
	var h head
	// A decoder, unlike Unmarshal, tells an early end from a wrong character.
	d := json.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&h); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			return Line{}, io.ErrUnexpectedEOF
		}
		return Line{}, fmt.Errorf("this is not a line of an ipcspec journal: %w", err)
	}
	line := Line{Event: h.Event, Time: h.Time, Proc: h.Proc}
	var into any
	switch h.Event {
	case RunEvent:
		if h.Schema != Schema {
			return Line{}, fmt.Errorf("the journal has schema %d, this ipcspec reads %d: use the ipcspec that wrote it", h.Schema, Schema)
		}
		line.Run = new(Run)
		into = line.Run
	case StartEvent, EndEvent:
		line.Outcome = new(Outcome)
		into = line.Outcome
	case StopEvent:
		line.Stop = new(Stop)
		into = line.Stop
	default:
		return Line{}, fmt.Errorf("unknown event %q: use the ipcspec that wrote the journal", h.Event)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return Line{}, fmt.Errorf("%s line: %w", h.Event, err)
	}
	if o := line.Outcome; o != nil {
		if o.Clause == "" {
			return Line{}, fmt.Errorf("%s line without a clause", h.Event)
		}
		if h.Event == EndEvent && !o.Verdict.Valid() {
			return Line{}, fmt.Errorf("end line of clause %s without a verdict", o.Clause)
		}
	}
	return line, nil
}

// ReadJournal reads a whole journal, or several one after the other. The name is for error
// messages. An error comes with the lines before it.
func ReadJournal(r io.Reader, name string) ([]Line, error) {
	reader := NewJournalReader(r, name)
	var lines []Line
	for {
		line, err := reader.Next()
		if err == io.EOF {
			return lines, nil
		}
		if err != nil {
			return lines, err
		}
		lines = append(lines, line)
	}
}
