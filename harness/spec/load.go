package spec

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

var (
	suiteName   = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)
	clauseID    = regexp.MustCompile(`^[a-z0-9]+([.-][a-z0-9]+)+$`)
	syscallName = regexp.MustCompile(`^[a-z_][a-z0-9_]*$`)
	configName  = regexp.MustCompile(`^CONFIG_[A-Z0-9_]+$`)
	devicePath  = regexp.MustCompile(`^/dev/[^/]+(/[^/]+)*$`)
	sysctlName  = regexp.MustCompile(`^[a-z0-9_-]+(\.[A-Za-z0-9_-]+)+$`)
	syntaxLine  = regexp.MustCompile(`line ([0-9]+): (.*)`)

	namespaces = []string{"mount", "net", "ipc", "pid", "user", "uts"}
	pageKeys   = []string{"page", "edition", "clauses", "dispositions"}
	clauseKeys = []string{"id", "text", "cites", "level", "subjects", "since", "until", "optional", "needs"}
	needsKeys  = []string{"unprivileged", "fresh-user", "capabilities", "without", "cpus", "devices",
		"sysctls", "sysctls-write", "namespaces", "serial"}
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
	return load(ManPages(), suite, fsys)
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
	var faults faults
	var pages []*Page
	for _, entry := range entries {
		if entry.IsDir() || path.Ext(entry.Name()) != ".yaml" {
			continue
		}
		r := &pageReader{index: index, suite: suite, file: path.Join(folder, entry.Name()), faults: &faults}
		text, err := fs.ReadFile(fsys, entry.Name())
		if err != nil {
			faults.add(Location{r.file, 1}, "%v", err)
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
	return catalogue, append(faults, between...).err()
}

// faults collects what is wrong, each at its place.
type faults []fault

type fault struct {
	at   Location
	what string
}

func (f fault) Error() string { return f.at.String() + ": " + f.what }

func (f *faults) add(at Location, format string, args ...any) {
	*f = append(*f, fault{at, fmt.Sprintf(format, args...)})
}

// err joins the faults in the order of files and lines; nil if there are none.
func (f faults) err() error {
	slices.SortStableFunc(f, func(a, b fault) int {
		if c := strings.Compare(a.at.File, b.at.File); c != 0 {
			return c
		}
		return a.at.Line - b.at.Line
	})
	var all []error
	for _, one := range slices.Compact(f) {
		all = append(all, one)
	}
	return errors.Join(all...)
}

// pageReader reads one file. It works on YAML nodes, since only these know their lines.
type pageReader struct {
	index       *Index
	suite, file string
	page        string // name, once known
	faults      *faults
}

func (r *pageReader) fault(n *yaml.Node, format string, args ...any) {
	r.faults.add(r.at(n), format, args...)
}

func (r *pageReader) at(n *yaml.Node) Location { return Location{r.file, max(n.Line, 1)} }

// read gives the page, or nil where the text is not one at all.
func (r *pageReader) read(text []byte) *Page {
	var document yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		r.faults.add(Location{r.file, 1}, "the file is empty: give it page, edition, clauses and dispositions")
		return nil
	} else if err != nil {
		r.syntax(err)
		return nil
	}
	var second yaml.Node
	if err := decoder.Decode(&second); err == nil {
		r.fault(&second, "a second YAML document: one file is one page")
	} else if !errors.Is(err, io.EOF) {
		r.syntax(err)
	}

	root := document.Content[0]
	keys, ok := r.mapping(root, "the file", pageKeys)
	if !ok {
		return nil
	}
	page := &Page{Suite: r.suite, File: r.file}
	if n := r.required(root, keys, "page", "the file", "give the manual page's title, as in pipe(7)"); n != nil {
		page.Name = r.pageName(n)
		r.page = page.Name
	}
	if n := r.required(root, keys, "edition", "the file", "write edition: "+Edition); n != nil {
		if edition := r.text(n, "edition"); edition != "" && edition != Edition {
			r.fault(n, "edition %q is not the one that statements come from: review the page against %s and write that", edition, Edition)
		}
	}
	if keys["clauses"] == nil && keys["dispositions"] == nil {
		r.fault(root, "neither clauses nor dispositions: add one or remove the file")
	}
	for _, n := range r.sequence(keys["clauses"], "clauses") {
		if c := r.clause(n); c != nil {
			page.Clauses = append(page.Clauses, c)
		}
	}
	for _, n := range r.sequence(keys["dispositions"], "dispositions") {
		if d := r.disposition(n); d != nil {
			page.Dispositions = append(page.Dispositions, d)
		}
	}
	if page.Name == "" {
		// Clauses of a page without a name still take part in the checks between files.
		page.Name = strings.TrimSuffix(path.Base(r.file), ".yaml")
	}
	for _, c := range page.Clauses {
		c.Page = page.Name
	}
	for _, d := range page.Dispositions {
		d.Page = page.Name
	}
	return page
}

