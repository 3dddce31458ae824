package mutate

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/ipcspec/ipcspec/harness/kernel"
	"github.com/ipcspec/ipcspec/harness/report"
	"github.com/ipcspec/ipcspec/harness/spec"
)

// A Report is what a mutation run has found.
type Report struct {
	Tool    string         `json:"tool"`
	Kernel  kernel.Facts   `json:"kernel"`
	Seed    int64          `json:"seed"`
	Most    int            `json:"most"` // lies a spec
	Seconds float64        `json:"seconds"`
	Rules   []Rule         `json:"rules"`
	Suites  []SuiteReport  `json:"suites"`
	Clauses []ClauseReport `json:"clauses"`
}

// A Tally counts mutants.
type Tally struct {
	Killed     int `json:"killed"`
	Survived   int `json:"survived"`
	Explained  int `json:"explained"` // of those that survived, by a rule
	Unresolved int `json:"unresolved"`
	NotTold    int `json:"not_told"`
}

// Share is the part of the mutants that were killed, of those that could be; 1 where there are none.
func (t Tally) Share() float64 {
	if t.Killed+t.Survived == 0 {
		return 1
	}
	return float64(t.Killed) / float64(t.Killed+t.Survived)
}

// Unexplained is how many mutants survived and no rule says why.
func (t Tally) Unexplained() int { return t.Survived - t.Explained }

func (t *Tally) count(m MutantResult) {
	switch m.Outcome {
	case Killed:
		t.Killed++
	case Survived:
		t.Survived++
		if m.Rule != "" {
			t.Explained++
		}
	case Unresolved:
		t.Unresolved++
	case NotTold:
		t.NotTold++
	}
}

func (t *Tally) add(o Tally) {
	t.Killed += o.Killed
	t.Survived += o.Survived
	t.Explained += o.Explained
	t.Unresolved += o.Unresolved
	t.NotTold += o.NotTold
}

// A SuiteReport sums up a suite.
type SuiteReport struct {
	Suite    string         `json:"suite"`
	Clauses  int            `json:"clauses"` // that were selected
	LiedTo   int            `json:"lied_to"` // that conform here, so that they could be lied to
	Strong   int            `json:"strong"`  // with at least one kill on each of their subjects
	Tally                   //
	Excluded map[string]int `json:"excluded"` // by rule
}

// A ClauseReport is what lying to a clause's specs has shown.
type ClauseReport struct {
	ID        string          `json:"id"`
	Suite     string          `json:"suite"`
	Why       string          `json:"why,omitempty"` // why it was not lied to; then there is nothing else
	Unsteady  bool            `json:"unsteady,omitempty"`
	Subjects  []SubjectReport `json:"subjects,omitempty"`
	Tally                     //
	Survivors []Survivor      `json:"survivors,omitempty"`
	Excluded  map[string]int  `json:"excluded,omitempty"`
}

// A SubjectReport sums up the lies about one of a clause's subjects.
type SubjectReport struct {
	Name  string `json:"name"`
	Calls int    `json:"calls"` // that the specs make
	Tally
}

// A Survivor is a lie that nobody noticed.
type Survivor struct {
	Spec string `json:"spec,omitempty"`
	*Mutant
	Rule string `json:"rule,omitempty"` // that explains it
	By   string `json:"by,omitempty"`   // the clause that notices, where the rule is about that
}

// Weak returns the subjects about which no lie was noticed.
func (c ClauseReport) Weak() []string {
	var weak []string
	for _, s := range c.Subjects {
		if s.Killed == 0 {
			weak = append(weak, s.Name)
		}
	}
	return weak
}

func newReport(clauses []*spec.Clause, results []SpecResult) Report {
	bySpec := map[string][]SpecResult{}
	slices.SortFunc(results, func(a, b SpecResult) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Spec, b.Spec))
	})
	explainParticulars(clauses, results)
	explainElsewhere(clauses, results)
	for _, s := range results {
		s.settleAlternatives()
		bySpec[s.Clause] = append(bySpec[s.Clause], s)
	}
	found := Report{Rules: Rules()}
	suites := map[string]*SuiteReport{}
	for _, clause := range clauses {
		c := newClauseReport(clause, bySpec[clause.ID])
		found.Clauses = append(found.Clauses, c)
		suite := suites[c.Suite]
		if suite == nil {
			suite = &SuiteReport{Suite: c.Suite, Excluded: map[string]int{}}
			suites[c.Suite] = suite
		}
		suite.Clauses++
		if c.Why != "" {
			continue
		}
		suite.LiedTo++
		if len(c.Weak()) == 0 {
			suite.Strong++
		}
		suite.add(c.Tally)
		for rule, n := range c.Excluded {
			suite.Excluded[rule] += n
		}
	}
	for _, suite := range suites {
		found.Suites = append(found.Suites, *suite)
	}
	slices.SortFunc(found.Suites, func(a, b SuiteReport) int { return cmp.Compare(a.Suite, b.Suite) })
	return found
}

