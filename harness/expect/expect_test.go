package expect

import (
	"bytes"
	"io/fs"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/ipcspec/ipcspec/harness/kernel"
	"github.com/ipcspec/ipcspec/harness/report"
	"github.com/ipcspec/ipcspec/harness/spec"
	"github.com/ipcspec/ipcspec/harness/strict"
)

func parse(t *testing.T, text string) Range {
	t.Helper()
	r, err := ParseRange(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestLoad(t *testing.T) {
	got, err := Load("e.yaml", []byte(`# Known.
expectations:
  - clause: pipe.write-*
    verdict: unsupported
    where:
      system: gvisor
      kernel: ">= 5.10, < 6.2"
      arch: [x86_64, aarch64]
      runtime: [docker, none]
      profile: default
      user: ordinary
    why: it is
      so
    link: https://example.org/1
  - {clause: pipe.two-ends, sometimes: true, why: it is so}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []Entry{
		{
			Clause: "pipe.write-*", Verdict: report.Unsupported,
			Where: Where{
				System: []string{"gvisor"}, Kernel: parse(t, ">=5.10,<6.2"), Arch: []string{"x86_64", "aarch64"},
				Runtime: []string{"docker", "none"}, Profile: []string{"default"}, User: "ordinary",
			},
			Why: "it is so", Link: "https://example.org/1", Source: strict.Location{File: "e.yaml", Line: 3},
		},
		{Clause: "pipe.two-ends", Verdict: report.Deviates, Sometimes: true, Why: "it is so", Source: strict.Location{File: "e.yaml", Line: 15}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestLoadFaults(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"", "e.yaml:1: the file is empty: give it expectations"},
		{"- a", "e.yaml:1: the file is a list where key: value lines belong: keys are expectations"},
		{"{}", "e.yaml:1: the file has no expectations: list them"},
		{"expectations: []", "e.yaml:1: expectations is empty: fill the list"},
		{"expectations: [{clause: a.b, why: c}]\n---\n", "a second YAML document"},
		{"expectations: [", "not YAML"},
		{"expectations:\n- clause: a.b\n  why: c\n  reason: d", `e.yaml:4: an expectation: unknown key "reason": keys are clause, verdict, where, sometimes, why, link`},
		{"expectations:\n- why: c", "e.yaml:2: the expectation has no clause: name a clause"},
		{"expectations:\n- clause: a.b", "e.yaml:2: the expectation of a.b has no why: say why"},
		{"expectations:\n- clause: a.b\n  why: # to be filled in", "e.yaml:3: the expectation of a.b: why"},
		{"expectations:\n- clause: a.b\n  why: c #d", "YAML takes for a comment"},
		{"expectations:\n- clause: '[a.b'\n  why: c", `e.yaml:2: clause glob "[a.b": syntax error in pattern: write it as in`},
		{"expectations:\n- clause: [a.b]\n  why: c", "e.yaml:2: clause is a list where a single value belongs"},
		{"expectations:\n- {clause: a.b, why: c, verdict: conforms}", `unknown "conforms": write one of deviates, unresolved, unsupported`},
		{"expectations:\n- {clause: a.b, why: c, link: there}", `link: "there" is not a URL: write https://…`},
		{"expectations:\n- {clause: a.b, why: c, where: {}}", "where is empty: say where, or remove it"},
		{"expectations:\n- {clause: a.b, why: c, where: {os: linux}}", `unknown key "os": keys are system, kernel, arch, runtime, profile, user`},
		{"expectations:\n- {clause: a.b, why: c, where: {system: plan9}}", `unknown "plan9": write one of linux, gvisor`},
		{"expectations:\n- {clause: a.b, why: c, where: {arch: x86-64}}", `unknown "x86-64": did you mean x86_64?`},
		{"expectations:\n- {clause: a.b, why: c, where: {runtime: [docker, docker]}}", "docker stands here twice"},
		{"expectations:\n- {clause: a.b, why: c, where: {profile: []}}", "profile is empty"},
		{"expectations:\n- {clause: a.b, why: c, where: {user: nobody}}", `unknown "nobody": write one of root, ordinary`},
		{"expectations:\n- {clause: a.b, why: c, where: {kernel: '6.1'}}", `kernel: "6.1" does not begin with one of >=, >, <=, <, =: write it as in ">= 5.10, < 6.2"`},
		{"expectations:\n- {clause: a.b, why: c, where: {user: root, arch: [s390x, i686]}}\n- {clause: a.b, why: d, where: {arch: [i686, s390x], user: root}}",
			"e.yaml:3: clause a.b stands at e.yaml:2 already, with the same where: keep one"},
	} {
		_, err := Load("e.yaml", []byte(test.text))
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "e.yaml:") {
			t.Errorf("%q: got %v\nwant %s", test.text, err, test.want)
		}
	}
	// All faults are told in one go.
	_, err := LoadAll("folder", fstest.MapFS{"a.yaml": {Data: []byte("expectations:\n- clause: a.b\n- why: c\n")}, "b.yaml": {Data: []byte("{}")}})
	if err == nil || strings.Count(err.Error(), "\n") != 2 || !strings.HasPrefix(err.Error(), "folder/a.yaml:2: ") || !strings.Contains(err.Error(), "folder/b.yaml:1: ") {
		t.Errorf("got %v", err)
	}
}

func TestRange(t *testing.T) {
	for text, versions := range map[string]struct{ in, out string }{
		">= 5.10":        {"5.10.0 5.10.1 6.1.0-13-amd64 6.12-rc3", "5.9.99 4.19.0"},
		"> 5.10":         {"5.11.0", "5.10.0 5.10.200 5.9.0"},
		"> 5.10.3":       {"5.10.4 6.0.0", "5.10.3 5.10.0"},
		"< 6.2":          {"6.1.99 5.4.0", "6.2.0 6.2.1"},
		"<= 6.1":         {"6.1.99 6.1.0 5.4.0", "6.2.0"},
		"<= 6.1.5":       {"6.1.5 6.0.9", "6.1.6 6.2.0"},
		"= 6.1":          {"6.1.0 6.1.5", "6.2.0 6.0.9"},
		"=6.1.5":         {"6.1.5-x", "6.1.6 6.1.4"},
		">= 5.10, < 6.2": {"5.10.0 6.1.9", "5.9.0 6.2.0"},
		"< 6.2,>=5.10":   {"5.10.0 6.1.9", "5.9.0 6.2.0"},
		"< 6.2, < 6.1":   {"6.0.0", "6.1.0"},
	} {
		r := parse(t, text)
		for _, version := range strings.Fields(versions.in) {
			if release, err := kernel.ParseRelease(version); err != nil || !r.Holds(release) {
				t.Errorf("%s is not in %q (%v)", version, text, err)
			}
		}
		for _, version := range strings.Fields(versions.out) {
			if release, err := kernel.ParseRelease(version); err != nil || r.Holds(release) {
				t.Errorf("%s is in %q (%v)", version, text, err)
			}
		}
		if r.Holds(kernel.Release{Text: "odd"}) {
			t.Errorf("an unknown version is in %q", text)
		}
	}
	for _, text := range []string{"", ",", "6", ">= 6", ">= 5.10,", "~ 6.1", "=> 6.1", "!= 6.1", ">= 6.2, < 5.10", "< 6.1, >= 6.1", ">= 6.1-rc1", "> 6.1 < 6.3"} {
		if r, err := ParseRange(text); err == nil {
			t.Errorf("%q is taken for a range: %+v", text, r)
		}
	}
	if !(Range{}).Holds(kernel.Release{Text: "odd"}) {
		t.Error("no range does not hold everything")
	}
}

func target(change func(*report.Target)) report.Target {
	t := report.Target{Kind: "local", Kernel: kernel.Facts{System: "Linux", Release: kernel.Release{Major: 6, Minor: 1, Patch: 5}, Machine: "x86_64", UID: 1000}}
	if change != nil {
		change(&t)
	}
	return t
}

func TestWhere(t *testing.T) {
	docker := func(t *report.Target) { t.Kernel.Runtime = "docker" }
	runsc := func(t *report.Target) { t.Kernel.Runtime = "gvisor" }
	asRoot := func(t *report.Target) { t.Kernel.UID = 0 }
	confined := func(t *report.Target) { t.Profile = "default" }
	for _, test := range []struct {
		where  string
		change func(*report.Target)
		want   bool
	}{
		{"system: linux", nil, true},
		{"system: linux", docker, true},
		{"system: linux", runsc, false},
		{"system: gvisor", runsc, true},
		{"system: gvisor", docker, false},
		{"system: [gvisor, linux]", runsc, true},
		{"system: linux", func(t *report.Target) { t.Kernel.System = "NotLinux" }, false},
		{"runtime: none", nil, true},
		{"runtime: none", docker, false},
		{"runtime: none", runsc, false},
		{"runtime: docker", docker, true},
		{"runtime: [podman, docker]", docker, true},
		{"kernel: '= 6.1'", nil, true},
		{"kernel: '> 6.1'", nil, false},
		{"arch: x86_64", nil, true},
		{"arch: aarch64", nil, false},
		{"profile: default", confined, true},
		{"profile: default", nil, false},
		{"profile: privileged", confined, false},
		{"user: root", asRoot, true},
		{"user: root", nil, false},
		{"user: ordinary", nil, true},
		{"{user: ordinary, arch: x86_64, system: linux, kernel: '< 7.0'}", nil, true},
		{"{user: ordinary, arch: x86_64, system: linux, kernel: '> 7.0'}", nil, false},
	} {
		text := strings.TrimSuffix(strings.TrimPrefix(test.where, "{"), "}")
		list, err := Load("e.yaml", []byte("expectations: [{clause: a.b, why: c, where: {"+text+"}}]"))
		if err != nil {
			t.Fatal(err)
		}
		if got := list[0].Where.Holds(target(test.change)); got != test.want {
			t.Errorf("%s: %v", test.where, got)
		}
	}
	if !(Where{}).Holds(report.Target{}) {
		t.Error("nothing is not everywhere")
	}
}

// catalogue has the clauses pipe.a and pipe.b.
func catalogue(t *testing.T) *spec.Catalogue {
	t.Helper()
	text := "page: pipe(7)\nedition: " + spec.Edition + "\nclauses:\n"
	for _, id := range []string{"pipe.a", "pipe.b"} {
		text += "  - id: " + id + "\n    text: It holds.\n    cites: [" + spec.ManPages().Page("pipe.7")[0].ID + "]\n    level: linux\n    subjects: [read]\n"
	}
	c, err := spec.LoadAll(map[string]fs.FS{"pipes": fstest.MapFS{"pipe.7.yaml": {Data: []byte(text)}}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestApply(t *testing.T) {
	list, err := Load("e.yaml", []byte(`expectations:
  - {clause: pipe.a, why: overruled}
  - {clause: pipe.*, verdict: unresolved, why: by a glob, link: "https://example.org/"}
  - {clause: pipe.b, why: elsewhere, where: {user: root}}
  - {clause: pipe.b, why: here, where: {user: ordinary}}
`))
	if err != nil {
		t.Fatal(err)
	}
	got := Apply(list, target(nil), catalogue(t).Clauses())
	want := map[string]report.Expectation{
		"pipe.a": {Verdict: report.Unresolved, Why: "by a glob", Link: "https://example.org/", Source: "e.yaml:3"},
		"pipe.b": {Verdict: report.Deviates, Why: "here", Source: "e.yaml:5"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
}

func TestCheck(t *testing.T) {
	list, err := Load("e.yaml", []byte("expectations:\n  - {clause: pipe.*, why: d}\n  - {clause: pipe.aa, why: d}\n  - {clause: sock*, why: d}\n"))
	if err != nil {
		t.Fatal(err)
	}
	err = Check(list, catalogue(t))
	want := `e.yaml:3: the expectation of pipe.aa: no clause matches "pipe.aa": did you mean pipe.a or pipe.b?
e.yaml:4: the expectation of sock*: no clause matches "sock*"`
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

func TestDraft(t *testing.T) {
	results := report.Results{
		Target: target(func(t *report.Target) { t.Profile = "default" }),
		Clauses: []report.ClauseResult{
			{ClauseInfo: report.ClauseInfo{ID: "pipe.a", Text: "It holds."}, Verdict: report.Deviates,
				Evidence: []report.Evidence{{Message: "Expected\n  1\x1b\u2028to be 2\xff"}}},
			{ClauseInfo: report.ClauseInfo{ID: "pipe.b"}, Verdict: report.Deviates, Expected: &report.Expectation{Verdict: report.Deviates, Why: "known"}},
			{ClauseInfo: report.ClauseInfo{ID: "pipe.c"}, Verdict: report.Unresolved},
		},
	}
	var b bytes.Buffer
	n, err := Draft(&b, results)
	if err != nil || n != 1 {
		t.Fatalf("%d entries, %v", n, err)
	}
	const want = `expectations:
  # It holds.
  # Expected 1? to be 2?
  - clause: pipe.a
    where:
      system: linux
      kernel: = 6.1
      arch: x86_64
      runtime: none
      profile: default
      user: ordinary
    why: # to be filled in
`
	if _, entries, _ := strings.Cut(b.String(), "be loaded. Then remove the conditions that the reason does not depend on.\n"); entries != want {
		t.Errorf("got\n%s\nwant\n%s", entries, want)
	}
	if _, err := Load("draft.yaml", b.Bytes()); err == nil || strings.Count(err.Error(), "\n") != 0 || !strings.Contains(err.Error(), "pipe.a: why") {
		t.Errorf("a draft without reasons: %v", err)
	}
	filled := strings.ReplaceAll(b.String(), "why: # to be filled in", "why: it is so")
	list, err := Load("draft.yaml", []byte(filled))
	if err != nil || len(list) != 1 || !list[0].Where.Holds(results.Target) {
		t.Errorf("the draft filled in: %+v, %v", list, err)
	}
	b.Reset()
	if n, err := Draft(&b, report.Results{}); n != 0 || err != nil || b.Len() > 0 {
		t.Errorf("a draft of nothing: %d, %v, %q", n, err, b.String())
	}
}
