package spec

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/ipcspec/ipcspec/harness/strict"
)

var (
	suiteName   = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)
	clauseID    = regexp.MustCompile(`^[a-z0-9]+([.-][a-z0-9]+)+$`)
	syscallName = regexp.MustCompile(`^[a-z_][a-z0-9_]*$`)
	configName  = regexp.MustCompile(`^CONFIG_[A-Z0-9_]+$`)
	devicePath  = regexp.MustCompile(`^/dev/[^/]+(/[^/]+)*$`)
	sysctlName  = regexp.MustCompile(`^[a-z0-9_-]+(\.[A-Za-z0-9_-]+)+$`)

	namespaces = []string{"mount", "net", "ipc", "pid", "user", "uts"}
	// Of what specs make in these, the harness removes each object where they are shared.
	shareable  = []string{"ipc"}
	pageKeys   = []string{"page", "edition", "clauses", "dispositions"}
	clauseKeys = []string{"id", "text", "cites", "level", "subjects", "since", "until", "optional", "needs"}
	needsKeys  = []string{"unprivileged", "fresh-user", "capabilities", "without", "cpus", "devices",
		"sysctls", "sysctls-write", "disposable", "namespaces", "namespaces-if-possible", "serial"}
	dispositionKeys = []string{"statement", "is", "why", "see"}
)

// capabilities are the names in capabilities(7) of edition Edition.
var capabilities = strings.Fields(`
	CAP_AUDIT_CONTROL CAP_AUDIT_READ CAP_AUDIT_WRITE CAP_BLOCK_SUSPEND CAP_BPF
	CAP_CHECKPOINT_RESTORE CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_FSETID
	CAP_IPC_LOCK CAP_IPC_OWNER CAP_KILL CAP_LEASE CAP_LINUX_IMMUTABLE CAP_MAC_ADMIN
	CAP_MAC_OVERRIDE CAP_MKNOD CAP_NET_ADMIN CAP_NET_BIND_SERVICE CAP_NET_BROADCAST CAP_NET_RAW
	CAP_PERFMON CAP_SETFCAP CAP_SETGID CAP_SETPCAP CAP_SETUID CAP_SYSLOG CAP_SYS_ADMIN
	CAP_SYS_BOOT CAP_SYS_CHROOT CAP_SYS_MODULE CAP_SYS_NICE CAP_SYS_PACCT CAP_SYS_PTRACE
	CAP_SYS_RAWIO CAP_SYS_RESOURCE CAP_SYS_TIME CAP_SYS_TTY_CONFIG CAP_WAKE_ALARM`)

// Load reads the catalogue of one suite: every *.yaml in the root of fsys, one file a manual page,
// named <page>.yaml. The format is strict: an unknown key, a malformed value, a reference to an
// unknown statement or a missing part is a fault. The error has one line a fault, "file:line:
// what is wrong: how to mend it", and names all of them.
//
// The catalogue is given even with an error and holds what could be read, so that LoadAll finds the
// faults that lie between files in the same go. It must not be used for anything else then.
func Load(suite string, fsys fs.FS) (*Catalogue, error) {
	return load(Statements(), suite, fsys)
}

func load(index *Index, suite string, fsys fs.FS) (*Catalogue, error) {
	if !suiteName.MatchString(suite) {
		return newCatalogue(index), fmt.Errorf("suite %q: the name must be lower-case letters, digits and hyphens", suite)
	}
	folder := path.Join("suites", suite)
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return newCatalogue(index), fmt.Errorf("%s: %w", folder, err)
	}
	var faults strict.Faults
	var pages []*Page
	for _, entry := range entries {
		if entry.IsDir() || path.Ext(entry.Name()) != ".yaml" {
			continue
		}
		r := &pageReader{Reader: strict.Reader{File: path.Join(folder, entry.Name()), Faults: &faults}, index: index, suite: suite}
		text, err := fs.ReadFile(fsys, entry.Name())
		if err != nil {
			faults.Add(Location{File: r.File, Line: 1}, "%v", err)
			continue
		}
		if page := r.read(text); page != nil {
			pages = append(pages, page)
		}
	}
	if len(pages) == 0 && len(faults) == 0 {
		return newCatalogue(index), fmt.Errorf("%s: no *.yaml: a suite has one file a manual page", folder)
	}
	catalogue, between := assemble(index, pages)
	return catalogue, append(faults, between...).Err()
}

// pageReader reads one file.
type pageReader struct {
	strict.Reader
	index *Index
	suite string
	page  string // name, once known
}

