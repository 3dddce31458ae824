package report

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
)

func TestJournalRoundTrip(t *testing.T) {
	lines := sampleLines(t)
	if len(lines) != 2+2*len(sampleOutcomes) {
		t.Fatalf("%d lines", len(lines))
	}
	if first := lines[0]; first.Event != RunEvent || !reflect.DeepEqual(*first.Run, sampleRun) || first.Proc != 1 || first.Stop != nil || first.Outcome != nil {
		t.Errorf("run line came back as %+v %+v", first, first.Run)
	}
	now := ticking()
	for i, line := range lines {
		if !line.Time.Equal(now()) {
			t.Errorf("line %d has the time %v", i+1, line.Time)
		}
	}
	for i, o := range sampleOutcomes {
		start, end := lines[1+2*i], lines[2+2*i]
		if want := (Outcome{Clause: o.Clause, Suite: o.Suite, Spec: o.Spec, Location: o.Location}); start.Event != StartEvent || !reflect.DeepEqual(*start.Outcome, want) {
			t.Errorf("start line came back as %+v", start.Outcome)
		}
		if end.Event != EndEvent || !reflect.DeepEqual(*end.Outcome, o) {
			t.Errorf("end line came back as %+v, want %+v", end.Outcome, o)
		}
	}
	if last := lines[len(lines)-1]; last.Event != StopEvent || last.Stop.Interrupted {
		t.Errorf("stop line came back as %+v", last)
	}
}

func TestJournalFormat(t *testing.T) {
	var b bytes.Buffer
	j := NewJournal(&b, 3)
	j.now = ticking()
	check(t, j.Run(Run{Tool: "v0"}))
	check(t, j.Start(Outcome{Clause: "a.b", Suite: "s", Spec: "S", Verdict: Deviates}))
	check(t, j.End(Outcome{Clause: "a.b", Suite: "s", Verdict: Deviates, Seconds: 0.5, Evidence: &Evidence{Message: "<a> & \"b\""}}))
	check(t, j.Stop(Stop{Interrupted: true, Reason: "SIGINT\nagain"}))
	got := strings.Split(b.String(), "\n")
	want := []string{
		`{"event":"run","schema":1,"time":"2026-03-04T05:06:07.25Z","proc":3,"tool":"v0","target":`,
		`{"event":"start","time":"2026-03-04T05:06:07.5Z","proc":3,"clause":"a.b","suite":"s","spec":"S"}`,
		`{"event":"end","time":"2026-03-04T05:06:07.75Z","proc":3,"clause":"a.b","suite":"s","verdict":"deviates","seconds":0.5,"evidence":{"message":"<a> & \"b\""}}`,
		`{"event":"stop","time":"2026-03-04T05:06:08Z","proc":3,"interrupted":true,"reason":"SIGINT again"}`,
		``,
	}
	if len(got) != len(want) {
		t.Fatalf("got %d lines:\n%s", len(got), b.String())
	}
	for i := range want {
		if i == 0 && strings.HasPrefix(got[i], want[i]) {
			continue
		}
		if got[i] != want[i] {
			t.Errorf("line %d:\ngot  %s\nwant %s", i+1, got[i], want[i])
		}
	}
}

func TestJournalRefusesNoVerdict(t *testing.T) {
	var b bytes.Buffer
	for _, v := range []Verdict{"", "passed"} {
		if err := NewJournal(&b, 1).End(Outcome{Clause: "a.b", Verdict: v}); err == nil || b.Len() > 0 {
			t.Errorf("verdict %q: error %v, wrote %q", v, err, b.String())
		}
	}
}

