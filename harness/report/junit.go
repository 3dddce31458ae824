package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"
)

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Skipped  int          `xml:"skipped,attr"`
	Time     string       `xml:"time,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name       string          `xml:"name,attr"`
	Tests      int             `xml:"tests,attr"`
	Failures   int             `xml:"failures,attr"`
	Errors     int             `xml:"errors,attr"`
	Skipped    int             `xml:"skipped,attr"`
	Time       string          `xml:"time,attr"`
	Timestamp  string          `xml:"timestamp,attr"`
	Properties []junitProperty `xml:"properties>property"`
	Cases      []junitCase     `xml:"testcase"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitCase struct {
	Name      string        `xml:"name,attr"`
	Classname string        `xml:"classname,attr"`
	Time      string        `xml:"time,attr"`
	Skipped   *junitSkipped `xml:"skipped"`
	Error     *junitProblem `xml:"error"`
	Failure   *junitProblem `xml:"failure"`
}

type junitSkipped struct {
	Message string `xml:"message,attr"`
}

type junitProblem struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",cdata"`
}

// WriteJUnit writes the results as JUnit XML: a suite is a testsuite, a clause a testcase. A
// deviation is a failure, a fault of the tool an error, and a clause that was not judged is
// skipped. So is one that deviates as expected; where an expected verdict did not come, that is a
// failure. A clause that both deviates and has a fault is a failure that tells the fault. What was
// not run has no testcase; a property of the suite says how much that is.
func WriteJUnit(w io.Writer, r Results) error {
	all := junitSuites{Name: "ipcspec"}
	index := map[string]int{}
	for _, s := range r.Suites {
		index[s.Suite] = len(all.Suites)
		all.Suites = append(all.Suites, junitSuite{
			Name: printable(s.Suite),
			Time: junitTime(s.Seconds),
			// The format has no time zone.
			Timestamp: r.Started.UTC().Format("2006-01-02T15:04:05"),
			Properties: []junitProperty{
				{"ipcspec", printable(r.Tool)},
				{"target", targetLine(r.Target)},
				{"seed", strconv.FormatInt(r.Options.Seed, 10)},
				{"interrupted", strconv.FormatBool(r.Interrupted)},
				{"not-run", strconv.Itoa(s.NotRun)},
			},
		})
	}
	for _, clause := range r.Clauses {
		i, ok := index[clause.Suite]
		if !ok {
			return fmt.Errorf("junit: clause %s belongs to suite %q, which the results do not list", clause.ID, clause.Suite)
		}
		s := &all.Suites[i]
		c := junitCase{
			Name:      printable(clause.ID),
			Classname: "ipcspec." + printable(clause.Suite),
			Time:      junitTime(clause.Seconds),
		}
		s.Tests++
		switch {
		case clause.UnexpectedDeviation():
			s.Failures++
			message := "the kernel deviates from the clause"
			if len(clause.Evidence) > 0 {
				message = oneLine(clause.Evidence[0].Message)
			}
			c.Failure = &junitProblem{message, string(Deviates), clauseDetails(clause, again(r))}
		case clause.Fault != "":
			s.Errors++
			c.Error = &junitProblem{oneLine(clause.Fault), "fault", clauseDetails(clause, again(r))}
		case clause.Unmet():
			s.Failures++
			c.Failure = &junitProblem{unmetLine(clause), "unmet expectation", clauseDetails(clause, again(r))}
		case clause.Verdict == Deviates:
			s.Skipped++
			c.Skipped = &junitSkipped{"expected deviation: " + oneLine(clause.Expected.Why)}
		case clause.Verdict == Untested:
			s.Skipped++
			c.Skipped = &junitSkipped{"untested: no spec yet"}
		case clause.Verdict == Unresolved, clause.Verdict == Unsupported:
			s.Skipped++
			c.Skipped = &junitSkipped{string(clause.Verdict) + ": " + reasonOf(clause)}
		}
		s.Cases = append(s.Cases, c)
	}
	for _, s := range all.Suites {
		all.Tests += s.Tests
		all.Failures += s.Failures
		all.Errors += s.Errors
		all.Skipped += s.Skipped
	}
	all.Time = junitTime(r.Total.Seconds)
	text, err := xml.MarshalIndent(all, "", "  ")
	if err != nil {
		return fmt.Errorf("junit: %w", err)
	}
	_, err = io.WriteString(w, xml.Header+string(text)+"\n")
	return err
}

func junitTime(seconds float64) string { return strconv.FormatFloat(seconds, 'f', 6, 64) }

// clauseDetails gives all that there is to say about a clause with a deviation or a fault.
func clauseDetails(clause ClauseResult, command string) string {
	var b strings.Builder
	writeDetails(&b, clause, "", command)
	return b.String()
}
