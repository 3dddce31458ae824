package spec

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ipcspec/ipcspec/harness/strict"
)

// Level says who makes the promise.
type Level string

// The levels, as the catalogue spells them.
const (
	POSIX Level = "posix" // POSIX.1 says so, and Linux documents it
	Linux Level = "linux" // Linux documents it, beyond or instead of POSIX.1
)

var levels = []string{string(POSIX), string(Linux)}

// Location is a line of a file of the source tree, with a path from its root.
type Location = strict.Location

// Clause is one observable outcome under one stated precondition, as the catalogue has it.
// Clauses belong to a Catalogue and are not to be changed.
type Clause struct {
	ID       string   `json:"id"`                // permanent; <object>.<what-holds>
	Suite    string   `json:"suite"`             // pipes
	Page     string   `json:"page"`              // name of the manual page whose file has it: pipe.7
	Text     string   `json:"text"`              // on one line
	Cites    []string `json:"cites"`             // ids of statements; empty only where an erratum's See names the clause
	Level    Level    `json:"level"`             //
	Subjects []string `json:"subjects"`          // kernel names of the system calls that are judged
	Since    Version  `json:"since,omitzero"`    // first version that has the interface
	Until    Version  `json:"until,omitzero"`    // first version where the behaviour no longer holds
	Optional string   `json:"optional,omitzero"` // CONFIG_… without which a kernel may lack it
	Needs    Needs    `json:"needs,omitzero"`    //
	Source   Location `json:"source"`            // where the catalogue has it
}

// Needs is what the check of a clause needs from where it runs. The zero Needs needs nothing.
type Needs struct {
	Unprivileged bool     `json:"unprivileged,omitzero"`            // actors are an ordinary user with no capabilities but the needed ones
	FreshUser    bool     `json:"fresh-user,omitzero"`              // as Unprivileged, with a uid that nothing else uses
	Capabilities []string `json:"capabilities,omitempty"`           // CAP_… that are effective in the actors
	Without      []string `json:"without,omitempty"`                // CAP_… that the actors do not have
	CPUs         int      `json:"cpus,omitzero"`                    // at least so many; 0 for no need
	Devices      []string `json:"devices,omitempty"`                // paths in /dev
	Sysctls      []string `json:"sysctls,omitempty"`                // that can be read: fs.pipe-max-size
	SysctlsWrite []string `json:"sysctls-write,omitempty"`          // that are changed and put back
	Disposable   string   `json:"disposable,omitzero"`              // what is done to the system as a whole for a moment: set the clock
	Namespaces   []string `json:"namespaces,omitempty"`             // that the actors have to themselves: mount, net, ipc, pid, user, uts
	IfPossible   []string `json:"namespaces-if-possible,omitempty"` // likewise, but where none can be had, those of others will do: ipc
	Serial       bool     `json:"serial,omitzero"`                  // nothing else runs meanwhile; always true with SysctlsWrite and Disposable
}

// IsZero says whether nothing is needed.
func (n Needs) IsZero() bool { return n.String() == "" }

// String lists the needs on one line, "" for none: "unprivileged, 2 CPUs, /dev/full, serial".
func (n Needs) String() string {
	var parts []string
	add := func(prefix string, names []string, suffix string) {
		for _, name := range names {
			parts = append(parts, prefix+name+suffix)
		}
	}
	if n.Unprivileged {
		parts = append(parts, "unprivileged")
	}
	if n.FreshUser {
		parts = append(parts, "fresh user")
	}
	add("", n.Capabilities, "")
	add("without ", n.Without, "")
	if n.CPUs > 0 {
		parts = append(parts, fmt.Sprintf("%d CPUs", n.CPUs))
	}
	add("", n.Devices, "")
	add("sysctl ", n.Sysctls, "")
	add("writable sysctl ", n.SysctlsWrite, "")
	if n.Disposable != "" {
		parts = append(parts, "a disposable machine, to "+n.Disposable)
	}
	add("own ", n.Namespaces, " namespace")
	add("own ", n.IfPossible, " namespace if possible")
	if n.Serial {
		parts = append(parts, "serial")
	}
	return strings.Join(parts, ", ")
}

// Kind says why no clause cites a statement.
type Kind string

// The kinds, as the catalogue spells them.
const (
	Restates     Kind = "restates"      // says again what another statement says, which See's clauses check
	NotCheckable Kind = "not-checkable" // no test from user space can tell
	OutOfScope   Kind = "out-of-scope"  // is not about interprocess communication, or not about the kernel
	OtherSystem  Kind = "other-system"  // is about another system or another architecture
	Erratum      Kind = "erratum"       // is wrong; See's clauses say what holds
)

// Kinds lists all kinds, in the order in which tables show them.
func Kinds() []Kind { return []Kind{Restates, NotCheckable, OutOfScope, OtherSystem, Erratum} }

func kindNames() []string {
	var names []string
	for _, k := range Kinds() {
		names = append(names, string(k))
	}
	return names
}

// Disposition is the reason why no clause cites a statement.
type Disposition struct {
	Statement string   `json:"statement"`     // its id
	Kind      Kind     `json:"is"`            //
	Why       string   `json:"why"`           // on one line
	See       []string `json:"see,omitempty"` // ids of clauses, perhaps of other suites
	Suite     string   `json:"suite"`
	Page      string   `json:"page"`
	Source    Location `json:"source"`
}

// Page is what one file of the catalogue says about one manual page. Several suites may have a file
// about the same page, as with poll(2), each for what its mechanism does there.
type Page struct {
	Name         string         // pipe.7
	Suite        string         // the suite whose folder has the file
	File         string         // suites/pipes/pipe.7.yaml
	Clauses      []*Clause      // in file order
	Dispositions []*Disposition // in file order
}

// Sees says whether the disposition names the clause.
func (d *Disposition) Sees(clause string) bool { return slices.Contains(d.See, clause) }
