package mutate

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

	"github.com/ipcspec/ipcspec/harness/report"
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
func lieTo(t *testing.T, env []string, clauses ...string) map[string]ClauseReport {
	t.Helper()
	cmd := exec.Command(planted, clauses...)
	cmd.Env = append(os.Environ(), env...)
	var out, words bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &words
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, words.String())
	}
	var found Report
	if err := json.Unmarshal(out.Bytes(), &found); err != nil {
		t.Fatal(err)
	}
	byID := map[string]ClauseReport{}
	for _, c := range found.Clauses {
		byID[strings.TrimPrefix(c.ID, "planted.")] = c
	}
	return byID
}

// readResults reads what a run has told of each spec.
func readResults(t *testing.T, file string) (all []SpecResult) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var s SpecResult
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

// survivors lists the lies that were not noticed.
func survivors(c ClauseReport) []string {
	var lies []string
	for _, s := range c.Survivors {
		lies = append(lies, s.Lie)
	}
	return lies
}

// A plantedCase is a planted clause with lies that a rule explains, excludes or settles, or must not.
type plantedCase struct {
	id, rule string
	excluded bool     // it excludes some,
	explains []string // or explains these survivors, in order,
	settles  []string // or these came to nothing: they were not told, or left the set-up unresolved
	left     []string // survivors that nothing explains
	killed   []string // some of those that were noticed
}

// toldOtherwise are the lies about all bits that a poll tells but one.
func toldOtherwise(bits ...string) (lies []string) {
	for _, bit := range bits {
		lies = append(lies, "poll #1 told "+bit+" the other way round in element 0")
	}
	return lies
}

func (c plantedCase) applies() bool { return c.excluded || len(c.explains)+len(c.settles) > 0 }

var plantedCases = []plantedCase{
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
	{id: "masked", rule: "open", left: append([]string{"poll #1 was made without POLLOUT"}, toldOtherwise(
		"POLLIN", "POLLPRI", "POLLOUT", "POLLRDNORM", "POLLRDBAND", "POLLWRNORM", "POLLWRBAND", "POLLRDHUP", "POLLHUP", "POLLNVAL")...)},
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
	{
		id: "seeks", rule: "not-told", settles: []string{"lseek #1 was made with another whence"},
		killed: []string{"lseek #1 was not made, and 100 was told", "lseek #1 was made twice", "lseek #1 was made with offset 101 instead of 100"},
	},
	{id: "seeks-to-where-it-is", rule: "not-told", settles: []string{
		"lseek #1 was not made, and 0 was told", "lseek #1 was made twice", "lseek #1 was made with offset 101 instead of 100",
		"lseek #1 was made with another whence", "lseek #2 was made with offset 1 instead of 0", "lseek #2 was made with another whence",
	}},
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
	{id: "waits-to-the-end", rule: "asleep-to-the-end", explains: []string{"rt_sigtimedwait #1 was made without SIGUSR1 in the set"}},
	{id: "waits-to-the-end", rule: "either", explains: []string{"rt_sigtimedwait #1 did not sleep, but failed with EINTR"}},
	{id: "waits-for-a-result", rule: "either", killed: []string{"rt_sigtimedwait #1 did not sleep, but failed with EINTR"}},
	{id: "asleep-and-woken", rule: "asleep-to-the-end"},
	{id: "no-stack", rule: "no-stack", excluded: true},
	{id: "advice", rule: "advice", excluded: true, left: []string{"madvise #1 was made with size 4095 instead of 4096"}},
	{
		id: "same-size", rule: "not-told", settles: []string{"ioctl #4 was not made, and 0 was told"},
		left: []string{"ioctl #3 was not made, and 0 was told"},
	},
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
	{id: "padding", rule: "padding", excluded: true, killed: []string{"read #1 returned another first byte"}},
	{
		id: "overrides-append", rule: "not-told", left: []string{"pwritev2 #1 was made twice"},
		killed: []string{"pwritev2 #1 was made without RWF_NOAPPEND"},
	},
	{
		id: "overrides-nothing", rule: "not-told", settles: []string{"pwritev2 #1 was made without RWF_NOAPPEND"},
		left: []string{"pwritev2 #1 was made twice"},
	},
	{id: "strikes-in-vain", rule: "not-told", settles: []string{"kill #1 was not made, and 0 was told"}},
	{id: "strikes", rule: "not-told", killed: []string{"kill #1 was not made, and 0 was told"}},
	{id: "sets-again", rule: "not-told", settles: []string{"fcntl #1 was not made, and 0 was told"}},
	{id: "right-descriptor", rule: "not-told", killed: []string{"fcntl #1 was not made, and 0 was told"}},
	{id: "blocks-again", rule: "not-told", settles: []string{
		"rt_sigprocmask #1 was not made, and 0 was told", "rt_sigprocmask #1 was made without SIGUSR1 in the set",
		"rt_sigprocmask #1 was made with SIG_SETMASK instead of SIG_BLOCK",
	}},
	{
		id: "blocks-a-signal", rule: "not-told", settles: []string{"rt_sigprocmask #1 was made with SIG_SETMASK instead of SIG_BLOCK"},
		killed: []string{"rt_sigprocmask #1 was not made, and 0 was told", "rt_sigprocmask #1 was made without SIGUSR1 in the set"},
	},
	{id: "finds-a-zombie", rule: "not-told", settles: []string{"wait4 #1 was made without WNOHANG"}},
	{id: "finds-no-zombie", rule: "not-told", killed: []string{"wait4 #1 was made without WNOHANG"}},
	{id: "same-description", rule: "not-told", settles: []string{"write #1 was made with descriptor 2 instead of 1"}},
	{id: "other-description", rule: "not-told", killed: []string{"write #1 was made with descriptor 2 instead of 1"}},
	{
		id: "one-message", rule: "not-told", settles: []string{
			"msgrcv #1 was made twice", "msgrcv #1 was made without IPC_NOWAIT", "msgrcv #1 was made with type 1 instead of 0",
		},
		left: []string{"msgrcv #1 was not made, and 1 was told", "msgrcv #1 told another type"},
	},
	{
		id: "two-messages", rule: "not-told", settles: []string{"msgrcv #1 was made without IPC_NOWAIT"},
		left:   []string{"msgrcv #1 was not made, and 1 was told", "msgrcv #1 was made twice", "msgrcv #1 told another type"},
		killed: []string{"msgrcv #1 was made with type 1 instead of 0"},
	},
	{id: "takes-for-granted", rule: "unresolved", settles: []string{"write #1 was not made, and 1 bytes was told"}},
	{id: "sound", rule: "unresolved", killed: []string{"write #1 was not made, and 5 bytes was told"}},
	{id: "level-triggered", rule: "only-waits"},
	{id: "edge-triggered", rule: "only-waits"},
}

