package spec

import (
	"slices"
	"strings"
	"testing"
)

func TestReadIndexFaults(t *testing.T) {
	const good = "pipes\tpipe.7:DESC:00000001\tnormative\tDescription\t\n"
	for name, c := range map[string]struct{ text, want string }{
		"empty":           {"", "line 1: the index is empty"},
		"no columns line": {good, `line 1: the columns must be "suite\tid\tclass\tsection\tlabel"`},
		"too few columns": {IndexColumns + "\n" + good + "pipes\tpipe.7:DESC:00000002\n", "line 3: 2 columns instead of 5"},
		"too many":        {IndexColumns + "\n" + strings.TrimSuffix(good, "\n") + "\tx\n", "line 2: 6 columns instead of 5"},
		"blank line":      {IndexColumns + "\n\n" + good, "line 2: 1 columns instead of 5"},
		"malformed id":    {IndexColumns + "\npipes\tpipe:DESC:00000001\tnormative\tDescription\t\n", `line 2: statement id "pipe:DESC:00000001" is not`},
		"repeated id":     {IndexColumns + "\n" + good + good, "line 3: statement pipe.7:DESC:00000001 was on line 2 already"},
		"unknown class":   {IndexColumns + "\n" + strings.Replace(good, "normative", "moral", 1), `line 2: statement pipe.7:DESC:00000001: unknown class "moral"`},
		"no section":      {IndexColumns + "\n" + strings.Replace(good, "Description", "", 1), "line 2: statement pipe.7:DESC:00000001 has no suite or no section"},
		"no suite":        {IndexColumns + "\n" + strings.Replace(good, "pipes", "", 1), "line 2: statement pipe.7:DESC:00000001 has no suite or no section"},
		"page in two suites": {IndexColumns + "\n" + good + "sysv\tpipe.7:DESC:00000002\tnormative\tDescription\t\n",
			`line 3: page pipe.7 is in suite "sysv" here and in suite "pipes" on line 2`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ReadIndex(strings.NewReader(c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error is %v, want %s", err, c.want)
			}
		})
	}
}

func TestReadIndexGivesAllFaults(t *testing.T) {
	_, err := ReadIndex(strings.NewReader(IndexColumns + "\none\ntwo\tcolumns\n"))
	if got := lines(err); len(got) != 2 {
		t.Errorf("want two lines, not %q", got)
	}
}

func TestReadIndex(t *testing.T) {
	x := testIndex(t)
	s, ok := x.Statement("write.2:ERR:00000001")
	if want := (Statement{"write.2:ERR:00000001", "pipes", "write.2", Normative, "Errors", "EAGAIN"}); !ok || *s != want {
		t.Errorf("the statement is %+v, want %+v", s, want)
	}
	if _, ok := x.Statement("write.2:ERR:ffffffff"); ok {
		t.Error("a statement that is not there was found")
	}
	if got, want := x.Pages(), []string{"F_GETPIPE_SZ.2const", "msgop.2", "pipe.7", "write.2"}; !slices.Equal(got, want) {
		t.Errorf("pages are %v, want %v", got, want)
	}
	if got := len(x.Page("pipe.7")); got != 6 {
		t.Errorf("pipe.7 has %d statements, want 6", got)
	}
	if x.Page("pipe.8") != nil {
		t.Error("an unknown page has statements")
	}
}

// The index that is compiled in is whole: its numbers are those of the edition's list.
func TestManPages(t *testing.T) {
	x := ManPages()
	if x.Len() != 8292 {
		t.Errorf("%d statements, want 8292", x.Len())
	}
	normative := 0
	for _, s := range x.statements {
		if s.Class == Normative {
			normative++
		}
	}
	if normative != 6182 {
		t.Errorf("%d normative statements, want 6182", normative)
	}
	if got := len(x.Page("pipe.7")); got != 85 {
		t.Errorf("pipe.7 has %d statements, want 85", got)
	}
	for _, name := range x.Pages() {
		if back, err := ParsePageTitle(PageTitle(name)); err != nil || back != name {
			t.Errorf("page %s comes back as %s, %v", name, back, err)
		}
	}
}

func TestPageTitle(t *testing.T) {
	for name, title := range map[string]string{
		"pipe.7":                  "pipe(7)",
		"F_GETPIPE_SZ.2const":     "F_GETPIPE_SZ(2const)",
		"signal-safety.7":         "signal-safety(7)",
		"PR_SET_PDEATHSIG.2const": "PR_SET_PDEATHSIG(2const)",
	} {
		if got := PageTitle(name); got != title {
			t.Errorf("the title of %s is %s, want %s", name, got, title)
		}
		if got, err := ParsePageTitle(title); err != nil || got != name {
			t.Errorf("the name of %s is %s, %v; want %s", title, got, err, name)
		}
	}
	for _, title := range []string{"", "pipe", "pipe.7", "pipe()", "(7)", "pipe(7", "pipe(7) ", "a pipe(7)", "pipe(x)"} {
		if got, err := ParsePageTitle(title); err == nil {
			t.Errorf("%q is taken for the title of %s", title, got)
		}
	}
}