// Whatever bytes a spec hands in, each record stays one line of JSON, and can be read again.
func TestJournalHostileText(t *testing.T) {
	hostile := "\x00\x1b[31m\xff\xfe\n\r\u2028\u202e\ufffe{\"event\":\"start\",\"clause\":\"x\"}\n"
	var b bytes.Buffer
	j := NewJournal(&b, 1)
	check(t, j.End(Outcome{Clause: "a.b", Suite: "s", Spec: hostile, Location: hostile, Verdict: Deviates, Reason: hostile, Fault: hostile,
		Evidence: &Evidence{Spec: hostile, Message: hostile, Location: hostile, Trace: []string{hostile}}}))
	if n := strings.Count(b.String(), "\n"); n != 1 {
		t.Errorf("%d lines: %s", n, b.String())
	}
	lines, err := ReadJournal(&b, "hostile")
	check(t, err)
	if len(lines) != 1 {
		t.Fatalf("%d records", len(lines))
	}
	o := *lines[0].Outcome
	if want := `\x00\x1b[31m\xff\xfe` + "\n" + `\x0d\u2028\u202e\ufffe{"event":"start","clause":"x"}` + "\n"; o.Evidence.Message != want {
		t.Errorf("message came back as %q, want %q", o.Evidence.Message, want)
	}
	if !reflect.DeepEqual(o, o.printable()) {
		t.Errorf("escaping twice changes it: %+v", o)
	}
	for _, s := range []string{o.Spec, o.Location, o.Reason, o.Fault} {
		if strings.ContainsAny(s, "\n\r\x00\x1b") {
			t.Errorf("not one line: %q", s)
		}
	}
}

// A journal that was cut off at any byte gives all the lines before that byte.
func TestJournalTruncatedAnywhere(t *testing.T) {
	whole := sampleJournal(t)
	all := sampleLines(t)
	for n := range len(whole) + 1 {
		lines, err := ReadJournal(bytes.NewReader(whole[:n]), "cut")
		if err != nil {
			t.Fatalf("cut at byte %d: %v", n, err)
		}
		complete := bytes.Count(whole[:n], []byte("\n"))
		if n < len(whole) && whole[n] == '\n' {
			complete++ // only the newline is missing
		}
		if len(lines) != complete || !reflect.DeepEqual(lines, all[:complete:complete]) && complete > 0 {
			t.Fatalf("cut at byte %d: %d lines, want %d", n, len(lines), complete)
		}
		results := Fold(lines, sampleClauses)
		if n < len(whole)-1 {
			if !results.Interrupted || ExitCode(results, false) != ExitFault {
				t.Fatalf("cut at byte %d: not seen as interrupted", n)
			}
			if got := len(results.Clauses) + len(results.NotRun); got != len(sampleClauses) {
				t.Fatalf("cut at byte %d: %d clauses accounted for", n, got)
			}
		}
		// The clause that was running is named.
		if complete > 0 && lines[complete-1].Event == StartEvent {
			running := byID(t, results, lines[complete-1].Outcome.Clause)
			if running.Fault != "the worker died while this ran" {
				t.Fatalf("cut at byte %d: %+v", n, running)
			}
		}
	}
}

// A file goes on after a writer was killed halfway: by another process that appends to it, by a
// later run, or by putting the journals of several processes together.
func TestJournalGoesOnAfterTruncation(t *testing.T) {
	whole := sampleJournal(t)
	all := sampleLines(t)
	end := bytes.Index(whole, []byte("\n")) + 1
	second := end + bytes.Index(whole[end:], []byte("\n")) + 1
	for n := end; n < second; n++ {
		text := append(bytes.Clone(whole[:n]), whole...)
		lines, err := ReadJournal(bytes.NewReader(text), "joined")
		if err != nil {
			t.Fatalf("cut at byte %d: %v", n, err)
		}
		kept := 1
		if n == second-1 {
			kept = 2
		}
		if len(lines) != kept+len(all) || !reflect.DeepEqual(lines[kept:], all) {
			t.Fatalf("cut at byte %d: %d lines, want %d", n, len(lines), kept+len(all))
		}
	}
}

func TestJournalZeroBytesAfterACrash(t *testing.T) {
	whole := sampleJournal(t)
	for _, n := range []int{len(whole), len(whole) - 1, len(whole) - 10} {
		text := append(bytes.Clone(whole[:n]), make([]byte, 100)...)
		lines, err := ReadJournal(bytes.NewReader(text), "crash")
		want := len(sampleLines(t))
		if n == len(whole)-10 {
			want--
		}
		if err != nil || len(lines) != want {
			t.Errorf("%d lines, want %d; %v", len(lines), want, err)
		}
	}
}