func (r *pageReader) syntax(err error) {
	line, what := 1, strings.TrimPrefix(err.Error(), "yaml: ")
	if m := syntaxLine.FindStringSubmatch(err.Error()); m != nil {
		line, _ = strconv.Atoi(m[1])
		what = m[2]
	}
	r.faults.add(Location{r.file, line}, "not YAML: %s: check the indentation, and quote a text that holds \": \" or starts with a special character", what)
}

func (r *pageReader) pageName(n *yaml.Node) string {
	title := r.text(n, "page")
	if title == "" {
		return ""
	}
	name, err := ParsePageTitle(title)
	if err != nil {
		r.fault(n, "%v: write the title of a manual page", err)
		return ""
	}
	if len(r.index.Page(name)) == 0 {
		r.fault(n, "page %s is not among the statements of %s%s", title, Edition, didYouMean(PageTitle, Near(name, r.index.Pages())))
		return ""
	}
	if want := name + ".yaml"; path.Base(r.file) != want {
		r.fault(n, "page %s in a file of another name: rename the file to %s", title, want)
	}
	return name
}

func (r *pageReader) clause(n *yaml.Node) *Clause {
	keys, ok := r.mapping(n, "a clause", clauseKeys)
	if !ok {
		return nil
	}
	c := &Clause{Suite: r.suite, Source: r.at(n)}
	what := "the clause"
	if id := r.required(n, keys, "id", what, "give it a permanent id, <object>.<what-holds>"); id != nil {
		c.ID = r.text(id, "id")
		c.Source = r.at(id)
		if c.ID != "" {
			what = "clause " + c.ID
			if !clauseID.MatchString(c.ID) || !strings.Contains(c.ID, ".") {
				r.fault(id, "clause id %q: write <object>.<what-holds> in lower-case letters, digits, single dots and single hyphens, with a dot", c.ID)
				c.ID = ""
			}
		}
	}
	if text := r.required(n, keys, "text", what, "say what must hold"); text != nil {
		c.Text = r.prose(text, what+": text")
	}
	if cites := keys["cites"]; cites != nil {
		c.Cites = r.words(cites, what+": cites", func(n *yaml.Node, id string) bool { return r.knownStatement(n, what+" cites", id) })
	}
	if level := r.required(n, keys, "level", what, "write level: posix or level: linux"); level != nil {
		c.Level = Level(r.oneOf(level, what+": level", levels))
	}
	if subjects := r.required(n, keys, "subjects", what, "name the system calls that are judged"); subjects != nil {
		c.Subjects = r.matching(subjects, what+": subjects", syscallName, "a kernel name such as pipe2")
	}
	c.Since = r.version(keys["since"], what+": since")
	c.Until = r.version(keys["until"], what+": until")
	if !c.Since.IsZero() && !c.Until.IsZero() && c.Until.Compare(c.Since) <= 0 {
		r.fault(keys["until"], "%s: until %s is not after since %s: until is the first version where it no longer holds", what, c.Until, c.Since)
	}
	if optional := keys["optional"]; optional != nil {
		c.Optional = r.text(optional, what+": optional")
		if c.Optional != "" && !configName.MatchString(c.Optional) {
			r.fault(optional, "%s: optional: %q is not CONFIG_…: name the kernel's option", what, c.Optional)
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
	keys, ok := r.mapping(n, what, needsKeys)
	if !ok {
		return Needs{}
	}
	if len(keys) == 0 && len(n.Content) == 0 {
		r.fault(n, "%s is empty: say what is needed or remove it", what)
	}
	needs := Needs{
		Unprivileged: r.truth(keys["unprivileged"], what+": unprivileged"),
		FreshUser:    r.truth(keys["fresh-user"], what+": fresh-user"),
		Capabilities: r.among(keys["capabilities"], what+": capabilities", capabilities),
		Without:      r.among(keys["without"], what+": without", capabilities),
		Devices:      r.matching(keys["devices"], what+": devices", devicePath, "a path such as /dev/full"),
		Sysctls:      r.matching(keys["sysctls"], what+": sysctls", sysctlName, "a name such as fs.pipe-max-size"),
		SysctlsWrite: r.matching(keys["sysctls-write"], what+": sysctls-write", sysctlName, "a name such as fs.pipe-max-size"),
		Namespaces:   r.among(keys["namespaces"], what+": namespaces", namespaces),
		Serial:       r.truth(keys["serial"], what+": serial"),
	}
	for _, name := range needs.Capabilities {
		if slices.Contains(needs.Without, name) {
			r.fault(keys["without"], "%s: %s is both needed and to be missing: remove one", what, name)
		}
	}
	if cpus := keys["cpus"]; cpus != nil {
		text := r.text(cpus, what+": cpus")
		count, err := strconv.Atoi(text)
		switch {
		case text == "":
		case err != nil || count < 2:
			r.fault(cpus, "%s: cpus: %q is not a number from 2: one CPU is always there", what, text)
		default:
			needs.CPUs = count
		}
	}
	// What is changed for the whole system may be seen by anything that runs meanwhile.
	needs.Serial = needs.Serial || len(needs.SysctlsWrite) > 0
	return needs
}

func (r *pageReader) disposition(n *yaml.Node) *Disposition {
	keys, ok := r.mapping(n, "a disposition", dispositionKeys)
	if !ok {
		return nil
	}
	d := &Disposition{Suite: r.suite, Source: r.at(n)}
	what := "the disposition"
	if id := r.required(n, keys, "statement", what, "give the id of a statement of this page"); id != nil {
		d.Source = r.at(id)
		statement := r.text(id, "statement")
		if statement != "" {
			what = "the disposition of " + statement
			if r.knownStatement(id, "a disposition names", statement) {
				d.Statement = statement
				if s, _ := r.index.Statement(statement); r.page != "" && s.Page != r.page {
					r.fault(id, "statement %s is of another page: move the disposition to %s.yaml", statement, s.Page)
					d.Statement = ""
				}
			}
		}
	}
	is := r.required(n, keys, "is", what, "write one of "+strings.Join(kindNames(), ", "))
	if is != nil {
		d.Kind = Kind(r.oneOf(is, what+": is", kindNames()))
	}
	if why := r.required(n, keys, "why", what, "give the reason"); why != nil {
		d.Why = r.prose(why, what+": why")
	}
	if see := keys["see"]; see != nil {
		d.See = r.matching(see, what+": see", clauseID, "the id of a clause")
	} else if d.Kind == Restates {
		r.fault(is, "%s: restates without see: name the clauses that check what it says again", what)
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
	r.fault(n, "%s %s, which is not a statement of %s%s", what, id, Edition, didYouMean(nil, Near(id, candidates)))
	return false
}

// The rest reads YAML nodes of one shape each. A nil node is a key that is not there: its value is
// the zero value and no fault.

// mapping gives the values of a mapping by key and reports unknown and repeated keys. ok is false
// where n is not a mapping.
func (r *pageReader) mapping(n *yaml.Node, what string, known []string) (values map[string]*yaml.Node, ok bool) {
	if n.Kind != yaml.MappingNode {
		r.fault(n, "%s is %s where key: value lines belong: keys are %s", what, shape(n), strings.Join(known, ", "))
		return nil, false
	}
	values = map[string]*yaml.Node{}
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case !slices.Contains(known, key.Value):
			r.fault(key, "%s: unknown key %q: keys are %s", what, key.Value, strings.Join(known, ", "))
		case values[key.Value] != nil:
			r.fault(key, "%s: key %s stands here a second time: keep one", what, key.Value)
		default:
			values[key.Value] = value
		}
	}
	return values, true
}

// required gives the value of a key and reports one that is missing.
func (r *pageReader) required(n *yaml.Node, values map[string]*yaml.Node, key, what, mend string) *yaml.Node {
	if values[key] == nil {
		r.fault(n, "%s has no %s: %s", what, key, mend)
	}
	return values[key]
}

// sequence gives the items of a sequence and reports one that is empty.
func (r *pageReader) sequence(n *yaml.Node, what string) []*yaml.Node {
	if n == nil {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		r.fault(n, "%s is %s where a list belongs: write [one] or lines with a dash", what, shape(n))
		return nil
	}
	if len(n.Content) == 0 {
		r.fault(n, "%s is empty: fill the list or remove the key", what)
	}
	return n.Content
}

// text gives a scalar and reports one that is empty.
func (r *pageReader) text(n *yaml.Node, what string) string {
	if n.Kind != yaml.ScalarNode {
		r.fault(n, "%s is %s where a single value belongs", what, shape(n))
		return ""
	}
	text := strings.TrimSpace(n.Value)
	if text == "" || n.ShortTag() == "!!null" {
		r.fault(n, "%s is empty: fill it", what)
		return ""
	}
	return text
}

// prose gives a text on one line. In plain style YAML drops what follows " #" as a comment, which
// in prose is an accident.
func (r *pageReader) prose(n *yaml.Node, what string) string {
	if n.LineComment != "" {
		r.fault(n, "%s ends before %q, which YAML takes for a comment: quote the text", what, n.LineComment)
	}
	return strings.Join(strings.Fields(r.text(n, what)), " ")
}

// words gives a list of single values that valid accepts (which reports those it does not) and
// reports repeated ones.
func (r *pageReader) words(n *yaml.Node, what string, valid func(n *yaml.Node, word string) bool) []string {
	var words []string
	for _, item := range r.sequence(n, what) {
		word := r.text(item, what)
		if word == "" || !valid(item, word) {
			continue
		}
		if slices.Contains(words, word) {
			r.fault(item, "%s: %s stands here twice: keep one", what, word)
			continue
		}
		words = append(words, word)
	}
	return words
}

func (r *pageReader) matching(n *yaml.Node, what string, pattern *regexp.Regexp, like string) []string {
	return r.words(n, what, func(n *yaml.Node, word string) bool {
		if pattern.MatchString(word) {
			return true
		}
		r.fault(n, "%s: %q is not %s", what, word, like)
		return false
	})
}

func (r *pageReader) among(n *yaml.Node, what string, known []string) []string {
	return r.words(n, what, func(n *yaml.Node, word string) bool { return r.isOneOf(n, what, word, known) })
}

func (r *pageReader) oneOf(n *yaml.Node, what string, known []string) string {
	word := r.text(n, what)
	if word == "" || !r.isOneOf(n, what, word, known) {
		return ""
	}
	return word
}

func (r *pageReader) isOneOf(n *yaml.Node, what, word string, known []string) bool {
	if slices.Contains(known, word) {
		return true
	}
	if len(known) > 10 {
		r.fault(n, "%s: unknown %q%s", what, word, didYouMean(nil, Near(word, known)))
	} else {
		r.fault(n, "%s: unknown %q: write one of %s", what, word, strings.Join(known, ", "))
	}
	return false
}

func (r *pageReader) truth(n *yaml.Node, what string) bool {
	if n == nil {
		return false
	}
	word := r.text(n, what)
	if word != "" && word != "true" {
		r.fault(n, "%s: %q is not true: write true or remove the key", what, word)
	}
	return word == "true"
}

func (r *pageReader) version(n *yaml.Node, what string) Version {
	if n == nil {
		return Version{}
	}
	text := r.text(n, what)
	if text == "" {
		return Version{}
	}
	v, err := ParseVersion(text)
	if err != nil {
		r.fault(n, "%s: %v: write it as in \"2.6.35\"", what, err)
	}
	return v
}

// shape names what a node is, for messages.
func shape(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	}
	if n.ShortTag() == "!!null" {
		return "empty"
	}
	return "a single value"
}
