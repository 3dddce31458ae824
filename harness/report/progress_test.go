package report

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"
)

// screen takes what is written, and can be read at the same time.
type screen struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

// take gives what was written since it was asked last.
func (s *screen) take() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.b.Reset()
	return s.b.String()
}

func pass(id string) Outcome { return Outcome{Clause: id, Suite: "s", Verdict: Conforms} }

func deviation(id string) Outcome {
	return Outcome{Clause: id, Suite: "s", Verdict: Deviates, Evidence: &Evidence{Message: "Expected\n    1\nto fail with EAGAIN"}}
}

func fixed(width int) func() int { return func() int { return width } }

func TestProgressPlain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s screen
		p := newProgress(&s, 5, nil)
		expect := func(want string) {
			t.Helper()
			synctest.Wait()
			if got := s.take(); got != want {
				t.Errorf("got\n%q, want\n%q", got, want)
			}
		}
		p.Start(pass("a.a"))
		p.End(pass("a.a"))
		expect("")
		p.Start(deviation("a.b"))
		p.End(deviation("a.b"))
		expect("deviates    a.b: Expected 1 to fail with EAGAIN\n")
		p.End(Outcome{Clause: "a.c", Verdict: Unresolved, Reason: "needs root"})
		expect("unresolved  a.c: needs root\n")
		p.End(Outcome{Clause: "a.d", Verdict: Unresolved, Fault: "the spec panicked"})
		expect("fault       a.d: the spec panicked\n")
		p.End(Outcome{Clause: "a.d", Verdict: Unsupported, Reason: "absent"})
		expect("")

		// A clause that takes long is named, once; then all is quiet until something happens.
		p.Start(pass("a.e"))
		time.Sleep(plainEvery)
		expect("4/5 clauses, 1 deviation, 1 fault  a.e\n")
		time.Sleep(10 * plainEvery)
		expect("")
		p.End(pass("a.e"))
		expect("5/5 clauses, 1 deviation, 1 fault\n")
		p.Start(pass("a.e"))
		p.Close()
		p.End(deviation("a.e"))
		p.Close()
		time.Sleep(10 * plainEvery)
		expect("")
	})
}

func TestProgressTerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s screen
		p := newProgress(&s, 300, fixed(60))
		expect := func(want string) {
			t.Helper()
			synctest.Wait()
			if got := s.take(); got != want {
				t.Errorf("got\n%q, want\n%q", got, want)
			}
		}
		p.Start(pass("a.a"))
		expect("\r0/300 clauses, 0 deviations  a.a\x1b[K")
		p.End(pass("a.a"))
		p.Start(pass("a.b"))
		expect("") // too soon
		time.Sleep(redraw)
		expect("\r1/300 clauses, 0 deviations  a.b\x1b[K")
		time.Sleep(time.Hour)
		expect("")
		p.End(deviation("a.b"))
		expect("\r\x1b[Kdeviates    a.b: Expected 1 to fail with EAGAIN\n\r2/300 clauses, 1 deviation\x1b[K")
		p.End(Outcome{Clause: "a.c", Verdict: Unresolved, Reason: "needs root"})
		time.Sleep(redraw)
		expect("\r3/300 clauses, 1 deviation\x1b[K")
		p.Close()
		expect("\r\x1b[K")
	})
}

// Whatever the width, a line never reaches the last column, after which a terminal begins another.
func TestProgressFitsTheTerminal(t *testing.T) {
	for width := range 100 {
		synctest.Test(t, func(t *testing.T) {
			var s screen
			p := newProgress(&s, 300, fixed(width))
			for range 3 {
				p.Start(pass("pipe.a-clause-with-a-rather-long-name"))
				time.Sleep(redraw)
				p.End(deviation("pipe.a-clause-with-a-rather-long-name"))
				time.Sleep(redraw)
			}
			p.Close()
			text := strings.NewReplacer("\x1b[K", "", "\n", "\r").Replace(s.take())
			for _, line := range strings.Split(text, "\r") {
				if n := utf8.RuneCountInString(line); n > max(width-1, 0) {
					t.Errorf("width %d: %q", width, line)
				}
			}
		})
	}
}

func TestProgressFromJournal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s screen
		p := newProgress(&s, 0, nil)
		for _, line := range sampleLines(t) {
			p.Line(line)
		}
		time.Sleep(plainEvery)
		want := `deviates    pipe.write-full-eagain: Expected write(4, "x"..., 4096) = 1 to fail with EAGAIN
unresolved  pipe.capacity-privileged: needs CAP_SYS_RESOURCE: run as root
unresolved  pipe.capacity-limit: needs two users: run as root
fault       signal.panics: the spec panicked: index out of range
7/7 clauses, 1 deviation, 1 fault
`
		synctest.Wait()
		if got := s.take(); got != want {
			t.Errorf("got\n%s", got)
		}
		p.Close()
	})
}

func TestProgressTotalUnknown(t *testing.T) {
	p := newProgress(&screen{}, 0, nil)
	p.End(pass("a.a"))
	if got := p.state(); got != "1 clause, 0 deviations" {
		t.Errorf("got %q", got)
	}
	p.Close()
}

func TestProgressHostile(t *testing.T) {
	var s screen
	p := newProgress(&s, 1, nil)
	o := deviation("a.\x1b[2J")
	o.Evidence.Message = strings.Repeat("\x07\n", 1000)
	p.End(o)
	p.Close()
	if got := s.take(); strings.Count(got, "\n") != 1 || got != printable(got) || len(got) > plainWidth+1 {
		t.Errorf("got %q", got)
	}
}

func TestProgressConcurrent(t *testing.T) {
	var s screen
	p := newProgress(&s, 400, fixed(80))
	var group sync.WaitGroup
	for g := range 4 {
		group.Go(func() {
			for n := range 100 {
				o := pass(fmt.Sprintf("a.g%d-n%d", g, n))
				p.Start(o)
				p.End(o)
			}
		})
	}
	group.Wait()
	if got := p.state(); got != "400/400 clauses, 0 deviations" {
		t.Errorf("got %q", got)
	}
	p.Close()
	s.take()
	time.Sleep(2 * redraw)
	if got := s.take(); got != "" {
		t.Errorf("wrote %q after it was closed", got)
	}
}

func TestTerminalWidth(t *testing.T) {
	r, w, err := os.Pipe()
	check(t, err)
	defer r.Close()
	defer w.Close()
	if terminalWidth(w) != nil || terminalWidth(&screen{}) != nil {
		t.Error("a pipe or a buffer is taken for a terminal")
	}
	NewProgress(w, 1).Close()
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no pseudoterminals here")
	}
	defer terminal.Close()
	t.Setenv("TERM", "xterm")
	if width := terminalWidth(terminal); width == nil || width() != 80 {
		t.Error("a pseudoterminal of unknown size is not one of 80 columns")
	}
	t.Setenv("TERM", "dumb")
	if terminalWidth(terminal) != nil {
		t.Error("a dumb terminal is taken for one that can move its cursor")
	}
}
