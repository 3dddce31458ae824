package mutate

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/ipcspec/ipcspec/harness/kernel"
	"github.com/ipcspec/ipcspec/harness/report"
)

// A remark is a line that the far end of a mutation run at another kernel tells: first of the kernel,
// then of each spec, and at last that the run is over.
type remark struct {
	Kernel  *kernel.Facts `json:"mutation_kernel,omitempty"`
	Spec    *SpecResult   `json:"mutation_spec,omitempty"`
	Over    bool          `json:"mutation_over,omitempty"`
	Error   string        `json:"error,omitempty"`
	Seconds float64       `json:"seconds,omitempty"`
}

// remarkPrefix begins each of these lines.
const remarkPrefix = `{"mutation_`

// specs is a writer for the lines about specs, each of which becomes a remark.
type specs struct{ tell io.Writer }

func (s specs) Write(line []byte) (int, error) {
	text := append([]byte(`{"mutation_spec":`), bytes.TrimSpace(line)...)
	if _, err := s.tell.Write(append(text, "}\n"...)); err != nil {
		return 0, err
	}
	return len(line), nil
}

// Inside plays the far end's part: it lies to specs here and tells of it, for [Collect] to hear. It
// returns the exit code.
func Inside(o Options, tell io.Writer) int {
	say := func(r remark) error {
		text, err := json.Marshal(r)
		if err == nil {
			_, err = tell.Write(append(text, '\n'))
		}
		return err
	}
	facts := kernel.Gather()
	err := say(remark{Kernel: &facts})
	if err == nil {
		o.Results, o.Progress = specs{tell}, nil
		var found Report
		found, err = Local(context.Background(), o)
		end := remark{Over: true, Seconds: found.Seconds}
		if err != nil {
			end.Error = err.Error()
		}
		err = say(end)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "ipcspec:", err)
		return report.ExitFault
	}
	return report.ExitConforms
}

// ErrNotOver says that the far end stopped telling before its run was over.
var ErrNotOver = errors.New("the mutation run did not come to its end")

// Collect hears what the far end tells of a run with these options, and makes the report of it, also
// with an error: of what came until then.
func Collect(o Options, told io.Reader) (Report, error) {
	d, clauses, err := o.director()
	if err != nil {
		return Report{}, err
	}
	end := ErrNotOver
	var facts kernel.Facts
	var seconds float64
	in := bufio.NewReader(told)
	for {
		text, err := in.ReadBytes('\n')
		var r remark
		if i := bytes.Index(text, []byte(remarkPrefix)); i >= 0 && json.Unmarshal(bytes.TrimSpace(text[i:]), &r) == nil {
			switch {
			case r.Kernel != nil:
				facts = *r.Kernel
			case r.Spec != nil:
				d.keep(*r.Spec)
			case r.Over:
				end, seconds = nil, r.Seconds
				if r.Error != "" {
					end = errors.New(r.Error)
				}
			}
		}
		if err != nil {
			return d.report(clauses, facts, seconds), end
		}
	}
}
