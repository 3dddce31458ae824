package expect

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/ipcspec/ipcspec/harness/kernel"
	"github.com/ipcspec/ipcspec/harness/report"
)

// Draft writes a file of expectations for the unexpected deviations among results, and returns how
// many there are. Their where is what the results know of their target. Each why is left empty, so
// that the file cannot be loaded before somebody has found the reasons.
func Draft(w io.Writer, results report.Results) (int, error) {
	where := whereOf(results.Target)
	var entries []string
	for _, clause := range results.Clauses {
		if !clause.UnexpectedDeviation() {
			continue
		}
		var b strings.Builder
		for _, text := range append([]string{clause.Text}, messages(clause)...) {
			comment(&b, text)
		}
		fmt.Fprintf(&b, "  - clause: %s\n    where:\n%s    why: # to be filled in\n", scalar(clause.ID), where)
		entries = append(entries, b.String())
	}
	if len(entries) == 0 {
		return 0, nil
	}
	_, err := fmt.Fprintf(w, `# A draft of expectations. Find out why each deviation happens and say so in its why, or this file
# cannot be loaded. Then remove the conditions that the reason does not depend on.
expectations:
%s`, strings.Join(entries, "\n"))
	return len(entries), err
}

func messages(clause report.ClauseResult) []string {
	var all []string
	for _, e := range clause.Evidence {
		all = append(all, e.Message)
	}
	return all
}

// comment writes a text as YAML comments, which no character in it can end.
func comment(b *strings.Builder, text string) {
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "?")), " ")
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || 0x80 <= r && r < 0xa0 || r == 0x2028 || r == 0x2029 || r == 0xfeff {
			return '?'
		}
		return r
	}, text)
	if text != "" {
		fmt.Fprintf(b, "  # %s\n", text)
	}
}

// whereOf says where a target is, as lines of YAML.
func whereOf(t report.Target) string {
	var b strings.Builder
	line := func(key, value string) {
		if value != "" {
			fmt.Fprintf(&b, "      %s: %s\n", key, scalar(value))
		}
	}
	line("system", system(t.Kernel))
	if r := t.Kernel.Release; r.Compare(kernel.Release{}) != 0 && system(t.Kernel) != gvisor {
		// The version that gVisor claims to be says nothing about it.
		line("kernel", fmt.Sprintf("= %d.%d", r.Major, r.Minor))
	}
	line("arch", t.Kernel.Machine)
	line("runtime", cmp.Or(t.Kernel.Runtime, none))
	line("profile", t.Profile)
	line("user", user(t.Kernel))
	return b.String()
}

// scalar writes a value as YAML.
func scalar(value string) string {
	text, err := yaml.Marshal(strings.Join(strings.Fields(value), " "))
	if err != nil {
		return fmt.Sprintf("%q", value)
	}
	return strings.TrimSpace(string(text))
}
