package spec

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestListing(t *testing.T) {
	catalogue := loadTwoSuites(t)
	clauses, err := catalogue.Select(Filter{IDs: []string{"pipe.a", "write.*", "msg.*"}})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := List(clauses).WriteText(&out); err != nil {
		t.Fatal(err)
	}
	const want = `pipe.a  pipes  posix
    A rather long text that goes on and on, so that it does not fit on one
    line of a terminal.

write.full-eagain  pipes  posix  needs 2 CPUs, serial
    Something holds.

msg.removed-eidrm  sysv  posix
    Something holds.

3 clauses: pipes 2, sysv 1
`
	if out.String() != want {
		t.Errorf("the list is\n%s\nwant\n%s", out.String(), want)
	}

	out.Reset()
	if err := List(clauses[:1]).WriteText(&out); err != nil || !strings.HasSuffix(out.String(), "\n\n1 clause: pipes 1\n") {
		t.Errorf("one clause: %s, %v", out.String(), err)
	}

	out.Reset()
	if err := List(clauses).WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	var back Listing
	if err := json.Unmarshal(out.Bytes(), &back); err != nil || !reflect.DeepEqual(&back, List(clauses)) {
		t.Errorf("comes back as %+v, %v", back, err)
	}
	if want := `      "since": "2.6.35",
      "needs": {
        "cpus": 2,
        "serial": true
      },
      "source": {
        "file": "suites/pipes/write.2.yaml",
        "line": 4
      }
`; !strings.Contains(out.String(), want) {
		t.Errorf("no\n%s\nin\n%s", want, out.String())
	}
}

func TestWriteClause(t *testing.T) {
	catalogue := loadTwoSuites(t)
	for id, want := range map[string]string{
		"pipe.a": `pipe.a
    A rather long text that goes on and on, so that it does not fit on one
    line of a terminal.

suite       pipes
page        pipe(7), man-pages 6.20
level       posix
subjects    write
cites       pipe.7:DESC:00000001  pipe(7), I/O on pipes and FIFOs
cites       write.2:ERR:00000001  write(2), Errors, EAGAIN
catalogue   suites/pipes/pipe.7.yaml:9
check       suites/pipes/full.go:12
check       suites/pipes/full.go:30
`,
		"write.full-eagain": `write.full-eagain
    Something holds.

suite       pipes
page        write(2), man-pages 6.20
level       posix
subjects    write
since       Linux 2.6.35
needs       2 CPUs, serial
cites       write.2:ERR:00000001  write(2), Errors, EAGAIN
catalogue   suites/pipes/write.2.yaml:4
check       suites/pipes/full.go:50
`,
		"pipe.c": `pipe.c
    Something holds.

suite       pipes
page        pipe(7), man-pages 6.20
level       posix
subjects    write
corrects    pipe.7:DESC:00000002  pipe(7), I/O on pipes and FIFOs: erratum: found by bisecting
catalogue   suites/pipes/pipe.7.yaml:14
check       none: untested
`,
	} {
		clause, err := catalogue.Find(id)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := catalogue.WriteClause(&out, clause, testChecks[id]); err != nil || out.String() != want {
			t.Errorf("%s shows as\n%s\n%v, want\n%s", id, out.String(), err, want)
		}
	}
	clause, err := catalogue.Find("msg.removed-eidrm")
	if err != nil {
		t.Fatal(err)
	}
	full := *clause
	full.Until, full.Optional = Version{6, 5, 0}, "CONFIG_SYSVIPC"
	var out bytes.Buffer
	if err := catalogue.WriteClause(&out, &full, nil); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"until       Linux 6.5\n",
		"optional    CONFIG_SYSVIPC\n",
		"seen by     msgop.2:ERR:00000002  msgop(2), Errors, ENOMSG: restates: says it again\n",
	} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("no %sin\n%s", line, out.String())
		}
	}
}

func TestIndent(t *testing.T) {
	word := strings.Repeat("x", 90)
	for text, want := range map[string]string{
		"":                           "",
		"a":                          "    a",
		word:                         "    " + word,
		word + " a":                  "    " + word + "\n    a",
		strings.Repeat("abcde ", 13): "    " + strings.TrimSuffix(strings.Repeat("abcde ", 12), " ") + "\n    abcde",
	} {
		if got := indent(text); got != want {
			t.Errorf("%q is broken into %q, want %q", text, got, want)
		}
	}
}
