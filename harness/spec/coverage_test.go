package spec

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

var testChecks = map[string][]Location{
	"pipe.a":            {{File: "suites/pipes/full.go", Line: 12}, {File: "suites/pipes/full.go", Line: 30}},
	"write.full-eagain": {{File: "suites/pipes/full.go", Line: 50}},
	"pipe.b":            {},
}

func disposed(kinds ...Kind) map[Kind]int {
	n := newTally().Disposed
	for _, k := range kinds {
		n[k]++
	}
	return n
}

func TestCover(t *testing.T) {
	c, err := loadTwoSuites(t).Cover(testChecks)
	if err != nil {
		t.Fatal(err)
	}
	want := &Coverage{
		Edition: "man-pages 6.20",
		Suites: []SuiteCoverage{{
			Suite: "pipes",
			Pages: []PageCoverage{{
				Page:     "F_GETPIPE_SZ.2const",
				Tally:    Tally{Statements: 1, Normative: 1, Left: 1, Disposed: disposed()},
				LeftOver: []string{"F_GETPIPE_SZ.2const:DESC:00000001"},
			}, {
				Page: "pipe.7",
				File: "suites/pipes/pipe.7.yaml",
				Tally: Tally{Statements: 6, Normative: 4, Cited: 1, CitedPercent: 25, Disposed: disposed(Erratum, NotCheckable),
					Left: 1, CitedOther: 1, Clauses: 3, Checked: 1, Untested: 2},
				LeftOver:  []string{"pipe.7:DESC:00000003.2"},
				Unchecked: []string{"pipe.b", "pipe.c"},
			}, {
				Page:  "write.2",
				File:  "suites/pipes/write.2.yaml",
				Tally: Tally{Statements: 1, Normative: 1, Cited: 1, CitedPercent: 100, Disposed: disposed(), Clauses: 1, Checked: 1},
			}},
			Total: Tally{Statements: 8, Normative: 6, Cited: 2, CitedPercent: 33.3, Disposed: disposed(Erratum, NotCheckable),
				Left: 2, CitedOther: 1, Clauses: 4, Checked: 2, Untested: 2},
		}, {
			Suite: "sysv",
			Pages: []PageCoverage{{
				Page:      "msgop.2",
				File:      "suites/sysv/msgop.2.yaml",
				Tally:     Tally{Statements: 2, Normative: 2, Cited: 1, CitedPercent: 50, Disposed: disposed(Restates), Clauses: 1, Untested: 1},
				Unchecked: []string{"msg.removed-eidrm"},
			}},
			Total: Tally{Statements: 2, Normative: 2, Cited: 1, CitedPercent: 50, Disposed: disposed(Restates), Clauses: 1, Untested: 1},
		}},
		Total: Tally{Statements: 10, Normative: 8, Cited: 3, CitedPercent: 37.5, Disposed: disposed(Erratum, NotCheckable, Restates),
			Left: 2, CitedOther: 1, Clauses: 5, Checked: 2, Untested: 3},
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("the coverage is\n%+v\nwant\n%+v", c, want)
	}
}

func TestCoverSuites(t *testing.T) {
	catalogue := loadTwoSuites(t)
	c, err := catalogue.Cover(testChecks, "sysv")
	if err != nil || len(c.Suites) != 1 || c.Suites[0].Suite != "sysv" || !reflect.DeepEqual(c.Total, c.Suites[0].Total) {
		t.Errorf("the coverage of sysv is %+v, %v", c, err)
	}
	if _, err := catalogue.Cover(testChecks, "sysv", "pip"); err == nil || err.Error() != `no suite "pip": suites are pipes, sysv` {
		t.Errorf("the error is %v", err)
	}
}

// A page's statements count for its suite in the index; a suite that has a file about a page of
// another one has only its clauses there.
func TestCoverGuest(t *testing.T) {
	suites := twoSuites()
	suites["events"] = file(head + "clauses:\n" + clauseYAML("pipe.x", "cites: [pipe.7:DESC:00000003.2]"))
	guest, err := loadAll(testIndex(t), suites)
	if err != nil {
		t.Fatal(err)
	}
	c, err := guest.Cover(testChecks, "events", "pipes")
	if err != nil {
		t.Fatal(err)
	}
	events, pipe := c.Suites[0].Pages, c.Suites[1].Pages[1]
	if want := (PageCoverage{Page: "pipe.7", File: "suites/events/pipe.7.yaml", Home: "pipes", Unchecked: []string{"pipe.x"},
		Tally: Tally{CitedPercent: 100, Disposed: disposed(), Clauses: 1, Untested: 1}}); len(events) != 1 || !reflect.DeepEqual(events[0], want) {
		t.Errorf("the coverage in events is %+v, want %+v", events, want)
	}
	if pipe.Statements != 6 || pipe.Cited != 2 || pipe.Left != 0 || pipe.Clauses != 3 || pipe.Home != "" {
		t.Errorf("the coverage in pipes is %+v", pipe)
	}
	var out bytes.Buffer
	if err := c.WriteText(&out); err != nil || !strings.Contains(out.String(), " -  pipe(7), statements in suite pipes\n") {
		t.Errorf("the table is\n%s, %v", out.String(), err)
	}
	// Where only another suite has a file, the statements still count at home.
	moved, err := load(testIndex(t), "events", suites["events"])
	if err != nil {
		t.Fatal(err)
	}
	if c, err = moved.Cover(nil, "pipes"); err != nil || c.Total.Statements != 8 || c.Total.Cited != 1 || c.Total.Left != 5 || c.Total.Clauses != 0 {
		t.Errorf("the coverage in pipes is %+v, %v", c.Total, err)
	}
}