func TestJournalGarbage(t *testing.T) {
	good := `{"event":"start","time":"2026-03-04T05:06:07Z","proc":1,"clause":"a.b","suite":"s"}` + "\n"
	for text, want := range map[string]string{
		"hello\n":                                       `j:2: this is not a line of an ipcspec journal: "hello"`,
		"hello":                                         `j:2: this is not a line of an ipcspec journal: "hello"`,
		"[1,2]\n":                                       `j:2: this is not a line of an ipcspec journal`,
		`{"time":1}` + "\n":                             `j:2: this is not a line of an ipcspec journal`,
		`{"event":"end","ti` + "\n" + good:              `j:2: this is not a line of an ipcspec journal: it ends too early`,
		`{"event":"end" "time"}` + "\n":                 `j:2: this is not a line of an ipcspec journal: invalid character`,
		`{"event":"end"}` + "\n":                        `j:2: end line without a clause`,
		`{"event":"end","clause":"a.b"}` + "\n":         `j:2: end line of clause a.b without a verdict`,
		`{"event":"end","verdict":"passed"}` + "\n":     `j:2: end line: unknown verdict "passed"`,
		`{"event":"end","clause":7}` + "\n":             `j:2: end line: json: cannot unmarshal number`,
		`{"event":"pause"}` + "\n":                      `j:2: unknown event "pause": use the ipcspec that wrote the journal`,
		`{"event":"run","schema":2}` + "\n":             `j:2: the journal has schema 2, this ipcspec reads 1: use the ipcspec that wrote it`,
		`{"event":"run"}` + "\n":                        `j:2: the journal has schema 0`,
		`{"event":"stop","interrupted":false} x` + "\n": `j:2: stop line: invalid character 'x' after top-level value`,
		"\n\n  \r\nhello\n":                             `j:5: this is not`,
	} {
		lines, err := ReadJournal(strings.NewReader(good+text), "j")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
		if strings.Contains(fmt.Sprint(err), "\n") {
			t.Errorf("%q: error of several lines: %v", text, err)
		}
		if len(lines) != 1 {
			t.Errorf("%q: the line before it was lost", text)
		}
	}
}

func TestJournalReadError(t *testing.T) {
	broken := errors.New("input/output error")
	r := io.MultiReader(strings.NewReader("\n"), &failing{broken})
	if _, err := ReadJournal(r, "j"); !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "j:2: ") {
		t.Errorf("got %v", err)
	}
}

type failing struct{ err error }

func (f *failing) Read([]byte) (int, error)  { return 0, f.err }
func (f *failing) Write([]byte) (int, error) { return 0, f.err }

// calls counts the calls of Write, and fails the test if one is not a whole line.
type calls struct {
	t *testing.T
	n int
}

func (c *calls) Write(p []byte) (int, error) {
	c.n++
	if bytes.Count(p, []byte("\n")) != 1 || p[len(p)-1] != '\n' {
		c.t.Errorf("wrote %q at once", p)
	}
	return len(p), nil
}

func TestJournalOneWriteALine(t *testing.T) {
	c := &calls{t: t}
	j := NewJournal(c, 1)
	long := Outcome{Clause: "a.b", Suite: "s", Verdict: Deviates, Evidence: &Evidence{Message: strings.Repeat("long\n", 50000)}}
	check(t, j.Run(Run{}))
	check(t, j.Start(long))
	check(t, j.End(long))
	check(t, j.Stop(Stop{}))
	if c.n != 4 {
		t.Errorf("%d calls of Write for 4 lines", c.n)
	}
}

// shortOnce writes only a part of the first line, as a full disk would.
type shortOnce struct {
	bytes.Buffer
	done bool
}

func (s *shortOnce) Write(p []byte) (int, error) {
	if s.done {
		return s.Buffer.Write(p)
	}
	s.done = true
	n, _ := s.Buffer.Write(p[:len(p)/2])
	return n, syscall.ENOSPC
}

