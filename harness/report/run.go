package report

import "github.com/ipcspec/ipcspec/harness/kernel"

// Schema is the version of the journal and of the results file. It grows when a program that reads
// them would misunderstand them otherwise.
const Schema = 1

// Target tells which kernel was under test.
type Target struct {
	// Kind is local, vm or oci.
	Kind string `json:"kind"`
	// Detail tells one target of a kind from another, such as the kernel image or the OCI runtime.
	Detail string `json:"detail,omitempty"`
	// Profile tells how much an OCI runtime was asked to allow, such as default or privileged, and how
	// a virtual machine's CPUs are made: kvm or tcg.
	Profile string       `json:"profile,omitempty"`
	Kernel  kernel.Facts `json:"kernel"`
}

// Options are the settings of a run that its results depend on.
type Options struct {
	// Command is the command line.
	Command []string `json:"command,omitempty"`
	// Selection tells which clauses were asked for, as the command line says it; empty for all.
	Selection []string `json:"selection,omitempty"`
	// Seed is that of the order of the specs.
	Seed int64 `json:"seed"`
	// Procs is the number of processes that ran specs side by side.
	Procs int `json:"procs"`
	// TimeoutScale is what every time limit was multiplied by.
	TimeoutScale float64 `json:"timeout_scale"`
	// Disposable says that the machine under test might be changed as a whole.
	Disposable bool `json:"disposable,omitempty"`
}

// Run is what a process says of itself when it begins to run specs.
type Run struct {
	// Tool is the version of ipcspec.
	Tool    string  `json:"tool"`
	Target  Target  `json:"target"`
	Options Options `json:"options"`
	// Suites names the suites that this process runs.
	Suites []string `json:"suites,omitempty"`
	// Selected holds the ids of the clauses that the run is going to check, each as often as it has
	// specs. What is selected and never starts is counted as not run. Each of the processes that run
	// specs side by side may list all of them.
	Selected []string `json:"selected,omitempty"`
	// Expected holds, by clause, the verdicts that are expected on this target.
	Expected map[string]Expectation `json:"expected,omitempty"`
}

// Stop is what a process says of itself when it has run its last spec.
type Stop struct {
	// Interrupted says that not all was run that had been asked for.
	Interrupted bool `json:"interrupted"`
	// Reason says in one line why.
	Reason string `json:"reason,omitempty"`
}
