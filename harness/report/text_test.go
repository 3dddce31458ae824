package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

var update = flag.Bool("update", false, "write the golden files again")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		check(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	check(t, err)
	if !bytes.Equal(got, want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}

func summary(t *testing.T, r Results) string {
	t.Helper()
	var b bytes.Buffer
	check(t, Summary(&b, r))
	return b.String()
}

func TestSummaryGolden(t *testing.T) {
	golden(t, "summary.txt", []byte(summary(t, sampleResults(t))))
	golden(t, "summary-interrupted.txt", []byte(summary(t, Fold(sampleLines(t)[:6], sampleClauses))))
	golden(t, "summary-empty.txt", []byte(summary(t, Results{})))
}

func TestSummaryShape(t *testing.T) {
	r := sampleResults(t)
	for i := range 60 {
		id := "pipe.needs-root-" + strings.Repeat("x", i)
		r.Clauses = append(r.Clauses, ClauseResult{ClauseInfo: ClauseInfo{ID: id, Suite: "pipes"}, Verdict: Unresolved, Reason: "needs root"})
	}
	text := summary(t, r)
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if utf8.RuneCountInString(line) > lineWidth {
			t.Errorf("too long: %s", line)
		}
		if line != strings.TrimRight(line, " ") {
			t.Errorf("blanks at the end of %q", line)
		}
	}
	if a, b := strings.Index(text, "60 clauses: needs root"), strings.Index(text, "1 clause: needs CAP_SYS_RESOURCE"); a < 0 || b < a {
		t.Error("the most frequent reason does not come first")
	}
}

// hostile results hold every byte there is, wherever text goes.
func hostile(t *testing.T) Results {
	t.Helper()
	var every []byte
	for i := range 256 {
		every = append(every, byte(i))
	}
	s := string(every) + "\ufffe\u202e]]>&<\u0085"
	r := sampleResults(t)
	r.Tool, r.Target.Detail, r.Target.Kernel.Machine = s, s, s
	for i := range r.Clauses {
		c := &r.Clauses[i]
		c.Text, c.Page, c.Cites, c.Reason = s, s, []string{s}, s
		if c.Fault != "" {
			c.Fault = s
		}
		c.Evidence = []Evidence{{Spec: s, Message: s, Location: s, Trace: []string{s}, Failing: 99}}
	}
	return r
}

func TestSummaryHostile(t *testing.T) {
	text := summary(t, hostile(t))
	if text != printable(text) {
		t.Error("something unprintable reached the terminal")
	}
}

func TestSummaryWriteError(t *testing.T) {
	broken := errors.New("broken pipe")
	if err := Summary(&failing{broken}, sampleResults(t)); err != broken {
		t.Errorf("got %v", err)
	}
	if err := WriteJUnit(&failing{broken}, sampleResults(t)); err != broken {
		t.Errorf("got %v", err)
	}
}

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"plain, äöü €\t\n": "plain, äöü €\t\n",
		"\x00\x1b\x7f":     `\x00\x1b\x7f`,
		"\xc3\x28\xff":     `\xc3(\xff`,
		"\u202e\ufeff":     `\u202e\ufeff`,
		"\U000e0001":       `\U000e0001`,
		"\ufffd":           "\ufffd", // a character like others, if it is written out
		`\x00`:             `\x00`,
	} {
		got := printable(in)
		if got != want || printable(got) != got {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
	if got := oneLine("  a\n\tb\r\n c\x00 "); got != `a b c\x00` {
		t.Errorf("got %q", got)
	}
}

func junit(t *testing.T, r Results) ([]byte, junitSuites) {
	t.Helper()
	var b bytes.Buffer
	check(t, WriteJUnit(&b, r))
	var s junitSuites
	d := xml.NewDecoder(bytes.NewReader(b.Bytes()))
	check(t, d.Decode(&s))
	if _, err := d.Token(); err != nil {
		if _, err = d.Token(); err != io.EOF {
			t.Errorf("after the end: %v", err)
		}
	}
	return b.Bytes(), s
}

func TestJUnit(t *testing.T) {
	text, all := junit(t, sampleResults(t))
	golden(t, "junit.xml", text)
	if all.Tests != 8 || all.Failures != 1 || all.Errors != 1 || all.Skipped != 4 || len(all.Suites) != 2 {
		t.Errorf("%+v", all)
	}
	for _, s := range all.Suites {
		var tests, failures, faults, skipped int
		for _, c := range s.Cases {
			tests++
			if c.Failure != nil {
				failures++
			}
			if c.Error != nil {
				faults++
			}
			if c.Skipped != nil {
				skipped++
			}
		}
		if s.Tests != tests || s.Failures != failures || s.Errors != faults || s.Skipped != skipped {
			t.Errorf("%s: the counts do not match the cases", s.Name)
		}
	}
}

func TestJUnitHostile(t *testing.T) {
	text, all := junit(t, hostile(t))
	if !utf8.Valid(text) || len(all.Suites) != 2 {
		t.Error("not valid")
	}
	for _, r := range string(text) {
		if r < 0x20 && r != '\n' && r != '\t' || r == 0xfffe || r == 0xfffd {
			t.Errorf("%U is in it", r)
		}
	}
	if c := all.Suites[0].Cases[1]; !strings.Contains(c.Failure.Text, `\x00\x01`) || !strings.Contains(c.Failure.Text, `\ufffe\u202e]]>&<\u0085`) {
		t.Errorf("the evidence came back as %q", c.Failure.Text)
	}
}

func TestJUnitSuiteMissing(t *testing.T) {
	r := sampleResults(t)
	r.Suites = r.Suites[:1]
	if err := WriteJUnit(io.Discard, r); err == nil || !strings.Contains(err.Error(), "signals") {
		t.Errorf("got %v", err)
	}
}

func TestReproduceElsewhere(t *testing.T) {
	r := sampleResults(t)
	r.Target.Kind = "oci"
	r.Options.Command = []string{"ipcspec", "oci", "--runtime", "my runc", "--runtime-arg=--debug", "-s", "pipes", "--results=r.json", "--no-expect", "--procs", "2"}
	if text := summary(t, r); !strings.Contains(text, "reproduce: ipcspec oci --runtime 'my runc' --runtime-arg=--debug --clause pipe.write-full-eagain\n") {
		t.Error(text)
	}
}
