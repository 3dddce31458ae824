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
	for _, file := range []string{"suites/pipes/a.go", "suites/signals/b.go", "suites/sysv/c.go", "suites/sysv/mutation.json", "README.md"} {
		write(file, "one\n")
	}
	git("add", ".")
	git("commit", "-qm", "one")
	write("suites/pipes/a.go", "two\n")
	write("suites/signals/b.go", "two\n")
	write("suites/sysv/mutation.json", "two\n")
	write("README.md", "two\n")
	changed, err := mutate.ChangedSuites("HEAD")
	if err != nil || !slices.Equal(changed, []string{"pipes", "signals"}) {
		t.Errorf("%q, %v", changed, err)
	}
	if among := mutate.Among(changed, []string{"signals", "sysv"}); !slices.Equal(among, []string{"signals"}) {
		t.Errorf("among two: %q", among)
	}
	if _, err := mutate.ChangedSuites("nosuch"); err == nil || !strings.Contains(err.Error(), "--since nosuch") {
		t.Errorf("an unknown revision: %v", err)
	}
}