// settleAlternatives keeps, of each group of alternatives, all that were killed, or else one
// survivor.
func (s *SpecResult) settleAlternatives() {
	killed, kept := map[string]bool{}, map[string]bool{}
	for _, m := range s.Mutants {
		if m.Group != "" && m.Outcome == Killed {
			killed[m.Group] = true
		}
	}
	var left []MutantResult
	for _, m := range s.Mutants {
		if m.Group != "" && m.Outcome == Survived {
			if killed[m.Group] || kept[m.Group] {
				if s.Excluded == nil {
					s.Excluded = map[string]int{}
				}
				s.Excluded[ruleAlternatives.Name]++
				continue
			}
			kept[m.Group] = true
		}
		left = append(left, m)
	}
	s.Mutants = left
}

// explainElsewhere explains lies about what a call does, as opposed to what it tells: that it was not
// made, made twice, or had no regard to a flag or an argument. A clause states one outcome. Where its
// spec noticed that the call told something else, or took the call for granted as a step towards
// what it judges, and another clause noticed the same lie about the same call, the kernel that does
// this is found. Not so for a flag that the clause's text names.
func explainElsewhere(clauses []*spec.Clause, results []SpecResult) {
	byID := map[string]*spec.Clause{}
	for _, c := range clauses {
		byID[c.ID] = c
	}
	type lie struct {
		suite, act, input string
		kind              Kind
	}
	what := func(s SpecResult, m MutantResult) lie {
		return lie{byID[s.Clause].Suite, m.Act, m.Input, m.Kind}
	}
	noticed := map[lie][]string{} // by which clauses
	for _, s := range results {
		for _, m := range s.Mutants {
			if key := what(s, m); m.Outcome == Killed && !slices.Contains(noticed[key], s.Clause) {
				noticed[key] = append(noticed[key], s.Clause)
			}
		}
	}
	for _, clauses := range noticed {
		slices.Sort(clauses)
	}
	for _, s := range results {
		judged := map[string]bool{}
		for _, m := range s.Mutants {
			judged[m.Call] = judged[m.Call] || m.Outcome == Killed && slices.Contains(tells, m.Kind)
		}
		for i := range s.Mutants {
			m := &s.Mutants[i]
			switch {
			case m.Outcome != Survived, m.Rule != "", !slices.Contains(does, m.Kind), !m.Prepares && !judged[m.Call]:
				continue
			case strings.HasPrefix(m.Input, "without ") && strings.Contains(byID[s.Clause].Text, m.Input[len("without "):]):
				continue // it is about the flag
			}
			for _, clause := range noticed[what(s, *m)] {
				if clause != s.Clause {
					m.Rule, m.By = ruleElsewhere.Name, clause
					break
				}
			}
		}
	}
}

// Kinds of lies about what a call tells, and about what it does.
var (
	tells = []Kind{Errno, Success, Count, Data, Field, Early}
	does  = []Kind{Omit, Twice, Flag, Argument}
)

// explainParticulars explains that a clause does not notice other particulars of a signal, where another
// clause about the same call does.
func explainParticulars(clauses []*spec.Clause, results []SpecResult) {
	suite := map[string]string{}
	for _, c := range clauses {
		suite[c.ID] = c.Suite
	}
	noticed := map[string]bool{}
	each := func(visit func(key string, m *MutantResult)) {
		for _, s := range results {
			for i := range s.Mutants {
				if m := &s.Mutants[i]; m.Particulars {
					for _, subject := range m.Of {
						visit(suite[s.Clause]+" "+subject, m)
					}
				}
			}
		}
	}
	each(func(key string, m *MutantResult) { noticed[key] = noticed[key] || m.Outcome == Killed })
	each(func(key string, m *MutantResult) {
		if m.Outcome == Survived && m.Rule == "" && m.Group != "" && noticed[key] {
			m.Rule = ruleParticulars.Name
		}
	})
}

func newClauseReport(clause *spec.Clause, specs []SpecResult) ClauseReport {
	c := ClauseReport{ID: clause.ID, Suite: clause.Suite, Excluded: map[string]int{}}
	if len(specs) == 0 {
		c.Why = "it has no spec"
		return c
	}
	subjects := map[string]*SubjectReport{}
	for _, name := range clause.Subjects {
		subjects[name] = &SubjectReport{Name: name}
	}
	for _, s := range specs {
		if s.Verdict != report.Conforms {
			c.Why = fmt.Sprintf("%s %s: %s", s.At, s.Verdict, s.Reason)
			continue
		}
		c.Unsteady = c.Unsteady || s.Unsteady
		for name, n := range s.Calls {
			subjects[name].Calls += n
		}
		for rule, n := range s.Excluded {
			c.Excluded[rule] += n
		}
		for _, m := range s.Mutants {
			c.count(m)
			if subject := subjects[m.Subject]; subject != nil {
				subject.count(m)
			}
			if m.Outcome == Survived {
				c.Survivors = append(c.Survivors, Survivor{Spec: s.Spec, Mutant: m.Mutant, Rule: m.Rule, By: m.By})
			}
		}
	}
	if c.Killed+c.Survived > 0 {
		c.Why = "" // some of its specs could be lied to
	}
	for _, name := range clause.Subjects {
		c.Subjects = append(c.Subjects, *subjects[name])
	}
	return c
}