// The numbers add up for the real index too, and what has no file is left over.
func TestCoverNothing(t *testing.T) {
	c, err := newCatalogue(ManPages()).Cover(nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Total.Statements != 8292 || c.Total.Normative != 6182 || c.Total.Left != 6182 || c.Total.CitedPercent != 0 {
		t.Errorf("the total is %+v", c.Total)
	}
	for _, s := range c.Suites {
		left := 0
		for _, p := range s.Pages {
			left += len(p.LeftOver)
		}
		if left != s.Total.Left {
			t.Errorf("suite %s lists %d statements and counts %d", s.Suite, left, s.Total.Left)
		}
	}
}

func TestCitedPercent(t *testing.T) {
	for _, c := range []struct {
		cited, normative int
		want             float64
	}{{0, 0, 100}, {0, 3, 0}, {2, 3, 66.6}, {1999, 2000, 99.9}, {9999, 10000, 99.9}, {3, 3, 100}} {
		tally := Tally{Cited: c.cited, Normative: c.normative}
		if tally.rate(); tally.CitedPercent != c.want {
			t.Errorf("%d of %d are %v %%, want %v", c.cited, c.normative, tally.CitedPercent, c.want)
		}
	}
}

func TestCoverageText(t *testing.T) {
	c, err := loadTwoSuites(t).Cover(testChecks)
	if err != nil {
		t.Fatal(err)
	}
	var brief, full bytes.Buffer
	if err := c.Brief().WriteText(&brief); err != nil {
		t.Fatal(err)
	}
	if err := c.WriteText(&full); err != nil {
		t.Fatal(err)
	}
	var rows []string
	for line := range strings.Lines(brief.String()) {
		rows = append(rows, strings.Join(strings.Fields(line), " "))
	}
	want := []string{
		"clauses with spec statements normative cited restates not-checkable out-of-scope other-system erratum left cited % man-pages 6.20",
		"0 0 1 1 0 0 0 0 0 0 1 0.0 F_GETPIPE_SZ(2const)",
		"3 1 6 4 1 0 1 0 0 1 1 25.0 pipe(7)",
		"1 1 1 1 1 0 0 0 0 0 0 100.0 write(2)",
		"4 2 8 6 2 0 1 0 0 1 2 33.3 suite pipes",
		"1 0 2 2 1 1 0 0 0 0 0 50.0 msgop(2)",
		"1 0 2 2 1 1 0 0 0 0 0 50.0 suite sysv",
		"5 2 10 8 3 1 1 0 0 1 2 37.5 total",
	}
	if !reflect.DeepEqual(rows, want) {
		t.Errorf("the table is\n%s\nwant\n%s", strings.Join(rows, "\n"), strings.Join(want, "\n"))
	}
	const lists = `
F_GETPIPE_SZ(2const): normative statements neither cited nor disposed of
    F_GETPIPE_SZ.2const:DESC:00000001

pipe(7): normative statements neither cited nor disposed of
    pipe.7:DESC:00000003.2

pipe(7): clauses without a spec
    pipe.b
    pipe.c

msgop(2): clauses without a spec
    msg.removed-eidrm
`
	if full.String() != brief.String()+lists {
		t.Errorf("the full text is\n%s\nwant\n%s", full.String(), brief.String()+lists)
	}
}

func TestCoverageJSON(t *testing.T) {
	c, err := loadTwoSuites(t).Cover(testChecks)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := c.WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	var back Coverage
	if err := json.Unmarshal(out.Bytes(), &back); err != nil || !reflect.DeepEqual(&back, c) {
		t.Errorf("comes back as %+v, %v", back, err)
	}
	for _, key := range []string{`"page": "pipe.7"`, `"cited_percent": 33.3`, `"not-checkable": 1`, `"left_over": [`} {
		if !strings.Contains(out.String(), key) {
			t.Errorf("no %s in %s", key, out.String())
		}
	}
	out.Reset()
	if err := c.Brief().WriteJSON(&out); err != nil || strings.Contains(out.String(), "left_over") || strings.Contains(out.String(), "unchecked") {
		t.Errorf("the brief coverage is %s, %v", out.String(), err)
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestWriteErrors(t *testing.T) {
	catalogue := loadTwoSuites(t)
	c, err := catalogue.Cover(testChecks)
	if err != nil {
		t.Fatal(err)
	}
	clauses := catalogue.Clauses()
	for name, err := range map[string]error{
		"coverage":      c.WriteText(fullDisk{}),
		"coverage JSON": c.WriteJSON(fullDisk{}),
		"listing":       List(clauses).WriteText(fullDisk{}),
		"listing JSON":  List(clauses).WriteJSON(fullDisk{}),
		"clause":        catalogue.WriteClause(fullDisk{}, clauses[0], nil),
	} {
		if err == nil || err.Error() != "disk full" {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
}
