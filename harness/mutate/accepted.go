package mutate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// An Accepted is the result of a suite's mutation run that the repository keeps:
// suites/SUITE/mutation.json.
type Accepted struct {
	Suite     string              `json:"suite"`
	Seed      int64               `json:"seed"`
	Kernel    string              `json:"kernel"` // where it was found; clauses that do not conform there are not lied to
	LiedTo    int                 `json:"lied_to"`
	Strong    int                 `json:"strong"`
	Killed    int                 `json:"killed"`
	Survived  int                 `json:"survived"`
	Share     float64             `json:"share"`          // percent of mutants killed
	Weak      map[string][]string `json:"weak,omitempty"` // clauses, and those of their subjects without a kill
	Explained map[string]int      `json:"explained"`      // of those that survived: by the rule that says why
	Survivors map[string][]string `json:"survivors"`      // by clause: the lies that survive without an explanation
}

// tolerance is by how many percent points a suite's share may fall: in specs about races not every
// run makes the same calls.
const tolerance = 0.5

func (r Report) accepted(s SuiteReport) Accepted {
	a := Accepted{
		Suite: s.Suite, Seed: r.Seed, Kernel: r.Kernel.Release.Numbers(), LiedTo: s.LiedTo, Strong: s.Strong,
		Killed: s.Killed, Survived: s.Survived, Share: math.Round(1000*s.Share()) / 10,
		Weak: map[string][]string{}, Explained: r.explained(s.Suite), Survivors: map[string][]string{},
	}
	for _, c := range r.Clauses {
		if c.Suite != s.Suite || c.Why != "" {
			continue
		}
		if weak := c.Weak(); len(weak) > 0 {
			a.Weak[c.ID] = weak
		}
		for _, s := range c.Survivors {
			if s.Rule == "" {
				a.Survivors[c.ID] = append(a.Survivors[c.ID], s.words())
			}
		}
	}
	return a
}

// words says the lie, and in which of a clause's specs.
func (s Survivor) words() string {
	if s.Spec != "" {
		return "[" + s.Spec + "] " + s.Lie
	}
	return s.Lie
}

func acceptedFile(root, suite string) string {
	return filepath.Join(root, "suites", suite, "mutation.json")
}

