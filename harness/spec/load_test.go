package spec

import (
	"io/fs"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/sys/unix"
)

// testIndex is a small index of statements: pipe(7), write(2), F_GETPIPE_SZ(2const) and msgop(2).
func testIndex(t *testing.T) *Index {
	t.Helper()
	x, err := ReadIndex(strings.NewReader(IndexColumns + `
pipes	pipe.7:DESC:00000001	normative	I/O on pipes and FIFOs	
pipes	pipe.7:DESC:00000002	normative	I/O on pipes and FIFOs	
pipes	pipe.7:DESC:00000003	normative	Pipe capacity	
pipes	pipe.7:DESC:00000003.2	normative	Pipe capacity	
pipes	pipe.7:DESC:00000004	lead-in	PIPE_BUF	
pipes	pipe.7:BUG:00000005	bug	Bugs	
pipes	write.2:ERR:00000001	normative	Errors	EAGAIN
pipes	F_GETPIPE_SZ.2const:DESC:00000001	normative	Description	
sysv	msgop.2:ERR:00000001	normative	Errors	EIDRM
sysv	msgop.2:ERR:00000002	normative	Errors	ENOMSG
`))
	if err != nil {
		t.Fatal(err)
	}
	return x
}

const head = "page: pipe(7)\nedition: man-pages 6.20\n"

// clauseYAML makes the YAML of a clause that has everything it must have, and lines of its own.
func clauseYAML(id string, more ...string) string {
	fields := map[string]string{
		"text":     "text: Something holds.",
		"cites":    "cites: [pipe.7:DESC:00000001]",
		"level":    "level: posix",
		"subjects": "subjects: [write]",
	}
	text := "  - id: " + id + "\n"
	for _, line := range more {
		key, _, _ := strings.Cut(line, ":")
		if _, ok := fields[key]; ok {
			fields[key] = line
		} else if strings.HasPrefix(line, "-") {
			delete(fields, line[1:])
		} else {
			text += "    " + strings.ReplaceAll(line, "\n", "\n    ") + "\n"
		}
	}
	for _, key := range []string{"text", "cites", "level", "subjects"} {
		if line, ok := fields[key]; ok {
			text += "    " + line + "\n"
		}
	}
	return text
}

func file(text string) fs.FS {
	return fstest.MapFS{"pipe.7.yaml": {Data: []byte(text)}}
}

