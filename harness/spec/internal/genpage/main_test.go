package main

import (
	"os"
	"strings"
	"testing"
)

const page = `.\" a comment
.TH thing 4 2026 "x"
.SH NAME
thing \- not a statement.
.SH DESCRIPTION
It is a thing.
.SS Parts
.\" [lead-in]
Of
.I two
parts
.RB ( A " and " B ).
.SH ERRORS
.TP
.B EINVAL
.RB ( open (2))
No.
`

func TestGenerate(t *testing.T) {
	list, err := generate("things", page)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, line := range strings.Split(strings.TrimSuffix(string(list), "\n"), "\n") {
		c := strings.Split(line, "\t")
		got = append(got, strings.Join(append(c[:2], c[3:]...), "|"))
	}
	want := `suite|page|class|section|label|text
things|thing.4|normative|Description||It is a thing.
things|thing.4|lead-in|Parts||Of two parts (A and B).
things|thing.4|normative|Errors|EINVAL|(open(2)) No.`
	if strings.Join(got, "\n") != want {
		t.Errorf("the list is\n%s\nwant\n%s", strings.Join(got, "\n"), want)
	}
}

func TestGenerateFaults(t *testing.T) {
	for name, c := range map[string]struct{ page, want string }{
		"no full stop":  {strings.Replace(page, "It is a thing.", "It is a thing", 1), `line 7: .SS in a sentence: "It is a thing"`},
		"at the end":    {page + "And", `the last sentence has no full stop: "And"`},
		"unknown macro": {page + ".XX y\n", "line 18: the macro .XX is not known here"},
		"twice":         {strings.Replace(page, ".SS", "It is a thing.\n.SS", 1), `line 7: Description says it twice: "It is a thing."`},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := generate("things", c.page); err == nil || err.Error() != c.want {
				t.Errorf("the error is %v, want %s", err, c.want)
			}
		})
	}
}

// The list in the repository is what the page says.
func TestListIsUpToDate(t *testing.T) {
	const folder = "../../../../modules/channel/"
	source, err := os.ReadFile(folder + "channel.4")
	if err != nil {
		t.Fatal(err)
	}
	have, err := os.ReadFile(folder + "statements.tsv")
	if err != nil {
		t.Fatal(err)
	}
	want, err := generate("chardev", string(source))
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != string(want) {
		t.Error("modules/channel/statements.tsv is not what channel.4 says: run go generate ./harness/spec")
	}
}
