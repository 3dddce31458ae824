package mutate_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ipcspec/ipcspec/harness/mutate"
)

var planted string

func TestMain(m *testing.M) { os.Exit(withPlanted(m)) }

// withPlanted builds planted, runs the tests, and takes it away.
func withPlanted(m *testing.M) int {
	dir, err := os.MkdirTemp("", "ipcspec-planted")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	planted = filepath.Join(dir, "planted")
	build := exec.Command("go", "build", "-o", planted, "./internal/planted")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// lieTo lies to the specs of planted clauses and returns what was found.
func lieTo(t *testing.T, env []string, clauses ...string) map[string]mutate.ClauseReport {
	t.Helper()
	cmd := exec.Command(planted, clauses...)
	cmd.Env = append(os.Environ(), env...)
	var out, words bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &words
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, words.String())
	}
	var found mutate.Report
	if err := json.Unmarshal(out.Bytes(), &found); err != nil {
		t.Fatal(err)
	}
	byID := map[string]mutate.ClauseReport{}
	for _, c := range found.Clauses {
		byID[strings.TrimPrefix(c.ID, "planted.")] = c
	}
	return byID
}

// survivors lists the lies that were not noticed.
func survivors(c mutate.ClauseReport) []string {
	var lies []string
	for _, s := range c.Survivors {
		lies = append(lies, s.Lie)
	}
	return lies
}

