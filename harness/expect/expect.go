// Package expect holds what is known and explained in advance: that on one kind of target some
// clauses deviate, are unsupported, or cannot be resolved.
//
// Expectations stand in YAML files, as strict as the catalogue:
//
//	expectations:
//	  - clause: vmsplice.nr-segs-*   # a clause id, or a glob as ipcspec run --clause takes it
//	    verdict: deviates            # deviates | unresolved | unsupported; deviates if left out
//	    where:                       # all of these must hold; without it, everywhere
//	      system: linux              # linux | gvisor: whose code answers the calls
//	      kernel: ">= 5.10, < 6.2"   # also >, <=, =; X.Y stands for every X.Y.Z
//	      arch: x86_64               # as uname -m prints it
//	      runtime: docker            # the container engine, or what ipcspec oci runs; none: no hint of one
//	      profile: default           # how much the OCI runtime was asked to allow; kvm | tcg in a machine
//	      user: ordinary             # root | ordinary
//	    sometimes: true              # it may conform as well: a race in the kernel, or its order of things
//	    why: one sentence that a kernel developer would accept
//	    link: https://…              # optional, leads to more
//
// The condition that matters for most entries is system: a container of docker's runs on the plain
// kernel of its host, and what that kernel does is no business of docker's. Runtime is for what the
// engine itself changes, such as the calls that its seccomp policy refuses. All conditions but
// kernel and user take a list as well, of which one must hold.
//
// Of a glob, each clause that matches must turn out as expected. Where several entries apply to one
// clause, the last one counts, in the order of files and of entries, so that a file given to a run
// can correct what ipcspec brings along.
package expect

import (
	"cmp"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/ipcspec/ipcspec/harness/kernel"
	"github.com/ipcspec/ipcspec/harness/report"
	"github.com/ipcspec/ipcspec/harness/spec"
	"github.com/ipcspec/ipcspec/harness/strict"
)

// An Entry says that clauses have a verdict on some targets.
type Entry struct {
	Clause  string // an id or a glob
	Verdict report.Verdict
	Where   Where
	// Sometimes says that the verdict need not come.
	Sometimes bool
	Why       string // on one line
	Link      string
	Source    strict.Location
}

// A File is a file of expectations, as far as it has been read: its text may go to where the file
// is not.
type File struct {
	Name string `json:"name"`
	Text []byte `json:"text"`
}

// Where says on which targets an entry holds: those for which all its conditions do. The zero Where
// means everywhere. Of a list one word must be true of the target; an empty one is no condition.
type Where struct {
	System  []string
	Kernel  Range
	Arch    []string
	Runtime []string
	Profile []string
	User    string
}

const (
	root     = "root"
	ordinary = "ordinary"
	none     = "none"   // the runtime where there is no hint of one
	gvisor   = "gvisor" // a system, and a runtime
)

var (
	fileKeys  = []string{"expectations"}
	entryKeys = []string{"clause", "verdict", "where", "sometimes", "why", "link"}
	whereKeys = []string{"system", "kernel", "arch", "runtime", "profile", "user"}

	verdicts = []string{string(report.Deviates), string(report.Unresolved), string(report.Unsupported)}
	systems  = []string{"linux", gvisor}
	users    = []string{root, ordinary}
	runtimes = []string{none, gvisor, "docker", "podman", "lxc", "systemd-nspawn", "kubernetes", "container",
		"runc", "crun", "youki"} // as ipcspec oci names them
	// What uname -m prints on the architectures that Linux has today.
	machines = []string{"alpha", "arc", "armv6l", "armv7l", "armv8l", "aarch64", "csky", "i386", "i586", "i686",
		"loongarch64", "m68k", "microblaze", "mips", "mips64", "nios2", "openrisc", "parisc", "parisc64", "ppc",
		"ppc64", "ppc64le", "riscv32", "riscv64", "s390x", "sh4", "sparc", "sparc64", "x86_64", "xtensa"}
)

// Load reads a file of expectations. The error has one line a fault, "file:line: what is wrong: how
// to mend it", and names all of them.
func Load(file string, text []byte) ([]Entry, error) {
	var faults strict.Faults
	r := reader{strict.Reader{File: file, Faults: &faults}}
	entries := r.read(text)
	return entries, faults.Err()
}