func TestLoad(t *testing.T) {
	c, err := load(testIndex(t), "pipes", fstest.MapFS{
		"pipe.7.yaml": {Data: []byte(`# The pipe.
page: pipe(7)
edition: man-pages 6.20
clauses:
  - id: pipe.write-full-eagain
    text: With O_NONBLOCK, a write of at most PIPE_BUF bytes to a pipe without room for all of
      them transfers nothing and fails with EAGAIN.
    cites: [pipe.7:DESC:00000001, write.2:ERR:00000001]
    level: posix
    subjects: [write, pwritev2]
    since: 6.10
    until: "6.12.1"
    optional: CONFIG_WATCH_QUEUE
    needs:
      unprivileged: true
      fresh-user: true
      capabilities: [CAP_SYS_RESOURCE]
      without: [CAP_SYS_ADMIN, CAP_KILL]
      cpus: 2
      devices: [/dev/full]
      sysctls: [fs.pipe-max-size]
      sysctls-write: [fs.pipe-user-pages-hard]
      namespaces: [mount, net, ipc, pid, user, uts]
  - id: pipe.2.b
    text: "It is so: #1."
    cites:
      - pipe.7:BUG:00000005
    level: linux
    subjects: [pipe2]
    needs: {serial: true}
dispositions:
  - statement: pipe.7:DESC:00000002
    is: restates
    why: says
      it again
    see: [pipe.2.b]
`)},
		"F_GETPIPE_SZ.2const.yaml": {Data: []byte(`
dispositions: [{statement: "F_GETPIPE_SZ.2const:DESC:00000001", is: erratum, why: is wrong}]
page: F_GETPIPE_SZ(2const)
edition: man-pages 6.20
`)},
		"notes.txt":     {Data: []byte("not YAML: at all: [")},
		"old/pipe.yaml": {Data: []byte("not of the root")},
	})
	if err != nil {
		t.Fatal(err)
	}
	const name = "suites/pipes/pipe.7.yaml"
	want := []*Clause{{
		ID: "pipe.write-full-eagain", Suite: "pipes", Page: "pipe.7",
		Text:     "With O_NONBLOCK, a write of at most PIPE_BUF bytes to a pipe without room for all of them transfers nothing and fails with EAGAIN.",
		Cites:    []string{"pipe.7:DESC:00000001", "write.2:ERR:00000001"},
		Level:    POSIX,
		Subjects: []string{"write", "pwritev2"},
		Since:    Version{6, 10, 0},
		Until:    Version{6, 12, 1},
		Optional: "CONFIG_WATCH_QUEUE",
		Needs: Needs{
			Unprivileged: true,
			FreshUser:    true,
			Capabilities: []string{"CAP_SYS_RESOURCE"},
			Without:      []string{"CAP_SYS_ADMIN", "CAP_KILL"},
			CPUs:         2,
			Devices:      []string{"/dev/full"},
			Sysctls:      []string{"fs.pipe-max-size"},
			SysctlsWrite: []string{"fs.pipe-user-pages-hard"},
			Namespaces:   []string{"mount", "net", "ipc", "pid", "user", "uts"},
			Serial:       true,
		},
		Source: Location{File: name, Line: 5},
	}, {
		ID: "pipe.2.b", Suite: "pipes", Page: "pipe.7", Text: "It is so: #1.", Cites: []string{"pipe.7:BUG:00000005"},
		Level: Linux, Subjects: []string{"pipe2"}, Needs: Needs{Serial: true}, Source: Location{File: name, Line: 24},
	}}
	if got := c.Clauses(); !reflect.DeepEqual(got, want) {
		t.Errorf("clauses are\n%+v\nwant\n%+v", got, want)
	}
	d, ok := c.Disposition("pipe.7:DESC:00000002")
	if want := (&Disposition{"pipe.7:DESC:00000002", Restates, "says it again", []string{"pipe.2.b"}, "pipes", "pipe.7", Location{File: name, Line: 32}}); !ok || !reflect.DeepEqual(d, want) {
		t.Errorf("the disposition is %+v, want %+v", d, want)
	}
	if d, ok := c.Disposition("F_GETPIPE_SZ.2const:DESC:00000001"); !ok || d.Kind != Erratum || d.See != nil {
		t.Errorf("the erratum without a clause is %+v", d)
	}
	var pages []string
	for _, p := range c.Pages() {
		pages = append(pages, p.Name+" "+p.Suite+" "+p.File)
	}
	if want := []string{"F_GETPIPE_SZ.2const pipes suites/pipes/F_GETPIPE_SZ.2const.yaml", "pipe.7 pipes " + name}; !slices.Equal(pages, want) {
		t.Errorf("pages are %q, want %q", pages, want)
	}
	if err := c.CheckReferences(); err != nil {
		t.Error(err)
	}
}