func TestPlanted(t *testing.T) {
	found := lieTo(t, nil)

	t.Run("a vacuous check", func(t *testing.T) {
		c := found["vacuous"]
		// Without the write the read never returns, which the harness notices.
		if weak := c.Weak(); !slices.Equal(weak, []string{"read"}) {
			t.Errorf("weak: %q, %d killed, %d survived", weak, c.Killed, c.Survived)
		}
		if want := "read #1 returned 4 bytes instead of 5 bytes"; !slices.Contains(survivors(c), want) {
			t.Errorf("%q is not among the survivors %q", want, survivors(c))
		}
	})

	t.Run("only the error", func(t *testing.T) {
		const lie = "failed with EAGAIN, but a byte was taken"
		weak := slices.ContainsFunc(survivors(found["error-only"]), func(s string) bool { return strings.HasSuffix(s, lie) })
		strong := slices.ContainsFunc(survivors(found["error-and-state"]), func(s string) bool { return strings.HasSuffix(s, lie) })
		if !weak || strong {
			t.Errorf("survivors: %q; where the state is looked at: %q", survivors(found["error-only"]), survivors(found["error-and-state"]))
		}
	})

	t.Run("the wrong descriptor", func(t *testing.T) {
		if weak := found["wrong-descriptor"].Weak(); !slices.Equal(weak, []string{"fcntl"}) {
			t.Errorf("weak: %q", weak)
		}
		if weak := found["right-descriptor"].Weak(); len(weak) != 0 {
			t.Errorf("with the right one: weak: %q, %q", weak, survivors(found["right-descriptor"]))
		}
	})

	t.Run("a sound check", func(t *testing.T) {
		if c := found["sound"]; len(c.Weak()) != 0 || c.Survived != 0 || c.Killed < 20 {
			t.Errorf("weak: %q, %d killed, survivors %q", c.Weak(), c.Killed, survivors(c))
		}
	})

	t.Run("blocking", func(t *testing.T) {
		if c := found["blocks"]; c.Survived != 0 || c.Killed == 0 {
			t.Errorf("%d killed, survivors %q", c.Killed, survivors(c))
		}
	})

	t.Run("signals", func(t *testing.T) {
		if c := found["signal"]; c.Survived > 1 || len(c.Weak()) != 0 {
			t.Errorf("weak: %q, survivors %q", c.Weak(), survivors(c))
		}
	})

	for _, id := range []string{"exec", "steps"} {
		t.Run(id, func(t *testing.T) {
			if c := found[id]; c.Why != "" || c.Survived != 0 || c.Killed == 0 {
				t.Errorf("%d killed, survivors %q, not lied to: %q", c.Killed, survivors(c), c.Why)
			}
		})
	}

	// Told that getpid has failed, the spec signals −1: everybody. It is to find nobody there.
	t.Run("a lie that makes the spec dangerous", func(t *testing.T) {
		c := found["kills-whom-it-is-told"]
		if c.Why != "" || !slices.Equal(c.Weak(), []string{"getpid"}) || c.Subjects[0].Survived < 3 {
			t.Errorf("why %q, weak %q, survivors %q", c.Why, c.Weak(), survivors(c))
		}
	})

	// What one clause notices explains that another does not, unless that is about it.
	t.Run("a flag at which the spec does not look", func(t *testing.T) {
		for id, by := range map[string]string{"names-a-flag": "", "names-no-flag": "planted.minds-a-flag"} {
			survivors := found[id].Survivors
			at := slices.IndexFunc(survivors, func(s mutate.Survivor) bool { return s.Lie == "pipe2 #1 was made without O_CLOEXEC" })
			if at < 0 || survivors[at].By != by || (survivors[at].Rule != "") != (by != "") {
				t.Errorf("%s: %+v", id, survivors)
			}
		}
	})

	// Each of these rules explains what it is for, and nothing where the spec could have looked.
	for _, c := range []struct {
		id, rule string
		excluded bool     // or else it explains survivors:
		explains []string // which, in order
		left     []string // survivors that nothing explains
	}{
		{id: "either", rule: "either", explains: []string{"read #1 failed with EINTR instead of EAGAIN"}},
		{id: "either-number", rule: "either", explains: []string{"write #1 returned 4 bytes instead of 5 bytes"}},
		{id: "either-unnamed", rule: "either", left: []string{
			"write #1 returned 0 bytes instead of 5 bytes", "write #1 returned 4 bytes instead of 5 bytes", "write #1 returned 6 bytes instead of 5 bytes",
		}},
		{id: "raced", rule: "race", excluded: true},
		{id: "uncounted", rule: "uncounted", excluded: true},
		{id: "counted", rule: "uncounted"},
		{id: "nothing-to-wait-for", rule: "same-without", explains: []string{"splice #1 was made without SPLICE_F_NONBLOCK"}},
		{id: "must-not-wait", rule: "same-without"},
		{id: "open", rule: "open", excluded: true},
		{id: "masked", rule: "open", left: []string{
			"poll #1 was made without POLLOUT", "poll #1 told POLLIN the other way round in element 0", "poll #1 told POLLOUT the other way round in element 0",
			"poll #1 told POLLHUP the other way round in element 0", "poll #1 told POLLNVAL the other way round in element 0",
		}},
		{id: "some", rule: "open", excluded: true},
		{id: "killed", rule: "died-numbers", excluded: true},
		{id: "sigio", rule: "told-again", explains: []string{"signal #1 of A (SIGIO) was delivered twice"}},
		{id: "sigio-sent", rule: "told-again", left: []string{
			"signal #1 of A (SIGIO) was delivered twice", "signal #1 of A (SIGIO) had another si_code",
		}},
		{id: "keeps-nothing", rule: "keeps-nothing", excluded: true},
		{id: "keeps-all", rule: "keeps-nothing"},
		{id: "whole-pages", rule: "whole-pages", excluded: true},
		{id: "one-byte-of-a-page", rule: "whole-pages"},
		{id: "seeks", rule: "not-told"},
		{id: "seeks-to-where-it-is", rule: "not-told"},
		{id: "sigio-queued", rule: "told-again", explains: []string{"signal #1 of A (SIGRTMIN+8) was delivered twice"}},
		{
			id: "unordered", rule: "unordered", explains: []string{"signal #1 of A (SIGUSR1) came after the next one"},
			left: []string{"signal #1 of A (SIGUSR1) had another si_code"},
		},
		{id: "ordered-by-a-call", rule: "unordered", left: []string{
			"signal #1 of A (SIGUSR1) came after the next one", "signal #1 of A (SIGUSR1) had another si_code",
		}},
		{id: "ordered-by-a-look", rule: "unordered", left: []string{
			"signal #1 of A (SIGUSR1) came after the next one", "signal #1 of A (SIGUSR1) had another si_code",
		}},
		{id: "asleep-to-the-end", rule: "asleep-to-the-end", explains: []string{"rt_sigtimedwait #1 was made without SIGUSR1 in the set"}},
		{id: "asleep-and-woken", rule: "asleep-to-the-end"},
		{id: "no-stack", rule: "no-stack", excluded: true},
		{id: "advice", rule: "advice", excluded: true, left: []string{"madvise #1 was made with size 4095 instead of 4096"}},
		{id: "same-size", rule: "not-told", left: []string{"ioctl #3 was not made, and 0 was told"}},
		{id: "other-size", rule: "not-told", left: []string{"ioctl #3 was not made, and 0 was told", "ioctl #4 was not made, and 0 was told"}},
		{id: "another-length", rule: "not-told"},
		{id: "round-address", rule: "nothing-met", excluded: true},
		{id: "round-down", rule: "nothing-met"},
		{id: "remap-hole", rule: "nothing-met", excluded: true, left: []string{"shmat #1 was made twice"}},
		{id: "remap-occupied", rule: "nothing-met", left: []string{"shmat #1 was made twice"}},
		{id: "undo-of-removed", rule: "nothing-met", excluded: true},
		{id: "undo-of-kept", rule: "nothing-met"},
		{id: "opens-device", rule: "same-without", explains: []string{"openat #1 was made without O_CREAT", "openat #1 was made without O_TRUNC"}},
		{
			id: "opens-file", rule: "same-without", explains: []string{"openat #1 was made without O_CREAT"},
			left: []string{"openat #1 was made without O_TRUNC", "openat #1 was made with mode 0400 instead of 0600"},
		},
		{id: "ioctl-tells", rule: "only-looks", excluded: true},
		{id: "level-triggered", rule: "only-waits"},
		{id: "edge-triggered", rule: "only-waits"},
	} {
		t.Run("the rule "+c.rule+", "+c.id, func(t *testing.T) {
			got := found[c.id]
			if got.Why != "" || len(got.Weak()) != 0 {
				t.Errorf("not lied to: %q, weak: %q", got.Why, got.Weak())
			}
			if excluded := got.Excluded[c.rule]; (excluded > 0) != c.excluded {
				t.Errorf("%d lies excluded", excluded)
			}
			var explained, left []string
			for _, s := range got.Survivors {
				switch s.Rule {
				case c.rule:
					explained = append(explained, s.Lie)
				case "":
					left = append(left, s.Lie)
				}
			}
			if !slices.Equal(explained, c.explains) || !slices.Equal(left, c.left) {
				t.Errorf("explained: %q, left: %q", explained, left)
			}
		})
	}

	t.Run("a spec that does not conform", func(t *testing.T) {
		if c := found["deviates"]; c.Why == "" || c.Killed != 0 {
			t.Errorf("%d killed, why %q", c.Killed, c.Why)
		}
	})

	t.Run("no call of the subject", func(t *testing.T) {
		if c := found["no-such-call"]; c.Why != "" || !slices.Equal(c.Weak(), []string{"read"}) || c.Subjects[0].Calls != 0 {
			t.Errorf("why %q, weak %q", c.Why, c.Weak())
		}
	})

	t.Run("a lie that makes the spec hang", func(t *testing.T) {
		if c := found["loops"]; len(c.Weak()) != 0 || c.Killed == 0 {
			t.Errorf("%d killed, survivors %q, why %q", c.Killed, survivors(c), c.Why)
		}
	})
}

// The same seed gives the same mutants, another one others.
func TestSeed(t *testing.T) {
	lies := func(seed string) string {
		file := filepath.Join(t.TempDir(), "results")
		lieTo(t, []string{"SEED=" + seed, "RESULTS=" + file}, "planted.sound")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var s mutate.SpecResult
		if err := json.Unmarshal(text, &s); err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, m := range s.Mutants {
			all = append(all, m.Lie)
		}
		return strings.Join(all, "\n")
	}
	one, same, other := lies("1"), lies("1"), lies("2")
	if one != same || one == other || strings.Count(one, "\n") != 9 {
		t.Errorf("seed 1:\n%s\nagain:\n%s\nseed 2:\n%s", one, same, other)
	}
}