// read gives the page, or nil where the text is not one at all.
func (r *pageReader) read(text []byte) *Page {
	root := r.Document(text, "page, edition, clauses and dispositions", "one page")
	if root == nil {
		return nil
	}
	keys, ok := r.Mapping(root, "the file", pageKeys)
	if !ok {
		return nil
	}
	page := &Page{Suite: r.suite, File: r.File}
	if n := r.Required(root, keys, "page", "the file", "give the manual page's title, as in pipe(7)"); n != nil {
		page.Name = r.pageName(n)
		r.page = page.Name
	}
	if n := r.Required(root, keys, "edition", "the file", "write edition: "+r.index.Edition(r.page)); n != nil {
		if edition := r.Text(n, "edition"); edition != "" && edition != r.index.Edition(r.page) {
			r.Fault(n, "edition %q is not the one that statements come from: review the page against %s and write that", edition, r.index.Edition(r.page))
		}
	}
	if keys["clauses"] == nil && keys["dispositions"] == nil {
		r.Fault(root, "neither clauses nor dispositions: add one or remove the file")
	}
	for _, n := range r.Sequence(keys["clauses"], "clauses") {
		if c := r.clause(n); c != nil {
			page.Clauses = append(page.Clauses, c)
		}
	}
	for _, n := range r.Sequence(keys["dispositions"], "dispositions") {
		if d := r.disposition(n); d != nil {
			page.Dispositions = append(page.Dispositions, d)
		}
	}
	if page.Name == "" {
		// Clauses of a page without a name still take part in the checks between files.
		page.Name = strings.TrimSuffix(path.Base(r.File), ".yaml")
	}
	for _, c := range page.Clauses {
		c.Page = page.Name
	}
	for _, d := range page.Dispositions {
		d.Page = page.Name
	}
	return page
}

func (r *pageReader) pageName(n *yaml.Node) string {
	title := r.Text(n, "page")
	if title == "" {
		return ""
	}
	name, err := ParsePageTitle(title)
	if err != nil {
		r.Fault(n, "%v: write the title of a manual page", err)
		return ""
	}
	if len(r.index.Page(name)) == 0 {
		r.Fault(n, "page %s is not among the statements of %s%s", title, Edition, strict.DidYouMean(PageTitle, strict.Near(name, r.index.Pages())))
		return ""
	}
	if want := name + ".yaml"; path.Base(r.File) != want {
		r.Fault(n, "page %s in a file of another name: rename the file to %s", title, want)
	}
	return name
}

func (r *pageReader) clause(n *yaml.Node) *Clause {
	keys, ok := r.Mapping(n, "a clause", clauseKeys)
	if !ok {
		return nil
	}
	c := &Clause{Suite: r.suite, Source: r.At(n)}
	what := "the clause"
	if id := r.Required(n, keys, "id", what, "give it a permanent id, <object>.<what-holds>"); id != nil {
		c.ID = r.Text(id, "id")
		c.Source = r.At(id)
		if c.ID != "" {
			what = "clause " + c.ID
			if !clauseID.MatchString(c.ID) || !strings.Contains(c.ID, ".") {
				r.Fault(id, "clause id %q: write <object>.<what-holds> in lower-case letters, digits, single dots and single hyphens, with a dot", c.ID)
				c.ID = ""
			}
		}
	}
	if text := r.Required(n, keys, "text", what, "say what must hold"); text != nil {
		c.Text = r.Prose(text, what+": text")
	}
	if cites := keys["cites"]; cites != nil {
		c.Cites = r.Words(cites, what+": cites", func(n *yaml.Node, id string) bool { return r.knownStatement(n, what+" cites", id) })
	}
	if level := r.Required(n, keys, "level", what, "write level: posix or level: linux"); level != nil {
		c.Level = Level(r.OneOf(level, what+": level", levels))
	}
	if subjects := r.Required(n, keys, "subjects", what, "name the system calls that are judged"); subjects != nil {
		c.Subjects = r.Matching(subjects, what+": subjects", syscallName, "a kernel name such as pipe2")
	}
	c.Since = r.version(keys["since"], what+": since")
	c.Until = r.version(keys["until"], what+": until")
	if !c.Since.IsZero() && !c.Until.IsZero() && c.Until.Compare(c.Since) <= 0 {
		r.Fault(keys["until"], "%s: until %s is not after since %s: until is the first version where it no longer holds", what, c.Until, c.Since)
	}
	if optional := keys["optional"]; optional != nil {
		c.Optional = r.Text(optional, what+": optional")
		if c.Optional != "" && !configName.MatchString(c.Optional) {
			r.Fault(optional, "%s: optional: %q is not CONFIG_…: name the kernel's option", what, c.Optional)
		}
	}
	if needs := keys["needs"]; needs != nil {
		c.Needs = r.needs(needs, what)
	}
	if c.ID == "" {
		return nil
	}
	return c
}