// Each text has the one fault that is named, at the line that is named.
func TestLoadFaults(t *testing.T) {
	clause := func(more ...string) string { return head + "clauses:\n" + clauseYAML("pipe.x", more...) }
	disposed := func(text string) string {
		return clause() + "dispositions:\n  - " + strings.ReplaceAll(text, "\n", "\n    ") + "\n"
	}
	const good = "statement: pipe.7:DESC:00000002\nis: out-of-scope\nwhy: a reason"
	for name, c := range map[string]struct{ text, want string }{
		"empty file":            {"", "1: the file is empty"},
		"only a comment":        {"# Nothing.\n", "1: the file is"},
		"a list":                {"- page\n", "1: the file is a list where key: value lines belong"},
		"a word":                {"page\n", "1: the file is a single value where"},
		"not YAML":              {head + "clauses:\n  - id: pipe.x\n    text: With this: that\n", "5: not YAML: mapping values are not allowed in this context"},
		"a tab":                 {head + "clauses:\n\t- id: pipe.x\n", "4: not YAML: found character that cannot start any token"},
		"two documents":         {clause() + "---\npage: pipe(7)\n", "9: a second YAML document"},
		"rest not YAML":         {clause() + "---\n[\n", "not YAML"},
		"unknown key of a page": {clause() + "pages: x\n", `9: the file: unknown key "pages": keys are page, edition, clauses, dispositions`},
		"key twice":             {clause() + "page: pipe(7)\n", "9: the file: key page stands here a second time"},
		"no page":               {strings.Replace(clause(), "page: pipe(7)\n", "", 1), "1: the file has no page: give"},
		"page empty":            {strings.Replace(clause(), "page: pipe(7)", "page:", 1), "1: page is empty"},
		"page null":             {strings.Replace(clause(), "page: pipe(7)", "page: ~", 1), "1: page is empty"},
		"page not a title":      {strings.Replace(clause(), "pipe(7)", "pipe.7", 1), `1: page "pipe.7" is not of the form pipe(7)`},
		"page a list":           {strings.Replace(clause(), "pipe(7)", "[pipe(7)]", 1), "1: page is a list where a single value belongs"},
		"page unknown":          {strings.Replace(clause(), "pipe(7)", "pipe(8)", 1), "1: page pipe(8) is not among the statements of man-pages 6.20: did you mean pipe(7)?"},
		"page of another file":  {strings.Replace(clause(), "pipe(7)", "write(2)", 1), "1: page write(2) in a file of another name: rename the file to write.2.yaml"},
		"no edition":            {strings.Replace(clause(), "edition: man-pages 6.20\n", "", 1), "1: the file has no edition: write edition: man-pages 6.20"},
		"other edition":         {strings.Replace(clause(), "6.20", "6.19", 1), `2: edition "man-pages 6.19" is not the one`},
		"nothing in it":         {head, "1: neither clauses nor dispositions"},
		"clauses empty":         {head + "clauses: []\n", "3: clauses is empty"},
		"clauses null":          {head + "clauses:\n", "3: clauses is empty where a list belongs"},
		"clauses a mapping":     {head + "clauses: {id: pipe.x}\n", "3: clauses is a mapping where a list belongs"},
		"clause a word":         {head + "clauses: [pipe.x]\n", "3: a clause is a single value where"},

		"unknown key of a clause": {clause("leve: posix"), `5: a clause: unknown key "leve": keys are id, text,`},
		"no id":                   {clause() + "  - text: x\n    cites: [pipe.7:DESC:00000001]\n    level: posix\n    subjects: [read]\n", "9: the clause has no id"},
		"id empty":                {strings.Replace(clause(), "pipe.x", "", 1), "4: id is empty"},
		"id without a dot":        {strings.Replace(clause(), "pipe.x", "pipe-x", 1), `4: clause id "pipe-x": write`},
		"id in capitals":          {strings.Replace(clause(), "pipe.x", "pipe.EAGAIN", 1), `4: clause id "pipe.EAGAIN": write`},
		"id with an underscore":   {strings.Replace(clause(), "pipe.x", "pipe.pipe_buf", 1), `4: clause id "pipe.pipe_buf": write`},
		"id with two dots":        {strings.Replace(clause(), "pipe.x", "pipe..x", 1), `4: clause id "pipe..x": write`},
		"id ends in a hyphen":     {strings.Replace(clause(), "pipe.x", "pipe.x-", 1), `4: clause id "pipe.x-": write`},
		"id with a label's sign":  {strings.Replace(clause(), "pipe.x", "pipe.x|y", 1), `4: clause id "pipe.x|y": write`},
		"no text":                 {clause("-text"), "4: clause pipe.x has no text"},
		"text empty":              {clause(`text: ""`), "5: clause pipe.x: text is empty"},
		"text blank":              {clause(`text: "  "`), "5: clause pipe.x: text is empty"},
		"text cut by a comment":   {clause("text: This is signal #9 of all."), `5: clause pipe.x: text ends before "#9 of all.", which YAML takes for a comment`},
		"no cites":                {clause("-cites"), "4: clause pipe.x cites nothing"},
		"cites empty":             {clause("cites: []"), "6: clause pipe.x: cites is empty"},
		"cites a word":            {clause("cites: pipe.7:DESC:00000001"), "6: clause pipe.x: cites is a single value where a list belongs"},
		"cites unknown":           {clause("cites: [pipe.7:DESC:00000001, pipe.7:DESC:00000009]"), "6: clause pipe.x cites pipe.7:DESC:00000009, which is not a statement of man-pages 6.20: did you mean pipe.7:DESC:00000001"},
		"cites twice":             {clause("cites: [pipe.7:DESC:00000001, pipe.7:DESC:00000001]"), "6: clause pipe.x: cites: pipe.7:DESC:00000001 stands here twice"},
		"no level":                {clause("-level"), "4: clause pipe.x has no level"},
		"level unknown":           {clause("level: bsd"), `7: clause pipe.x: level: unknown "bsd": write one of posix, linux`},
		"no subjects":             {clause("-subjects"), "4: clause pipe.x has no subjects"},
		"subjects empty":          {clause("subjects: []"), "8: clause pipe.x: subjects is empty"},
		"subject with brackets":   {clause("subjects: [write(2)]"), `8: clause pipe.x: subjects: "write(2)" is not a kernel name`},
		"subject twice":           {clause("subjects: [write, write]"), "8: clause pipe.x: subjects: write stands here twice"},
		"since bad":               {clause("since: v5.1"), `5: clause pipe.x: since: version "v5.1" is not X.Y or X.Y.Z`},
		"since a number":          {clause("since: 6"), `5: clause pipe.x: since: version "6" is not`},
		"until empty":             {clause("until:"), "5: clause pipe.x: until is empty"},
		"until before since":      {clause("since: 6.5", "until: 6.1"), "6: clause pipe.x: until 6.1 is not after since 6.5"},
		"until is since":          {clause("since: 6.5", "until: 6.5.0"), "6: clause pipe.x: until 6.5 is not after since 6.5"},
		"optional bad":            {clause("optional: WATCH_QUEUE"), `5: clause pipe.x: optional: "WATCH_QUEUE" is not CONFIG_…`},
		"alias":                   {clause("since: &v 6.5", "until: *v"), "6: clause pipe.x: until is an alias"},

		"needs a word":               {clause("needs: root"), "5: clause pipe.x: needs is a single value where"},
		"needs null":                 {clause("needs:"), "5: clause pipe.x: needs is empty where"},
		"needs empty":                {clause("needs: {}"), "5: clause pipe.x: needs is empty: say"},
		"needs unknown":              {clause("needs: {root: true}"), `5: clause pipe.x: needs: unknown key "root": keys are unprivileged, fresh-user,`},
		"needs false":                {clause("needs: {serial: false}"), `5: clause pipe.x: needs: serial: "false" is not true`},
		"needs unknown capability":   {clause("needs: {capabilities: [CAP_SYS_RESSOURCE]}"), `5: clause pipe.x: needs: capabilities: unknown "CAP_SYS_RESSOURCE": did you mean CAP_SYS_RESOURCE`},
		"needs a capability and not": {clause("needs:\n  capabilities: [CAP_KILL]\n  without: [CAP_CHOWN, CAP_KILL]"), "7: clause pipe.x: needs: CAP_KILL is both needed and to be missing"},
		"disposable for nothing":     {clause("needs: {disposable: ''}"), "5: clause pipe.x: needs: disposable is empty"},
		"needs one CPU":              {clause("needs: {cpus: 1}"), `5: clause pipe.x: needs: cpus: "1" is not a number from 2`},
		"needs many CPUs":            {clause("needs: {cpus: many}"), `5: clause pipe.x: needs: cpus: "many" is not a number from 2`},
		"needs a device elsewhere":   {clause("needs: {devices: [/tmp/full]}"), `5: clause pipe.x: needs: devices: "/tmp/full" is not a path such as /dev/full`},
		"needs a device, climbing":   {clause("needs: {devices: [/dev//full]}"), `5: clause pipe.x: needs: devices: "/dev//full" is not a path such as /dev/full`},
		"needs a sysctl's path":      {clause("needs: {sysctls: [fs/pipe-max-size]}"), `5: clause pipe.x: needs: sysctls: "fs/pipe-max-size" is not a name such as fs.pipe-max-size`},
		"writes a sysctl's path":     {clause("needs: {sysctls-write: [/proc/sys/fs]}"), `5: clause pipe.x: needs: sysctls-write: "/proc/sys/fs" is not a name such as`},
		"needs namespace twice":      {clause("needs: {namespaces: [ipc], namespaces-if-possible: [ipc]}"), `5: clause pipe.x: needs: namespaces-if-possible: ipc is in namespaces, too: remove it from one of them`},
		"needs no shared namespace":  {clause("needs: {namespaces-if-possible: [net]}"), `5: clause pipe.x: needs: namespaces-if-possible: unknown "net": write one of ipc`},
		"needs unknown namespace":    {clause("needs: {namespaces: [mnt]}"), `5: clause pipe.x: needs: namespaces: unknown "mnt": write one of mount, net,`},

		"disposition a word":          {clause() + "dispositions: [x]\n", "9: a disposition is a single value where"},
		"unknown key of disposition":  {disposed(good + "\nreason: x"), `13: a disposition: unknown key "reason": keys are statement, is, why, see`},
		"no statement":                {disposed("is: out-of-scope\nwhy: a reason"), "10: the disposition has no statement"},
		"statement unknown":           {disposed(strings.Replace(good, "00000002", "0000000a", 1)), "10: a disposition names pipe.7:DESC:0000000a, which is not a statement of"},
		"statement of another page":   {disposed(strings.Replace(good, "pipe.7:DESC:00000002", "write.2:ERR:00000001", 1)), "10: statement write.2:ERR:00000001 is of another page: move the disposition to write.2.yaml"},
		"no is":                       {disposed(strings.Replace(good, "is: out-of-scope\n", "", 1)), "10: the disposition of pipe.7:DESC:00000002 has no is: write one of restates, not-checkable, out-of-scope, other-system, erratum"},
		"is unknown":                  {disposed(strings.Replace(good, "out-of-scope", "boring", 1)), `11: the disposition of pipe.7:DESC:00000002: is: unknown "boring": write one of restates,`},
		"no why":                      {disposed(strings.Replace(good, "\nwhy: a reason", "", 1)), "10: the disposition of pipe.7:DESC:00000002 has no why"},
		"why empty":                   {disposed(strings.Replace(good, "a reason", `""`, 1)), "12: the disposition of pipe.7:DESC:00000002: why is empty"},
		"why cut by a comment":        {disposed(strings.Replace(good, "a reason", "a # reason", 1)), "12: the disposition of pipe.7:DESC:00000002: why ends before"},
		"restates without see":        {disposed(strings.Replace(good, "out-of-scope", "restates", 1)), "11: the disposition of pipe.7:DESC:00000002: restates without see"},
		"see empty":                   {disposed(good + "\nsee: []"), "13: the disposition of pipe.7:DESC:00000002: see is empty"},
		"see not an id":               {disposed(good + "\nsee: [Pipe]"), `13: the disposition of pipe.7:DESC:00000002: see: "Pipe" is not the id of a clause`},
		"two dispositions":            {disposed(good+"\n") + "  - {statement: pipe.7:DESC:00000002, is: other-system, why: z}\n", "14: statement pipe.7:DESC:00000002 has a disposition at suites/pipes/pipe.7.yaml:10 already"},
		"cited and disposed of":       {disposed(strings.Replace(good, "00000002", "00000001", 1)), "10: statement pipe.7:DESC:00000001 is disposed of as out-of-scope, but clause pipe.x at suites/pipes/pipe.7.yaml:4 cites it: remove the disposition or the cite"},
		"cited and an erratum":        {disposed(strings.NewReplacer("00000002", "00000001", "out-of-scope", "erratum").Replace(good) + "\nsee: [pipe.x]"), "10: statement pipe.7:DESC:00000001 is disposed of as erratum, but clause pipe.x at suites/pipes/pipe.7.yaml:4 cites it: remove the cite and name"},
		"id twice":                    {clause() + clauseYAML("pipe.x"), "9: clause pipe.x stands at suites/pipes/pipe.7.yaml:4 already"},
		"no cites, seen by no errata": {strings.Replace(disposed(good+"\nsee: [pipe.x]"), "    cites: [pipe.7:DESC:00000001]\n", "", 1), "4: clause pipe.x cites nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(testIndex(t), "pipes", file(c.text))
			if err == nil {
				t.Fatalf("no fault found in\n%s", c.text)
			}
			var others []string
			found := false
			for _, line := range lines(err) {
				if strings.HasPrefix(line, "suites/pipes/pipe.7.yaml:"+c.want) || c.want == "not YAML" && strings.Contains(line, c.want) {
					found = true
				} else if !strings.Contains(line, "cites nothing") || !strings.Contains(c.want, "cites") {
					// A clause whose only cite is refused cites nothing: two true lines.
					others = append(others, line)
				}
			}
			if !found || len(others) > 0 {
				t.Errorf("faults are\n%v\nwant\n%s\nin\n%s", err, c.want, c.text)
			}
		})
	}
}