func TestPlanted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "results")
	found := lieTo(t, []string{"RESULTS=" + file})
	mutants := map[string][]MutantResult{}
	for _, s := range readResults(t, file) {
		id := strings.TrimPrefix(s.Clause, "planted.")
		mutants[id] = append(mutants[id], s.Mutants...)
	}

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
			at := slices.IndexFunc(survivors, func(s Survivor) bool { return s.Lie == "pipe2 #1 was made without O_CLOEXEC" })
			if at < 0 || survivors[at].By != by || (survivors[at].Rule != "") != (by != "") {
				t.Errorf("%s: %+v", id, survivors)
			}
		}
	})

	// Each of these rules is about what it is for, and about nothing where the spec could have looked.
	for _, c := range plantedCases {

		t.Run("the rule "+c.rule+", "+c.id, func(t *testing.T) {
			got := found[c.id]
			if strings.Contains(got.Why, string(report.Unsupported)) {
				t.Skip(got.Why)
			}
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
			var settled, killed []string
			for _, m := range mutants[c.id] {
				switch {
				case string(m.Outcome) == c.rule: // not told, or unresolved
					settled = append(settled, m.Lie)
				case m.Outcome == Killed && slices.Contains(c.killed, m.Lie):
					killed = append(killed, m.Lie)
				}
			}
			if !slices.Equal(explained, c.explains) || !slices.Equal(settled, c.settles) || !slices.Equal(left, c.left) || !slices.Equal(killed, c.killed) {
				t.Errorf("explained: %q, settled: %q, left: %q, killed: %q", explained, settled, left, killed)
			}
		})
	}

	t.Run("the line of a call within a function of the suite's", func(t *testing.T) {
		text, err := os.ReadFile("internal/planted/main.go")
		if err != nil {
			t.Fatal(err)
		}
		line := func(of string) int {
			before, _, _ := strings.Cut(string(text), of)
			return 1 + strings.Count(before, "\n")
		}
		for id, lines := range map[string][2]int{
			"other-size": {line("Expect(a.Ioctl(tty"), line(`Clause("planted.other-size"`)},
			"eventually": {line(`a.Write(w, []byte("eventually")`), line("}).Should(Return(10))")},
		} {
			want := fmt.Sprintf("harness/mutate/internal/planted/main.go:%d from main.go:%d", lines[0], lines[1])
			if len(mutants[id]) == 0 {
				t.Errorf("no lie about %s", id)
			}
			for _, m := range mutants[id] {
				if m.At != want {
					t.Errorf("%s: at %s, not %s", m.Lie, m.At, want)
				}
			}
		}
	})

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
		var all []string
		for _, m := range readResults(t, file)[0].Mutants {
			all = append(all, m.Lie)
		}
		return strings.Join(all, "\n")
	}
	one, same, other := lies("1"), lies("1"), lies("2")
	if one != same || one == other || strings.Count(one, "\n") != 9 {
		t.Errorf("seed 1:\n%s\nagain:\n%s\nseed 2:\n%s", one, same, other)
	}
}
