package mutate

import (
	"encoding/json"
	"errors"
	"fmt"
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
		var then Accepted
		text, err := os.ReadFile(acceptedFile(root, s.Suite))
		if errors.Is(err, fs.ErrNotExist) {
			worse = append(worse, fmt.Sprintf("%s: there is no accepted result: run ipcspec mutate --suite %s --accept in the root of the source tree", s.Suite, s.Suite))
			continue
		}
		if err == nil {
			err = json.Unmarshal(text, &then)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", acceptedFile(root, s.Suite), err)
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

// ChangedSuites returns the suites with files that differ from a git revision, in the source tree
// of the working directory.
func ChangedSuites(revision string) ([]string, error) {
	cmd := exec.Command("git", "diff", "--name-only", "--relative", revision, "--", "suites")
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return nil, fmt.Errorf("--since %s: %s", revision, strings.TrimSpace(string(exit.Stderr)))
		}
		return nil, fmt.Errorf("--since %s: %w", revision, err)
	}
	var suites []string
	for _, file := range strings.Fields(string(out)) {
		parts := strings.Split(file, "/")
		if len(parts) == 3 && parts[0] == "suites" && parts[2] != "mutation.json" && !slices.Contains(suites, parts[1]) {
			suites = append(suites, parts[1])
		}
	}
	return suites, nil
}

// Among returns those of the changed suites that are wanted; none wanted means all.
func Among(changed, wanted []string) []string {
	if len(wanted) == 0 {
		return changed
	}
	return slices.DeleteFunc(slices.Clone(changed), func(s string) bool { return !slices.Contains(wanted, s) })
}
