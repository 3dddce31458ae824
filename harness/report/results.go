package report

import (
	"time"
)

// ClauseInfo is what a report says of a clause besides what a run found.
type ClauseInfo struct {
	ID    string `json:"id"`
	Suite string `json:"suite"`
	// Text states the clause.
	Text string `json:"text,omitempty"`
	// Page is the manual page that documents it, as pipe(7), and Cites the ids of the statements.
	Page  string   `json:"page,omitempty"`
	Cites []string `json:"cites,omitempty"`
	// Level is posix or linux.
	Level string `json:"level,omitempty"`
}

// ClauseResult is what a run found for a clause, over all its specs.
type ClauseResult struct {
	ClauseInfo
	Verdict Verdict `json:"verdict"`
	// Specs is the number of specs that were run for the clause.
	Specs int `json:"specs"`
	// Seconds is the time that they took together.
	Seconds float64 `json:"seconds"`
	// Location is the file:line of the spec that the verdict comes from.
	Location string `json:"location,omitempty"`
	// Reason and Fault are as in an Outcome.
	Reason string `json:"reason,omitempty"`
	Fault  string `json:"fault,omitempty"`
	// Expected is the verdict that was expected here, whether or not it came.
	Expected *Expectation `json:"expected,omitempty"`
	// Evidence holds that of each spec that gave some.
	Evidence []Evidence `json:"evidence,omitempty"`
}

// Counts say how many clauses had which verdict.
type Counts struct {
	// Clauses is the sum of the verdicts; it leaves out what was not run.
	Clauses     int `json:"clauses"`
	Conforms    int `json:"conforms"`
	Deviates    int `json:"deviates"`
	Unsupported int `json:"unsupported"`
	Unresolved  int `json:"unresolved"`
	Untested    int `json:"untested"`
	// NotRun counts clauses that were selected and did not start.
	NotRun int `json:"not_run"`
	// Expected counts the clauses that deviate as expected, and that are among those that deviate.
	Expected int `json:"expected"`
	// Unmet counts the clauses for which another verdict was expected and did not come.
	Unmet int `json:"unmet"`
	// Faults counts clauses for which the tool itself failed, whatever their verdict.
	Faults int `json:"faults"`
	// Seconds is the time that the specs took together, side by side or not.
	Seconds float64 `json:"seconds"`
}

// SuiteCounts are the counts of one suite.
type SuiteCounts struct {
	Suite string `json:"suite"`
	Counts
}

// Results are all that a run found. They are what results.json holds.
type Results struct {
	Schema int `json:"schema"`
	// Tool is the version of ipcspec.
	Tool    string    `json:"tool"`
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended"`
	Target  Target    `json:"target"`
	Options Options   `json:"options"`
	// Interrupted says that the run ended before it had run all that it was asked for.
	Interrupted bool `json:"interrupted"`
	// NotRun holds the ids of clauses that were selected and did not start.
	NotRun  []string       `json:"not_run"`
	Total   Counts         `json:"total"`
	Suites  []SuiteCounts  `json:"suites"`
	Clauses []ClauseResult `json:"clauses"`
}

func (c *Counts) add(r ClauseResult) {
	c.Clauses++
	switch r.Verdict {
	case Conforms:
		c.Conforms++
	case Deviates:
		c.Deviates++
		if r.AsExpected() {
			c.Expected++
		}
	case Unsupported:
		c.Unsupported++
	case Unresolved:
		c.Unresolved++
	case Untested:
		c.Untested++
	}
	if r.Unmet() {
		c.Unmet++
	}
	if r.Fault != "" {
		c.Faults++
	}
	c.Seconds = microseconds(c.Seconds + r.Seconds)
}
