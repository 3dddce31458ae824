package spec

import (
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// twoSuites is a catalogue without faults: pipes with pipe(7) and write(2), sysv with msgop(2).
func twoSuites() map[string]fs.FS {
	return map[string]fs.FS{
		"sysv": fstest.MapFS{
			"msgop.2.yaml": {Data: []byte("page: msgop(2)\nedition: man-pages 6.20\nclauses:\n" +
				clauseYAML("msg.removed-eidrm", "cites: [msgop.2:ERR:00000001]", "subjects: [msgrcv]") +
				"dispositions:\n  - {statement: msgop.2:ERR:00000002, is: restates, why: says it again, see: [pipe.b, msg.removed-eidrm]}\n")},
		},
		"pipes": fstest.MapFS{
			"write.2.yaml": {Data: []byte("page: write(2)\nedition: man-pages 6.20\nclauses:\n" +
				clauseYAML("write.full-eagain", "cites: [write.2:ERR:00000001]", "since: 2.6.35", "needs: {cpus: 2, serial: true}"))},
			"pipe.7.yaml": {Data: []byte(head + "clauses:\n" +
				clauseYAML("pipe.b", "cites: [pipe.7:DESC:00000001, pipe.7:BUG:00000005]", "level: linux") +
				clauseYAML("pipe.a", "cites: [pipe.7:DESC:00000001, write.2:ERR:00000001]",
					"text: A rather long text that goes on and on, so that it does not fit on one line of a terminal.") +
				clauseYAML("pipe.c", "-cites") +
				"dispositions:\n" +
				"  - {statement: pipe.7:DESC:00000002, is: erratum, why: found by bisecting, see: [pipe.c]}\n" +
				"  - {statement: pipe.7:DESC:00000003, is: not-checkable, why: of the inside}\n")},
		},
	}
}

func loadTwoSuites(t *testing.T) *Catalogue {
	t.Helper()
	c, err := loadAll(testIndex(t), twoSuites())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func ids(clauses []*Clause) string {
	var ids []string
	for _, c := range clauses {
		ids = append(ids, c.ID)
	}
	return strings.Join(ids, " ")
}

func TestCatalogue(t *testing.T) {
	c := loadTwoSuites(t)
	if got, want := ids(c.Clauses()), "pipe.b pipe.a pipe.c write.full-eagain msg.removed-eidrm"; got != want {
		t.Errorf("clauses are %s, want %s", got, want)
	}
	if got, want := ids(c.InSuite("sysv")), "msg.removed-eidrm"; got != want {
		t.Errorf("clauses of sysv are %s, want %s", got, want)
	}
	if got := c.InSuite("pty"); len(got) != 0 {
		t.Errorf("clauses of pty are %s", ids(got))
	}
	if got := c.Suites(); !slices.Equal(got, []string{"pipes", "sysv"}) {
		t.Errorf("suites are %s", got)
	}
	if got, want := ids(c.CitedBy("write.2:ERR:00000001")), "pipe.a write.full-eagain"; got != want {
		t.Errorf("cited by %s, want %s", got, want)
	}
	if clause, ok := c.Clause("pipe.a"); !ok || clause.ID != "pipe.a" {
		t.Errorf("pipe.a is %+v", clause)
	}
	if _, ok := c.Clause("pipe.d"); ok {
		t.Error("pipe.d was found")
	}
	if _, ok := c.Disposition("pipe.7:DESC:00000001"); ok {
		t.Error("a cited statement has a disposition")
	}
	c.Clauses()[0] = nil
	if c.Clauses()[0] == nil {
		t.Error("Clauses gives the catalogue's own slice")
	}
}

func TestFaultsBetweenFiles(t *testing.T) {
	const write = "page: write(2)\nedition: man-pages 6.20\nclauses:\n"
	for name, c := range map[string]struct {
		suite, file, text string
		want              []string
	}{
		"id of another page": {"pipes", "write.2.yaml", write + clauseYAML("pipe.b"),
			[]string{"suites/pipes/write.2.yaml:4: clause pipe.b stands at suites/pipes/pipe.7.yaml:4 already"}},
		"id of another suite": {"sysv", "write.2.yaml", write + clauseYAML("pipe.b"), []string{
			"suites/sysv/write.2.yaml:4: clause pipe.b stands at suites/pipes/pipe.7.yaml:4 already"}},
		"cites what another page disposed of": {"pipes", "write.2.yaml", write + clauseYAML("write.full-eagain", "cites: [pipe.7:DESC:00000003]"),
			[]string{"suites/pipes/pipe.7.yaml:20: statement pipe.7:DESC:00000003 is disposed of as not-checkable, but clause write.full-eagain at suites/pipes/write.2.yaml:4 cites it"}},
		"cites what another suite disposed of": {"pipes", "write.2.yaml", write + clauseYAML("write.full-eagain", "cites: [msgop.2:ERR:00000002]"),
			[]string{"suites/sysv/msgop.2.yaml:10: statement msgop.2:ERR:00000002 is disposed of as restates, but clause write.full-eagain at"}},
		"sees an unknown clause": {"pipes", "F_GETPIPE_SZ.2const.yaml",
			"page: F_GETPIPE_SZ(2const)\nedition: man-pages 6.20\ndispositions:\n  - {statement: F_GETPIPE_SZ.2const:DESC:00000001, is: restates, why: x, see: [msg.remove-eidrm, nothing.like-this]}\n", []string{
				"suites/pipes/F_GETPIPE_SZ.2const.yaml:4: the disposition of F_GETPIPE_SZ.2const:DESC:00000001 sees clause msg.remove-eidrm, which is not in the catalogue: did you mean msg.removed-eidrm?",
				"suites/pipes/F_GETPIPE_SZ.2const.yaml:4: the disposition of F_GETPIPE_SZ.2const:DESC:00000001 sees clause nothing.like-this, which is not in the catalogue"}},
		"two suites dispose of one statement": {"sysv", "pipe.7.yaml", head + "dispositions:\n  - {statement: pipe.7:DESC:00000003, is: other-system, why: x}\n",
			[]string{"suites/sysv/pipe.7.yaml:4: statement pipe.7:DESC:00000003 has a disposition at suites/pipes/pipe.7.yaml:20 already"}},
		"a fault of a file and one between": {"sysv", "write.2.yaml", write + clauseYAML("pipe.b", "level: bsd"), []string{
			`suites/sysv/write.2.yaml:7: clause pipe.b: level: unknown "bsd"`,
			"suites/sysv/write.2.yaml:4: clause pipe.b stands at"}},
	} {
		t.Run(name, func(t *testing.T) {
			suites := twoSuites()
			suites[c.suite].(fstest.MapFS)[c.file] = &fstest.MapFile{Data: []byte(c.text)}
			all, err := loadAll(testIndex(t), suites)
			if all == nil {
				t.Error("no catalogue with the error")
			}
			got := lines(err)
			ok := len(got) == len(c.want)
			for i := range min(len(got), len(c.want)) {
				ok = ok && strings.HasPrefix(got[i], c.want[i])
			}
			if !ok {
				t.Errorf("faults are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

// One suite alone loads even where it refers to clauses of others; only CheckReferences minds.
func TestOneSuiteAlone(t *testing.T) {
	c, err := load(testIndex(t), "sysv", twoSuites()["sysv"])
	if err != nil {
		t.Fatal(err)
	}
	if err := c.CheckReferences(); err == nil || !strings.Contains(err.Error(), "sees clause pipe.b, which is not") {
		t.Errorf("the error is %v", err)
	}
}

// What can be told with the index that is compiled in.
func TestLoadAllAndJoin(t *testing.T) {
	yaml := func(id string) fs.FS {
		return file(head + "clauses:\n" + clauseYAML(id, "cites: ["+ManPages().Page("pipe.7")[0].ID+"]"))
	}
	c, err := LoadAll(map[string]fs.FS{"pipes": yaml("pipe.x")})
	if err != nil || ids(c.Clauses()) != "pipe.x" || c.Index() != Statements() {
		t.Errorf("LoadAll gives %s, %v", ids(c.Clauses()), err)
	}
	other, err := Load("sysv", yaml("pipe.x"))
	if err != nil {
		t.Fatal(err)
	}
	if all, err := Join(c, other); err == nil || all == nil || len(lines(err)) != 1 {
		t.Errorf("Join gives %v", err)
	}
	if empty, err := Join(); err != nil || len(empty.Clauses()) != 0 {
		t.Errorf("Join of nothing gives %v", err)
	}
}
