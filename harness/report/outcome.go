package report

// Outcome is what one spec found for its clause.
type Outcome struct {
	// Clause is the id of the clause, Suite the suite that checks it.
	Clause string `json:"clause"`
	Suite  string `json:"suite"`
	// Spec is the full text of the spec, Location the file:line where it stands.
	Spec     string  `json:"spec,omitempty"`
	Location string  `json:"location,omitempty"`
	Verdict  Verdict `json:"verdict"`
	Seconds  float64 `json:"seconds"`
	// Reason says in one line why the verdict is unsupported or unresolved, and how to provide
	// what was missing.
	Reason string `json:"reason,omitempty"`
	// Fault says in one line how the tool itself failed: the spec panicked, hung, made no
	// assertion, or its worker was killed. Nothing is known about the kernel then, so that the
	// verdict is unresolved, or deviates where a deviation had been seen before.
	Fault    string    `json:"fault,omitempty"`
	Evidence *Evidence `json:"evidence,omitempty"`
	// Expected is the expectation that the verdict is in keeping with, if there is one.
	Expected *Expectation `json:"expected,omitempty"`
}

// Evidence shows a deviation.
type Evidence struct {
	// Spec tells which spec it comes from, where a clause has several.
	Spec string `json:"spec,omitempty"`
	// Message says what was expected and what was found instead.
	Message string `json:"message"`
	// Location is the file:line of the check that did not hold.
	Location string `json:"location,omitempty"`
	// Trace holds the actors' calls, one a line.
	Trace []string `json:"trace,omitempty"`
	// Failing is the number of the failing call's line in Trace, counted from 1; 0 where no
	// single call failed.
	Failing int `json:"failing,omitempty"`
}

// printable gives the outcome with everything in it fit to print, and the reasons in one line.
func (o Outcome) printable() Outcome {
	o.Spec = oneLine(o.Spec)
	o.Location = oneLine(o.Location)
	o.Reason = oneLine(o.Reason)
	o.Fault = oneLine(o.Fault)
	o.Expected = o.Expected.printable()
	if o.Evidence != nil {
		e := *o.Evidence
		e.Spec = oneLine(e.Spec)
		e.Message = printable(e.Message)
		e.Location = oneLine(e.Location)
		trace := make([]string, len(e.Trace))
		for i, line := range e.Trace {
			trace[i] = printable(line)
		}
		e.Trace = trace
		o.Evidence = &e
	}
	return o
}