func TestErratumDocumentsAClause(t *testing.T) {
	c, err := load(testIndex(t), "pipes", file(head+"clauses:\n"+clauseYAML("pipe.x", "-cites")+
		"dispositions:\n  - {statement: pipe.7:DESC:00000002, is: erratum, why: seen in pipe.c, see: [pipe.x]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if seeing := c.Seeing("pipe.x"); len(seeing) != 1 || seeing[0].Statement != "pipe.7:DESC:00000002" {
		t.Errorf("pipe.x is seen by %v", seeing)
	}
}

func TestLoadGivesAllFaults(t *testing.T) {
	_, err := load(testIndex(t), "pipes", fstest.MapFS{
		"pipe.7.yaml": {Data: []byte(head + "edition: x\nclauses:\n" +
			clauseYAML("pipe.x", "level: bsd", "since: x", "needs: {root: true, cpus: 0}") +
			clauseYAML("PIPE", "cites: [x, y]") + clauseYAML("pipe.x"))},
		"write.2.yaml": {Data: []byte("page: write(2)\nedition: man-pages 6.20\nclauses:\n" + clauseYAML("write.x", "-text", "-level"))},
		"bad.yaml":     {Data: []byte("}")},
	})
	var got []string
	for _, line := range lines(err) {
		at, what, _ := strings.Cut(line, ": ")
		got = append(got, strings.TrimPrefix(at, "suites/pipes/")+" "+what[:min(20, len(what))])
	}
	want := []string{
		"bad.yaml:1 not YAML: did not fi",
		"pipe.7.yaml:3 the file: key editio",
		"pipe.7.yaml:6 clause pipe.x: since",
		"pipe.7.yaml:7 clause pipe.x: needs",
		"pipe.7.yaml:7 clause pipe.x: needs",
		"pipe.7.yaml:10 clause pipe.x: level",
		"pipe.7.yaml:12 clause id \"PIPE\": wr",
		"pipe.7.yaml:14 clause PIPE cites x,",
		"pipe.7.yaml:14 clause PIPE cites y,",
		"pipe.7.yaml:17 clause pipe.x stands",
		"write.2.yaml:4 clause write.x has n",
		"write.2.yaml:4 clause write.x has n",
	}
	if !slices.Equal(got, want) {
		t.Errorf("faults are\n%v\nthat is\n%s\nwant\n%s", err, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestLoadFolder(t *testing.T) {
	for name, c := range map[string]struct {
		suite string
		fsys  fs.FS
		want  string
	}{
		"suite's name":    {"Pipes", file(head), `suite "Pipes": the name must be lower-case letters`},
		"no folder":       {"pipes", brokenFS{}, "suites/pipes: "},
		"no YAML":         {"pipes", fstest.MapFS{"a.go": {}}, "suites/pipes: no *.yaml"},
		"unreadable file": {"pipes", brokenFile{fstest.MapFS{"pipe.7.yaml": {}}}, "suites/pipes/pipe.7.yaml:1: "},
	} {
		t.Run(name, func(t *testing.T) {
			c2, err := load(testIndex(t), c.suite, c.fsys)
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("the error is %v, want %s", err, c.want)
			}
			if c2 == nil {
				t.Error("no catalogue with the error")
			}
		})
	}
}

type brokenFS struct{}

func (brokenFS) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

type brokenFile struct{ fstest.MapFS }

func (brokenFile) ReadFile(name string) ([]byte, error) {
	return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrPermission}
}

func TestCapabilities(t *testing.T) {
	if len(capabilities) != unix.CAP_LAST_CAP+1 || !slices.IsSorted(capabilities) {
		t.Errorf("%d capabilities, of which the last one's number is %d", len(capabilities), unix.CAP_LAST_CAP)
	}
	if unique := slices.Compact(slices.Clone(capabilities)); len(unique) != len(capabilities) {
		t.Error("a capability stands twice")
	}
}

// Whatever is needed shows in the line that says so.
func TestNeedsString(t *testing.T) {
	if s := (Needs{}).String(); s != "" || !(Needs{}).IsZero() {
		t.Errorf("no needs are %q", s)
	}
	fields := reflect.TypeFor[Needs]()
	for i := range fields.NumField() {
		var n Needs
		switch f := reflect.ValueOf(&n).Elem().Field(i); f.Kind() {
		case reflect.Bool:
			f.SetBool(true)
		case reflect.String:
			f.SetString("x")
		case reflect.Int:
			f.SetInt(2)
		case reflect.Slice:
			f.Set(reflect.ValueOf([]string{"x"}))
		}
		if n.IsZero() {
			t.Errorf("Needs.String leaves out %s", fields.Field(i).Name)
		}
	}
	n := Needs{Unprivileged: true, Without: []string{"CAP_KILL"}, CPUs: 2, SysctlsWrite: []string{"fs.x"}, Namespaces: []string{"net"}, Serial: true}
	if want := "unprivileged, without CAP_KILL, 2 CPUs, writable sysctl fs.x, own net namespace, serial"; n.String() != want {
		t.Errorf("needs are %q, want %q", n, want)
	}
}