// LoadAll reads all files *.yaml in the root of fsys; folder is where messages say that they are.
func LoadAll(folder string, fsys fs.FS) ([]Entry, error) {
	var faults strict.Faults
	var all []Entry
	names, err := fs.Glob(fsys, "*.yaml")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, err
		}
		r := reader{strict.Reader{File: path.Join(folder, name), Faults: &faults}}
		all = append(all, r.read(text)...)
	}
	return all, faults.Err()
}

type reader struct{ strict.Reader }

func (r reader) read(text []byte) []Entry {
	top := r.Document(text, "expectations", "one list of expectations")
	if top == nil {
		return nil
	}
	keys, ok := r.Mapping(top, "the file", fileKeys)
	if !ok {
		return nil
	}
	list := r.Required(top, keys, "expectations", "the file", "list them below expectations:, or remove the file")
	var entries []Entry
	for _, n := range r.Sequence(list, "expectations") {
		e, ok := r.entry(n)
		if !ok {
			continue
		}
		if i := slices.IndexFunc(entries, e.repeats); i >= 0 {
			r.Fault(n, "clause %s stands at %s already, with the same where: keep one", e.Clause, entries[i].Source)
			continue
		}
		entries = append(entries, e)
	}
	return entries
}

// repeats says whether two entries are about the same clauses on the same targets.
func (e Entry) repeats(other Entry) bool {
	a, b := e.Where, other.Where
	same := func(a, b []string) bool {
		return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
	}
	return e.Clause == other.Clause && same(a.System, b.System) && a.Kernel == b.Kernel && same(a.Arch, b.Arch) &&
		same(a.Runtime, b.Runtime) && same(a.Profile, b.Profile) && a.User == b.User
}

func (r reader) entry(n *yaml.Node) (Entry, bool) {
	keys, ok := r.Mapping(n, "an expectation", entryKeys)
	if !ok {
		return Entry{}, false
	}
	e := Entry{Source: r.At(n), Verdict: report.Deviates}
	what := "the expectation"
	if clause := r.Required(n, keys, "clause", what, "name a clause by its id, or several by a glob"); clause != nil {
		e.Clause = r.Text(clause, "clause")
		e.Source = r.At(clause)
		if e.Clause != "" {
			what = "the expectation of " + e.Clause
			if _, err := path.Match(e.Clause, ""); err != nil {
				r.Fault(clause, "clause glob %q: %v: write it as in pipe.write-*", e.Clause, err)
				e.Clause = ""
			}
		}
	}
	if verdict := keys["verdict"]; verdict != nil {
		e.Verdict = report.Verdict(r.OneOf(verdict, what+": verdict", verdicts))
	}
	if where := keys["where"]; where != nil {
		e.Where = r.where(where, what+": where")
	}
	if sometimes := keys["sometimes"]; sometimes != nil {
		e.Sometimes = r.Truth(sometimes, what+": sometimes")
	}
	if why := r.Required(n, keys, "why", what, "say why, so that a kernel developer would accept it"); why != nil {
		e.Why = r.Prose(why, what+": why")
	}
	if link := keys["link"]; link != nil {
		e.Link = r.Text(link, what+": link")
		if u, err := url.Parse(e.Link); e.Link != "" && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
			r.Fault(link, "%s: link: %q is not a URL: write https://…", what, e.Link)
		}
	}
	return e, e.Clause != ""
}

func (r reader) where(n *yaml.Node, what string) Where {
	keys, ok := r.Mapping(n, what, whereKeys)
	if !ok {
		return Where{}
	}
	if len(n.Content) == 0 {
		r.Fault(n, "%s is empty: say where, or remove it for everywhere", what)
	}
	w := Where{
		System:  r.anyOf(keys["system"], what+": system", systems),
		Arch:    r.anyOf(keys["arch"], what+": arch", machines),
		Runtime: r.anyOf(keys["runtime"], what+": runtime", runtimes),
		Profile: r.anyOf(keys["profile"], what+": profile", nil),
	}
	if n := keys["kernel"]; n != nil {
		if text := r.Text(n, what+": kernel"); text != "" {
			var err error
			if w.Kernel, err = ParseRange(text); err != nil {
				r.Fault(n, "%s: kernel: %v: write it as in \">= 5.10, < 6.2\"", what, err)
			}
		}
	}
	if n := keys["user"]; n != nil {
		w.User = r.OneOf(n, what+": user", users)
	}
	return w
}