// readAccepted reads the accepted result of a suite.
func readAccepted(root, suite string) (a Accepted, err error) {
	file := acceptedFile(root, suite)
	text, err := os.ReadFile(file)
	if err != nil {
		return a, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err = d.Decode(&a); errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	switch {
	case err != nil:
	case a.Suite != suite:
		err = fmt.Errorf("it is of suite %q", a.Suite)
	case d.More():
		err = errors.New("something follows the result")
	}
	if err != nil {
		return a, fmt.Errorf("%s: %w: no accepted result of ipcspec mutate --accept", file, err)
	}
	return a, nil
}

// CheckTree says, before any lie is told, what is wrong with the source tree at root: a selected suite is
// not in it, or its accepted result cannot be read, which is no matter where that is to be replaced.
// That there is none yet, it leaves to [Report.Check].
func (o Options) CheckTree(root string, replace bool) error {
	_, clauses, err := o.director()
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, c := range clauses {
		if seen[c.Suite] {
			continue
		}
		seen[c.Suite] = true
		folder := filepath.Dir(acceptedFile(root, c.Suite))
		if info, err := os.Stat(folder); err != nil || !info.IsDir() {
			return fmt.Errorf("no folder %s is here: run this in the root of the source tree", folder)
		}
		if _, err := readAccepted(root, c.Suite); !replace && err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Accept writes the results of all suites of the report, as accepted, into the source tree at root.
func (r Report) Accept(root string) error {
	for _, s := range r.Suites {
		text, err := json.MarshalIndent(r.accepted(s), "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(acceptedFile(root, s.Suite), append(text, '\n'), 0o666); err != nil {
			return err
		}
	}
	return nil
}

// Check compares with the accepted results in the source tree at root and returns what is worse, and
// the survivors that are neither explained nor accepted, a line each. Shares are compared where whole
// suites were lied to.
func (r Report) Check(root string, whole bool) (worse, survivors []string, err error) {
	for _, s := range r.Suites {
		now := r.accepted(s)
		then, err := readAccepted(root, s.Suite)
		if errors.Is(err, fs.ErrNotExist) {
			worse = append(worse, fmt.Sprintf("%s: there is no accepted result: run ipcspec mutate --suite %s --accept in the root of the source tree", s.Suite, s.Suite))
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		for _, id := range sortedKeys(now.Weak) {
			for _, subject := range now.Weak[id] {
				if !slices.Contains(then.Weak[id], subject) {
					worse = append(worse, fmt.Sprintf("%s: no lie about %s is noticed", id, subject))
				}
			}
		}
		for _, id := range sortedKeys(now.Survivors) {
			for _, lie := range now.Survivors[id] {
				if !slices.Contains(then.Survivors[id], lie) {
					survivors = append(survivors, fmt.Sprintf("%s: not noticed, and no rule explains it: %s", id, lie))
				}
			}
		}
		if whole && now.LiedTo == 0 && then.LiedTo > 0 {
			worse = append(worse, fmt.Sprintf("%s: no clause conforms here, so that none could be lied to, and %d were", s.Suite, then.LiedTo))
		}
		if whole && now.Share < then.Share-tolerance {
			worse = append(worse, fmt.Sprintf("%s: %.1f %% of mutants are killed, and it was %.1f %%", s.Suite, now.Share, then.Share))
		}
	}
	return worse, survivors, nil
}

// HasWeak says whether a clause has no kill on one of its subjects.
func (r Report) HasWeak() bool {
	return slices.ContainsFunc(r.Clauses, func(c ClauseReport) bool { return c.Why == "" && len(c.Weak()) > 0 })
}

func sortedKeys[V any](m map[string]V) []string {
	var keys []string
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// ChangedSuites returns the suites of the source tree in the working directory that differ from a git
// revision: those with a file that has changed, or is new, and all where that is true of what they
// share: the code of the harness, and the versions of what it is made of.
func ChangedSuites(revision string) ([]string, error) {
	fail := func(format string, args ...any) ([]string, error) {
		return nil, fmt.Errorf("--since %s: %w", revision, fmt.Errorf(format, args...))
	}
	folders, err := filepath.Glob("suites/*/*.yaml")
	if err != nil || len(folders) == 0 {
		return fail("no suites are here: run this in the root of the source tree")
	}
	for i, file := range folders {
		folders[i] = filepath.Base(filepath.Dir(file))
	}
	all := slices.Compact(folders)
	if strings.HasPrefix(revision, "-") {
		return fail("that is no revision")
	}
	changed, err := git("diff", "--name-only", "--relative", "-z", revision, "--")
	if err != nil {
		return fail("%w", err)
	}
	added, err := git("ls-files", "--others", "--exclude-standard", "-z")
	if err != nil {
		return fail("%w", err)
	}
	var suites []string
	for _, file := range append(changed, added...) {
		switch parts := strings.Split(file, "/"); {
		case shared(file):
			return all, nil
		case len(parts) >= 3 && parts[0] == "suites" && parts[2] != "mutation.json" && slices.Contains(all, parts[1]):
			suites = append(suites, parts[1])
		}
	}
	slices.Sort(suites)
	return slices.Compact(suites), nil
}

// shared says that a file may change what becomes of a lie in any suite.
func shared(file string) bool {
	if file == "go.mod" || file == "go.sum" {
		return true
	}
	code := strings.HasSuffix(file, ".go") && !strings.HasSuffix(file, "_test.go") || strings.HasSuffix(file, ".s")
	return code && strings.HasPrefix(file, "harness/")
}

// git lists the names that a git command prints.
func git(args ...string) ([]string, error) {
	out, err := exec.Command("git", args...).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		first, _, _ := strings.Cut(strings.TrimSpace(string(exit.Stderr)), "\n")
		return nil, errors.New(first)
	}
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == 0 }), err
}

// Among returns those of the changed suites that are wanted; none wanted means all.
func Among(changed, wanted []string) []string {
	if len(wanted) == 0 {
		return changed
	}
	return slices.DeleteFunc(slices.Clone(changed), func(s string) bool { return !slices.Contains(wanted, s) })
}
