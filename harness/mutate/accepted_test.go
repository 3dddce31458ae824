package mutate_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ipcspec/ipcspec/harness/mutate"
)

// unexplained is how many survivors of each clause no rule explains.
const unexplained = 2

// found is the report of a suite of two clauses; killed says how many lies about each were noticed.
func found(killed, survived [2]int) mutate.Report {
	var r mutate.Report
	suite := mutate.SuiteReport{Suite: "channels"}
	for i, id := range []string{"channel.opens", "channel.closes"} {
		tally := mutate.Tally{Killed: killed[i], Survived: survived[i]}
		c := mutate.ClauseReport{
			ID: id, Suite: "channels", Tally: tally, Subjects: []mutate.SubjectReport{{Name: "openat", Calls: 1, Tally: tally}},
		}
		for n := range survived[i] {
			s := mutate.Survivor{Mutant: &mutate.Mutant{Lie: fmt.Sprintf("lie %d", n)}}
			if n >= unexplained {
				s.Rule = "late"
			}
			c.Survivors = append(c.Survivors, s)
		}
		r.Clauses = append(r.Clauses, c)
		suite.LiedTo++
		suite.Killed += killed[i]
		suite.Survived += survived[i]
	}
	r.Suites = []mutate.SuiteReport{suite}
	return r
}

func TestCheck(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "suites/channels"), 0o777); err != nil {
		t.Fatal(err)
	}
	then := found([2]int{50, 0}, [2]int{10, 5})
	if worse, _, err := then.Check(root, true); err != nil || len(worse) != 1 || !strings.Contains(worse[0], "--accept") {
		t.Errorf("without an accepted result: %q, %v", worse, err)
	}
	if err := then.Accept(root); err != nil {
		t.Fatal(err)
	}
	other := found([2]int{50, 0}, [2]int{10, 5})
	survivor := &other.Clauses[1].Survivors[1]
	survivor.Spec, survivor.Mutant = "slow", &mutate.Mutant{Lie: "another lie"}
	none := mutate.Report{Suites: []mutate.SuiteReport{{Suite: "channels"}}}
	for _, c := range then.Clauses {
		none.Clauses = append(none.Clauses, mutate.ClauseReport{ID: c.ID, Suite: c.Suite, Why: "it does not conform"})
	}
	for name, c := range map[string]struct {
		now   mutate.Report
		whole bool
		want  []string
	}{
		"the same":                    {then, true, nil},
		"better":                      {found([2]int{55, 3}, [2]int{5, 2}), true, nil},
		"a share that falls a little": {found([2]int{200, 0}, [2]int{41, 20}), true, nil},
		"another weak clause": {
			found([2]int{0, 50}, [2]int{5, 5}), true, []string{"channel.opens: no lie about openat is noticed"},
		},
		"a share that falls": {
			found([2]int{45, 0}, [2]int{15, 5}), true,
			[]string{"channels: 69.2 % of mutants are killed, and it was 76.9 %"},
		},
		"a share that falls, of some clauses": {found([2]int{45, 0}, [2]int{15, 5}), false, nil},
		"another lie that nobody notices":     {other, true, nil},
		"no lie at all": {
			none, true, []string{"channels: no clause conforms here, so that none could be lied to, and 2 were"},
		},
		"no lie at all about some clauses": {none, false, nil},
	} {
		worse, survivors, err := c.now.Check(root, c.whole)
		if err != nil || !slices.Equal(worse, c.want) {
			t.Errorf("%s: %q, %v, not %q", name, worse, err, c.want)
		}
		var unaccepted []string
		if name == "another lie that nobody notices" {
			unaccepted = []string{"channel.closes: not noticed, and no rule explains it: [slow] another lie"}
		}
		if !slices.Equal(survivors, unaccepted) {
			t.Errorf("%s: survivors %q, not %q", name, survivors, unaccepted)
		}
	}
	if !then.HasWeak() || found([2]int{1, 1}, [2]int{9, 9}).HasWeak() {
		t.Error("a weak clause is one that has no kill on one of its subjects")
	}

	if err := os.WriteFile(filepath.Join(root, "suites/channels/mutation.json"), []byte("{"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, _, err := then.Check(root, true); err == nil || !strings.Contains(err.Error(), "mutation.json") {
		t.Errorf("a spoiled file: %v", err)
	}
}

func TestChangedSuites(t *testing.T) {
	root := t.TempDir()
	t.Chdir(root)
	git := func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-c", "user.name=test", "-c", "user.email=test@localhost"}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, out)
		}
	}
	write := func(file, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	git("init", "-q")
	all := []string{"gone", "pipes", "signals", "sysv"}
	for _, file := range []string{
		"suites/pipes/pipe.7.yaml", "suites/pipes/a.go", "suites/signals/kill.2.yaml", "suites/signals/b.go", "suites/signals/code/b.txt",
		"suites/sysv/msgget.2.yaml", "suites/sysv/c.go", "suites/sysv/mutation.json", "suites/gone/gone.2.yaml",
		"harness/actor/call.go", "harness/actor/loop_amd64.s", "harness/actor/call_test.go", "cmd/ipcspec/main.go", "go.mod", "README.md",
	} {
		write(file, "one\n")
	}
	git("add", ".")
	git("commit", "-qm", "one")
	for _, c := range []struct {
		what  string
		files []string // that are changed
		want  []string
	}{
		{"nothing", nil, nil},
		{"the accepted result, the command and the README", []string{"suites/sysv/mutation.json", "cmd/ipcspec/main.go", "README.md"}, nil},
		{"specs of two suites", []string{"suites/pipes/a.go", "suites/signals/b.go"}, []string{"pipes", "signals"}},
		{"clauses", []string{"suites/pipes/pipe.7.yaml"}, []string{"pipes"}},
		{"a file that specs use", []string{"suites/signals/code/b.txt"}, []string{"signals"}},
		{"a new file", []string{"suites/sysv/d e.go"}, []string{"sysv"}},
		{"a test of the harness", []string{"harness/actor/call_test.go"}, nil},
		{"the harness", []string{"harness/actor/call.go"}, all},
		{"its assembly", []string{"harness/actor/loop_amd64.s"}, all},
		{"a new file of the harness", []string{"harness/actor/calls_mq.go"}, all},
		{"a module's version", []string{"go.mod"}, all},
	} {
		for _, file := range c.files {
			write(file, "two\n")
		}
		if changed, err := mutate.ChangedSuites("HEAD"); err != nil || !slices.Equal(changed, c.want) {
			t.Errorf("%s: %q, %v", c.what, changed, err)
		}
		git("clean", "-qfd")
		git("checkout", "-q", ".")
	}
	if err := os.RemoveAll("suites/gone"); err != nil {
		t.Fatal(err)
	}
	if changed, err := mutate.ChangedSuites("HEAD"); err != nil || len(changed) > 0 {
		t.Errorf("a suite that is gone: %q, %v", changed, err)
	}
	if among := mutate.Among([]string{"pipes", "signals"}, []string{"signals", "sysv"}); !slices.Equal(among, []string{"signals"}) {
		t.Errorf("among two: %q", among)
	}
	if _, err := mutate.ChangedSuites("nosuch"); err == nil || !strings.Contains(err.Error(), "--since nosuch") {
		t.Errorf("an unknown revision: %v", err)
	}
	t.Chdir("harness")
	if _, err := mutate.ChangedSuites("HEAD"); err == nil || !strings.Contains(err.Error(), "root of the source tree") {
		t.Errorf("elsewhere: %v", err)
	}
}
