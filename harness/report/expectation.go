package report

// Expectation is a verdict that is known and explained in advance for a clause on this target.
type Expectation struct {
	Verdict Verdict `json:"verdict"`
	// Why explains it in one line; Link leads to more.
	Why  string `json:"why"`
	Link string `json:"link,omitempty"`
	// Source is the file:line of the entry that says so.
	Source string `json:"source,omitempty"`
	// Sometimes says that the clause may conform as well, with nothing the matter.
	Sometimes bool `json:"sometimes,omitempty"`
	// Specs is the number of specs that the clause has. As long as not all of them were run, it
	// cannot be said that the expected did not happen. 0 where the number is not known.
	Specs int `json:"specs,omitempty"`
}

func (e *Expectation) printable() *Expectation {
	if e == nil {
		return nil
	}
	p := *e
	p.Why, p.Link, p.Source = oneLine(e.Why), oneLine(e.Link), oneLine(e.Source)
	return &p
}

// AsExpected says whether the clause's verdict is the one that was expected.
func (r ClauseResult) AsExpected() bool {
	return r.Expected != nil && r.Expected.Verdict == r.Verdict
}

// UnexpectedDeviation says whether the clause deviates and nobody expected that.
func (r ClauseResult) UnexpectedDeviation() bool {
	return r.Verdict == Deviates && !r.AsExpected()
}

// Unmet says whether an expected verdict did not come: the clause conforms, or is unsupported,
// over all its specs. Verdicts that leave open what the kernel does say nothing about an
// expectation, and a deviation in place of another verdict is unexpected in its own right.
func (r ClauseResult) Unmet() bool {
	return r.Expected != nil && !r.Expected.Sometimes && !r.AsExpected() && (r.Verdict == Conforms || r.Verdict == Unsupported) &&
		r.Fault == "" && r.Specs >= r.Expected.Specs
}
