// Package strict reads the YAML files of ipcspec. Their format is strict: what is not known, stands
// twice or is empty is a fault, told with its file and line, what is wrong, and how to mend it.
package strict

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Location is a line of a file of the source tree, with a path from its root.
type Location struct {
	File string `json:"file"` // with forward slashes: suites/pipes/pipe.7.yaml
	Line int    `json:"line"` // from 1
}

// String gives file:line.
func (l Location) String() string { return fmt.Sprintf("%s:%d", l.File, l.Line) }

// Faults collects what is wrong, each at its place.
type Faults []Fault

// A Fault is one thing that is wrong.
type Fault struct {
	at   Location
	what string
}

// Error gives the fault in one line.
func (f Fault) Error() string { return f.at.String() + ": " + f.what }

// Add notes a fault.
func (f *Faults) Add(at Location, format string, args ...any) {
	*f = append(*f, Fault{at, fmt.Sprintf(format, args...)})
}

// Err joins the faults in the order of files and lines; nil if there are none.
func (f Faults) Err() error {
	slices.SortStableFunc(f, func(a, b Fault) int {
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

// Reader reads one file. It works on YAML nodes, since only these know their lines. Of a node that
// is nil, a key that is not there, the value is the zero value and no fault.
type Reader struct {
	File   string // its path, as faults name it
	Faults *Faults
}

// Fault notes what is wrong at a node.
func (r *Reader) Fault(n *yaml.Node, format string, args ...any) {
	r.Faults.Add(r.At(n), format, args...)
}

// At says where a node stands.
func (r *Reader) At(n *yaml.Node) Location { return Location{r.File, max(n.Line, 1)} }

// Document gives the value of the file's one document, nil where the text is none. For messages,
// parts are those that an empty file lacks, and only is what one file is.
func (r *Reader) Document(text []byte, parts, only string) *yaml.Node {
	var document yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		r.Faults.Add(Location{r.File, 1}, "the file is empty: give it %s", parts)
		return nil
	} else if err != nil {
		r.syntax(err)
		return nil
	}
	var second yaml.Node
	if err := decoder.Decode(&second); err == nil {
		r.Fault(&second, "a second YAML document: one file is %s", only)
	} else if !errors.Is(err, io.EOF) {
		r.syntax(err)
	}
	return document.Content[0]
}

var syntaxLine = regexp.MustCompile(`line ([0-9]+): (.*)`)

func (r *Reader) syntax(err error) {
	line, what := 1, strings.TrimPrefix(err.Error(), "yaml: ")
	if m := syntaxLine.FindStringSubmatch(err.Error()); m != nil {
		line, _ = strconv.Atoi(m[1])
		what = m[2]
	}
	r.Faults.Add(Location{r.File, line}, "not YAML: %s: check the indentation, and quote a text that holds \": \" or starts with a special character", what)
}

// Mapping gives the values of a mapping by key and reports unknown and repeated keys. ok is false
// where n is not a mapping.
func (r *Reader) Mapping(n *yaml.Node, what string, known []string) (values map[string]*yaml.Node, ok bool) {
	if n.Kind != yaml.MappingNode {
		r.Fault(n, "%s is %s where key: value lines belong: keys are %s", what, shape(n), strings.Join(known, ", "))
		return nil, false
	}
	values = map[string]*yaml.Node{}
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case !slices.Contains(known, key.Value):
			r.Fault(key, "%s: unknown key %q: keys are %s", what, key.Value, strings.Join(known, ", "))
		case values[key.Value] != nil:
			r.Fault(key, "%s: key %s stands here a second time: keep one", what, key.Value)
		default:
			values[key.Value] = value
		}
	}
	return values, true
}

// Required gives the value of a key and reports one that is missing.
func (r *Reader) Required(n *yaml.Node, values map[string]*yaml.Node, key, what, mend string) *yaml.Node {
	if values[key] == nil {
		r.Fault(n, "%s has no %s: %s", what, key, mend)
	}
	return values[key]
}

// Sequence gives the items of a sequence and reports one that is empty.
func (r *Reader) Sequence(n *yaml.Node, what string) []*yaml.Node {
	if n == nil {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		r.Fault(n, "%s is %s where a list belongs: write [one] or lines with a dash", what, shape(n))
		return nil
	}
	if len(n.Content) == 0 {
		r.Fault(n, "%s is empty: fill the list or remove the key", what)
	}
	return n.Content
}

// Text gives a scalar and reports one that is empty.
func (r *Reader) Text(n *yaml.Node, what string) string {
	if n.Kind != yaml.ScalarNode {
		r.Fault(n, "%s is %s where a single value belongs", what, shape(n))
		return ""
	}
	text := strings.TrimSpace(n.Value)
	if text == "" || n.ShortTag() == "!!null" {
		r.Fault(n, "%s is empty: fill it", what)
		return ""
	}
	return text
}

// Prose gives a text on one line. In plain style YAML drops what follows " #" as a comment, which
// in prose is an accident.
func (r *Reader) Prose(n *yaml.Node, what string) string {
	if n.LineComment != "" {
		r.Fault(n, "%s ends before %q, which YAML takes for a comment: quote the text", what, n.LineComment)
	}
	return strings.Join(strings.Fields(r.Text(n, what)), " ")
}

// Words gives a list of single values that valid accepts (which reports those it does not) and
// reports repeated ones.
func (r *Reader) Words(n *yaml.Node, what string, valid func(n *yaml.Node, word string) bool) []string {
	var words []string
	for _, item := range r.Sequence(n, what) {
		word := r.Text(item, what)
		if word == "" || !valid(item, word) {
			continue
		}
		if slices.Contains(words, word) {
			r.Fault(item, "%s: %s stands here twice: keep one", what, word)
			continue
		}
		words = append(words, word)
	}
	return words
}

// Matching gives a list of single values that all match a pattern.
func (r *Reader) Matching(n *yaml.Node, what string, pattern *regexp.Regexp, like string) []string {
	return r.Words(n, what, func(n *yaml.Node, word string) bool {
		if pattern.MatchString(word) {
			return true
		}
		r.Fault(n, "%s: %q is not %s", what, word, like)
		return false
	})
}

// Among gives a list of single values that are all known.
func (r *Reader) Among(n *yaml.Node, what string, known []string) []string {
	return r.Words(n, what, func(n *yaml.Node, word string) bool { return r.IsOneOf(n, what, word, known) })
}

// OneOf gives a single value that is known.
func (r *Reader) OneOf(n *yaml.Node, what string, known []string) string {
	word := r.Text(n, what)
	if word == "" || !r.IsOneOf(n, what, word, known) {
		return ""
	}
	return word
}

// IsOneOf says whether a word is known, and reports one that is not.
func (r *Reader) IsOneOf(n *yaml.Node, what, word string, known []string) bool {
	if slices.Contains(known, word) {
		return true
	}
	if len(known) > 10 {
		r.Fault(n, "%s: unknown %q%s", what, word, DidYouMean(nil, Near(word, known)))
	} else {
		r.Fault(n, "%s: unknown %q: write one of %s", what, word, strings.Join(known, ", "))
	}
	return false
}

// Truth gives a value that is true or not there.
func (r *Reader) Truth(n *yaml.Node, what string) bool {
	if n == nil {
		return false
	}
	word := r.Text(n, what)
	if word != "" && word != "true" {
		r.Fault(n, "%s: %q is not true: write true or remove the key", what, word)
	}
	return word == "true"
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
