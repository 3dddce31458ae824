package report

// The exit codes of a run.
const (
	// ExitConforms: no unexpected result.
	ExitConforms = 0
	// ExitDeviates: a clause deviates, and nobody expected that; or a verdict that was expected did
	// not come.
	ExitDeviates = 1
	// ExitFault: the tool itself failed or was misused.
	ExitFault = 2
	// ExitUnresolved: a clause stayed unresolved, and that was asked not to happen.
	ExitUnresolved = 3
)

// ExitCode gives the exit code of a run with these results.
//
// A failure of the tool comes first, even with deviations found: after it the results are not the
// whole answer, and whoever compares them with those of another run must not take them for it. That
// includes a run that was interrupted, that did not start all it had selected, or that had selected
// nothing. A deviation comes before an unresolved clause, which counts only if strict.
func ExitCode(results Results, strict bool) int {
	code := ExitConforms
	for _, clause := range results.Clauses {
		switch {
		case clause.Fault != "":
			return ExitFault
		case clause.UnexpectedDeviation(), clause.Unmet():
			code = ExitDeviates
		case clause.Verdict == Unresolved && !clause.AsExpected() && strict && code == ExitConforms:
			code = ExitUnresolved
		}
	}
	if results.Interrupted || len(results.NotRun) > 0 || len(results.Clauses) == 0 {
		return ExitFault
	}
	return code
}