func TestJournalAfterAShortWrite(t *testing.T) {
	var w shortOnce
	j := NewJournal(&w, 1)
	if err := j.Run(Run{}); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v", err)
	}
	check(t, j.Stop(Stop{}))
	// What follows begins in a line of its own.
	if _, second, _ := strings.Cut(w.String(), "\n"); !strings.HasPrefix(second, LinePrefix) {
		t.Errorf("wrote %q", w.String())
	}
}

func TestJournalConcurrentWriters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.ndjson")
	const procs, goroutines, specs = 3, 4, 25
	var group sync.WaitGroup
	for proc := range procs {
		// Each has the file open by itself, as a process of its own would.
		j, err := OpenJournal(path, proc+1, proc == 0)
		check(t, err)
		defer j.Close()
		check(t, j.Run(Run{Tool: "v0"}))
		for g := range goroutines {
			group.Go(func() {
				for n := range specs {
					o := Outcome{Clause: fmt.Sprintf("a.p%d-g%d-n%d", proc, g, n), Suite: "s", Verdict: Deviates,
						Evidence: &Evidence{Message: strings.Repeat("x", 100*n)}}
					if err := errors.Join(j.Start(o), j.End(o)); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	group.Wait()
	f, err := os.Open(path)
	check(t, err)
	defer f.Close()
	lines, err := ReadJournal(f, path)
	check(t, err)
	if want := procs * (1 + goroutines*specs*2); len(lines) != want {
		t.Errorf("%d lines, want %d", len(lines), want)
	}
	results := Fold(lines, nil)
	if len(results.Clauses) != procs*goroutines*specs || results.Total.Faults != 0 {
		t.Errorf("%d clauses, %d faults", len(results.Clauses), results.Total.Faults)
	}
	for _, clause := range results.Clauses {
		if clause.Verdict != Deviates || clause.Specs != 1 {
			t.Errorf("%+v", clause)
		}
	}
}

func TestOpenJournalAppends(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.ndjson")
	for range 2 {
		j, err := OpenJournal(path, 1, false)
		check(t, err)
		check(t, j.Stop(Stop{}))
		check(t, j.Close())
	}
	text, err := os.ReadFile(path)
	check(t, err)
	if n := bytes.Count(text, []byte("\n")); n != 2 {
		t.Errorf("%d lines", n)
	}
	if _, err := OpenJournal(filepath.Join(path, "x"), 1, false); err == nil || !strings.Contains(err.Error(), "cannot open the journal") {
		t.Errorf("got %v", err)
	}
}

// A reader of a pipe gets each line as soon as it is written.
func TestJournalReaderFollows(t *testing.T) {
	r, w := io.Pipe()
	j := NewJournal(w, 1)
	reader := NewJournalReader(r, "pipe")
	for _, o := range sampleOutcomes {
		written := make(chan error)
		go func() { written <- j.End(o) }()
		line, err := reader.Next()
		check(t, err)
		check(t, <-written)
		if line.Outcome.Spec != o.Spec {
			t.Errorf("got %+v", line.Outcome)
		}
	}
	w.Close()
	for range 2 {
		if _, err := reader.Next(); err != io.EOF {
			t.Errorf("at the end: %v", err)
		}
	}
}

func TestCopiedLinesAreTheSame(t *testing.T) {
	var text, copied bytes.Buffer
	j := NewJournal(&text, 3)
	o := Outcome{Clause: "pipe.two-ends", Suite: "pipes", Spec: "a", Verdict: Deviates, Seconds: 0.5, Evidence: &Evidence{Message: "<&>"}}
	for _, err := range []error{
		j.Run(Run{Tool: "x", Selected: []string{"pipe.two-ends"}}), j.Start(o), j.End(o), j.Stop(Stop{Interrupted: true, Reason: "^C"}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	lines, err := ReadJournal(bytes.NewReader(text.Bytes()), "journal")
	if err != nil {
		t.Fatal(err)
	}
	other := NewJournal(&copied, 1)
	for _, l := range lines {
		if err := other.Copy(l); err != nil {
			t.Fatal(err)
		}
	}
	if copied.String() != text.String() {
		t.Errorf("%s\nis not\n%s", copied.String(), text.String())
	}
}
