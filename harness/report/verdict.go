// Package report keeps what a run found: verdicts, the journal that is written while it runs, the
// results file that is made of it, and the forms in which people and other programs read that.
package report

import "fmt"

// Verdict is what a run found for a clause.
type Verdict string

const (
	// Conforms: every check held.
	Conforms Verdict = "conforms"
	// Deviates: the kernel did something else, or a call under test never returned.
	Deviates Verdict = "deviates"
	// Unsupported: the clause allows the kernel to lack it, and a probe shows that it does.
	Unsupported Verdict = "unsupported"
	// Unresolved: what the clause needs could not be had here, or the tool itself failed.
	Unresolved Verdict = "unresolved"
	// Untested: there is no spec yet.
	Untested Verdict = "untested"
)

// severity orders the verdicts for folding those of a clause's specs into one.
//
// A deviation was seen, and nothing that another spec finds makes it unseen. Short of that, a
// clause holds only if each of its specs found it to hold, so the verdict that leaves most open
// wins: unresolved (nobody knows) over unsupported (known to be absent, in one variant at least)
// over conforms. Untested is the verdict of no spec at all, so that any other replaces it.
var severity = map[Verdict]int{
	Untested:    1,
	Conforms:    2,
	Unsupported: 3,
	Unresolved:  4,
	Deviates:    5,
}

// Valid says whether v is one of the five verdicts.
func (v Verdict) Valid() bool { return severity[v] != 0 }

// Worst folds the verdicts of several specs of one clause into the clause's:
// deviates > unresolved > unsupported > conforms > untested. Without any it is untested.
func Worst(verdicts ...Verdict) Verdict {
	worst := Untested
	for _, v := range verdicts {
		if severity[v] > severity[worst] {
			worst = v
		}
	}
	return worst
}

// UnmarshalText refuses what is not a verdict.
func (v *Verdict) UnmarshalText(text []byte) error {
	if !Verdict(text).Valid() {
		return fmt.Errorf("unknown verdict %q", text)
	}
	*v = Verdict(text)
	return nil
}