// anyOf gives a single value or a list of them; nil for known allows every word.
func (r reader) anyOf(n *yaml.Node, what string, known []string) []string {
	if n == nil {
		return nil
	}
	valid := func(n *yaml.Node, word string) bool { return known == nil || r.IsOneOf(n, what, word, known) }
	if n.Kind == yaml.SequenceNode {
		return r.Words(n, what, valid)
	}
	if word := r.Text(n, what); word != "" && valid(n, word) {
		return []string{word}
	}
	return nil
}

// Check finds entries whose clause is in no catalogue. It is right only for the catalogue of all
// suites.
func Check(entries []Entry, catalogue *spec.Catalogue) error {
	var faults strict.Faults
	for _, e := range entries {
		if _, err := catalogue.Select(spec.Filter{IDs: []string{e.Clause}}); err != nil {
			faults.Add(e.Source, "the expectation of %s: %v", e.Clause, err)
		}
	}
	return faults.Err()
}

// Apply gives the expectations that hold for clauses on a target, by clause.
func Apply(entries []Entry, target report.Target, clauses []*spec.Clause) map[string]report.Expectation {
	expected := map[string]report.Expectation{}
	for _, e := range entries {
		if !e.Where.Holds(target) {
			continue
		}
		for _, c := range clauses {
			if ok, err := path.Match(e.Clause, c.ID); ok && err == nil {
				expected[c.ID] = report.Expectation{
					Verdict: e.Verdict, Why: e.Why, Link: e.Link, Source: e.Source.String(), Sometimes: e.Sometimes,
				}
			}
		}
	}
	return expected
}

// Holds says whether all conditions hold for a target.
func (w Where) Holds(t report.Target) bool {
	one := func(of []string, is string) bool { return len(of) == 0 || slices.Contains(of, is) }
	return one(w.System, system(t.Kernel)) && w.Kernel.Holds(t.Kernel.Release) && one(w.Arch, t.Kernel.Machine) &&
		one(w.Runtime, cmp.Or(t.Kernel.Runtime, none)) && one(w.Profile, t.Profile) &&
		(w.User == "" || w.User == user(t.Kernel))
}

// system tells whose code answers the calls. Everything but gVisor that calls itself Linux is
// taken for Linux, inside whatever container.
func system(f kernel.Facts) string {
	if f.Runtime == gvisor {
		return gvisor
	}
	return strings.ToLower(f.System)
}

func user(f kernel.Facts) string {
	if f.UID == 0 {
		return root
	}
	return ordinary
}

// Range is a range of kernel versions. The zero Range holds every kernel, even one whose version is
// not known.
type Range struct {
	from  kernel.Release // the first version in it
	until kernel.Release // the first one after from that is not, zero for no end
}

// ParseRange reads comparisons with commas between them, all of which must hold: ">= 5.10, < 6.2".
// A version X.Y stands for all its X.Y.Z, so that "<= 6.1" and "= 6.1" hold for 6.1.5.
func ParseRange(text string) (Range, error) {
	var r Range
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		number := strings.TrimLeft(part, "<>=")
		operator := strings.TrimSuffix(part, number)
		version, err := spec.ParseVersion(strings.TrimSpace(number))
		if err != nil {
			return Range{}, fmt.Errorf("%q: %w", part, err)
		}
		first := kernel.Release{Major: version.Major, Minor: version.Minor, Patch: version.Patch}
		next := first // the first version after those that are meant
		if strings.Count(number, ".") == 1 {
			next.Minor++
		} else {
			next.Patch++
		}
		from, until := kernel.Release{}, kernel.Release{}
		switch operator {
		case ">=":
			from = first
		case ">":
			from = next
		case "<":
			until = first
		case "<=":
			until = next
		case "=":
			from, until = first, next
		default:
			return Range{}, fmt.Errorf("%q does not begin with one of >=, >, <=, <, =", part)
		}
		if from.Compare(r.from) > 0 {
			r.from = from
		}
		if unlimited := (kernel.Release{}); until != unlimited && (r.until == unlimited || until.Compare(r.until) < 0) {
			r.until = until
		}
	}
	if (r.until != kernel.Release{}) && r.until.Compare(r.from) <= 0 {
		return Range{}, fmt.Errorf("no version is in %q", text)
	}
	return r, nil
}

// Holds says whether a release is in the range. One that could not be read is only in the range of
// all.
func (r Range) Holds(release kernel.Release) bool {
	if r == (Range{}) {
		return true
	}
	nothing := kernel.Release{}
	return release.Compare(nothing) != 0 && release.Compare(r.from) >= 0 && (r.until == nothing || release.Compare(r.until) < 0)
}