// WriteJSON writes the report as JSON.
func (r Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// WriteSummary writes a line a suite.
func (r Report) WriteSummary(w io.Writer) error {
	p := &printer{w: w}
	p.line("%s on Linux %s, %.0f s, seed %d", r.Tool, r.Kernel.Release.Numbers(), r.Seconds, r.Seed)
	p.line("")
	p.line("%-12s %7s %7s %7s %8s %8s %7s %11s", "suite", "clauses", "lied to", "strong", "killed", "survived", "share", "unexplained")
	for _, s := range r.Suites {
		p.line("%-12s %7d %7d %7d %8d %8d %6.1f%% %11d", s.Suite, s.Clauses, s.LiedTo, s.Strong, s.Killed, s.Survived, 100*s.Share(), s.Unexplained())
	}
	return p.err
}

// WriteText writes the report for people.
func (r Report) WriteText(w io.Writer) error {
	p := &printer{w: w, err: r.WriteSummary(w)}
	p.clauses("clauses without a kill on one of their subjects", r.Clauses, func(c ClauseReport) bool { return c.Why == "" && len(c.Weak()) > 0 })
	p.clauses("clauses with survivors that no rule explains", r.Clauses, func(c ClauseReport) bool {
		return c.Why == "" && len(c.Weak()) == 0 && c.Unexplained() > 0
	})
	p.clauses("clauses with survivors that are explained", r.Clauses, func(c ClauseReport) bool {
		return c.Why == "" && len(c.Weak()) == 0 && c.Survived > 0 && c.Unexplained() == 0
	})
	p.notLiedTo(r.Clauses)
	p.excluded(r)
	return p.err
}

type printer struct {
	w   io.Writer
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintln(p.w, strings.TrimRight(fmt.Sprintf(format, args...), " "))
	}
}

func (p *printer) clauses(title string, all []ClauseReport, want func(ClauseReport) bool) {
	var chosen []ClauseReport
	for _, c := range all {
		if want(c) {
			chosen = append(chosen, c)
		}
	}
	if len(chosen) == 0 {
		return
	}
	p.line("")
	p.line("%d %s", len(chosen), title)
	for _, c := range chosen {
		p.line("")
		text := fmt.Sprintf("%s: %d killed, %d survived", c.ID, c.Killed, c.Survived)
		if c.Explained > 0 {
			text += fmt.Sprintf(", %d of them explained", c.Explained)
		}
		p.line("%s", text)
		for _, s := range c.Subjects {
			switch {
			case s.Calls == 0:
				p.line("  %s: its specs make no such call", s.Name)
			case s.Killed+s.Survived == 0:
				p.line("  %s: no lie about it can be noticed, by the rules below (%d unresolved)", s.Name, s.Unresolved)
			case s.Killed == 0:
				p.line("  %s: none of %d lies was noticed", s.Name, s.Survived)
			}
		}
		if c.Unsteady {
			p.line("  its calls differ from run to run")
		}
		for _, s := range c.Survivors {
			spec := s.Spec
			if spec != "" {
				spec = " [" + spec + "]"
			}
			rule := ""
			if s.Rule != "" {
				rule = ", by rule: " + s.Rule
				if s.By != "" {
					rule += ", noticed by " + s.By
				}
			}
			p.line("  %s%s: %s: not noticed%s", s.At, spec, s.Lie, rule)
			p.line("      %s", s.Text)
		}
	}
}

func (p *printer) notLiedTo(all []ClauseReport) {
	n := 0
	for _, c := range all {
		if c.Why != "" {
			n++
		}
	}
	if n == 0 {
		return
	}
	p.line("")
	p.line("%d clauses not lied to, as they do not conform here", n)
	for _, c := range all {
		if c.Why != "" {
			p.line("  %s: %s", c.ID, c.Why)
		}
	}
}

// explained counts the survivors of a suite, or of all, by the rules that explain them.
func (r Report) explained(suite string) map[string]int {
	total := map[string]int{}
	for _, c := range r.Clauses {
		for _, s := range c.Survivors {
			if s.Rule != "" && (suite == "" || c.Suite == suite) {
				total[s.Rule]++
			}
		}
	}
	return total
}

func (p *printer) excluded(r Report) {
	total := map[string]int{}
	var sum Tally
	for _, s := range r.Suites {
		for rule, n := range s.Excluded {
			total[rule] += n
		}
		sum.add(s.Tally)
	}
	total[ruleNotTold.Name] += sum.NotTold
	total[ruleUnresolved.Name] += sum.Unresolved
	byRule := func(title string, total map[string]int) {
		if len(total) == 0 {
			return
		}
		p.line("")
		p.line("%s", title)
		for _, rule := range r.Rules {
			if n := total[rule.Name]; n > 0 {
				p.line("  %6d %s: %s", n, rule.Name, rule.Why)
			}
		}
	}
	byRule("lies that were told and not noticed, by the rule that explains it", r.explained(""))
	byRule("lies not counted, by rule", total)
}