func (r *pageReader) needs(n *yaml.Node, clause string) Needs {
	what := clause + ": needs"
	keys, ok := r.Mapping(n, what, needsKeys)
	if !ok {
		return Needs{}
	}
	if len(keys) == 0 && len(n.Content) == 0 {
		r.Fault(n, "%s is empty: say what is needed or remove it", what)
	}
	needs := Needs{
		Unprivileged: r.Truth(keys["unprivileged"], what+": unprivileged"),
		FreshUser:    r.Truth(keys["fresh-user"], what+": fresh-user"),
		Capabilities: r.Among(keys["capabilities"], what+": capabilities", capabilities),
		Without:      r.Among(keys["without"], what+": without", capabilities),
		Devices:      r.Matching(keys["devices"], what+": devices", devicePath, "a path such as /dev/full"),
		Sysctls:      r.Matching(keys["sysctls"], what+": sysctls", sysctlName, "a name such as fs.pipe-max-size"),
		SysctlsWrite: r.Matching(keys["sysctls-write"], what+": sysctls-write", sysctlName, "a name such as fs.pipe-max-size"),
		Namespaces:   r.Among(keys["namespaces"], what+": namespaces", namespaces),
		IfPossible:   r.Among(keys["namespaces-if-possible"], what+": namespaces-if-possible", shareable),
		Serial:       r.Truth(keys["serial"], what+": serial"),
	}
	for _, name := range needs.Capabilities {
		if slices.Contains(needs.Without, name) {
			r.Fault(keys["without"], "%s: %s is both needed and to be missing: remove one", what, name)
		}
	}
	for _, name := range needs.IfPossible {
		if slices.Contains(needs.Namespaces, name) {
			r.Fault(keys["namespaces-if-possible"], "%s: namespaces-if-possible: %s is in namespaces, too: remove it from one of them", what, name)
		}
	}
	if disposable := keys["disposable"]; disposable != nil {
		needs.Disposable = r.Text(disposable, what+": disposable")
		needs.Serial = needs.Serial || needs.Disposable != ""
	}
	if cpus := keys["cpus"]; cpus != nil {
		text := r.Text(cpus, what+": cpus")
		count, err := strconv.Atoi(text)
		switch {
		case text == "":
		case err != nil || count < 2:
			r.Fault(cpus, "%s: cpus: %q is not a number from 2: one CPU is always there", what, text)
		default:
			needs.CPUs = count
		}
	}
	// What is changed for the whole system may be seen by anything that runs meanwhile.
	needs.Serial = needs.Serial || len(needs.SysctlsWrite) > 0
	return needs
}

func (r *pageReader) disposition(n *yaml.Node) *Disposition {
	keys, ok := r.Mapping(n, "a disposition", dispositionKeys)
	if !ok {
		return nil
	}
	d := &Disposition{Suite: r.suite, Source: r.At(n)}
	what := "the disposition"
	if id := r.Required(n, keys, "statement", what, "give the id of a statement of this page"); id != nil {
		d.Source = r.At(id)
		statement := r.Text(id, "statement")
		if statement != "" {
			what = "the disposition of " + statement
			if r.knownStatement(id, "a disposition names", statement) {
				d.Statement = statement
				if s, _ := r.index.Statement(statement); r.page != "" && s.Page != r.page {
					r.Fault(id, "statement %s is of another page: move the disposition to %s.yaml", statement, s.Page)
					d.Statement = ""
				}
			}
		}
	}
	is := r.Required(n, keys, "is", what, "write one of "+strings.Join(kindNames(), ", "))
	if is != nil {
		d.Kind = Kind(r.OneOf(is, what+": is", kindNames()))
	}
	if why := r.Required(n, keys, "why", what, "give the reason"); why != nil {
		d.Why = r.Prose(why, what+": why")
	}
	if see := keys["see"]; see != nil {
		d.See = r.Matching(see, what+": see", clauseID, "the id of a clause")
	} else if d.Kind == Restates {
		r.Fault(is, "%s: restates without see: name the clauses that check what it says again", what)
	}
	if d.Statement == "" {
		return nil
	}
	return d
}

func (r *pageReader) knownStatement(n *yaml.Node, what, id string) bool {
	if _, ok := r.index.Statement(id); ok {
		return true
	}
	page, _, _ := strings.Cut(id, ":")
	var candidates []string
	for _, s := range r.index.Page(page) {
		candidates = append(candidates, s.ID)
	}
	r.Fault(n, "%s %s, which is not a statement of %s%s", what, id, Edition, strict.DidYouMean(nil, strict.Near(id, candidates)))
	return false
}

func (r *pageReader) version(n *yaml.Node, what string) Version {
	if n == nil {
		return Version{}
	}
	text := r.Text(n, what)
	if text == "" {
		return Version{}
	}
	v, err := ParseVersion(text)
	if err != nil {
		r.Fault(n, "%s: %v: write it as in \"2.6.35\"", what, err)
	}
	return v
}
