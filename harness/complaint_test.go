package harness

import (
	"slices"
	"strings"
	"testing"

	"github.com/ipcspec/ipcspec/harness/report"
)

func TestComplaintsOfTheKernelAboutItself(t *testing.T) {
	for record, want := range map[string]string{
		"4,1,160837503,-;WARNING: CPU: 0 PID: 7 at fs/pipe.c:100 pipe_write+0x1/0x2\n SUBSYSTEM=x\n": "WARNING: CPU: 0 PID: 7 at fs/pipe.c:100 pipe_write+0x1/0x2",
		"1,2,5,-;BUG: kernel NULL pointer dereference, address: 0":                                   "BUG: kernel NULL pointer dereference, address: 0",
		"1,3,5,-;general protection fault, probably for non-canonical address 0x1: 0000 [#1] SMP":    "general protection fault, probably for non-canonical address 0x1: 0000 [#1] SMP",
		"3,9,5,-;BUG kmalloc-rnd-03-8 (Not tainted): Right Redzone overwritten":                      "BUG kmalloc-rnd-03-8 (Not tainted): Right Redzone overwritten",
		"3,9,6,-;pagealloc: memory corruption":                                                       "pagealloc: memory corruption",
		"6,4,5,-;traps: prog[1620] general protection fault ip:40043d sp:7 error:0 in prog":          "",
		"6,5,5,-;traps: prog[1620] trap divide error ip:40043d sp:7 error:0 in prog":                 "",
		"0,6,5,-;watchdog: BUG: soft lockup - CPU#0 stuck for 22s!":                                  "",
		"0,7,5,-;BUG: workqueue lockup - pool cpus=0":                                                "",
		"6,8,5,-;loop: module loaded":                                                                "",
	} {
		if got, _ := complaintIn([]string{logLine(record)}); got != want {
			t.Errorf("%q: %q", record, got)
		}
	}
	if got := logLine("4,1,160837503,-;text\n KEY=x"); got != "[  160.837503] text" {
		t.Errorf("%q", got)
	}
}

func TestAComplaintIsEvidence(t *testing.T) {
	lines := slices.Repeat([]string{"[    1.000000] fine"}, 100)
	lines[50] = "[    1.000000] WARNING: x"

	o := report.Outcome{Verdict: report.Conforms, Location: "a.go:1"}
	blame(&o, lines[:50])
	if o.Verdict != report.Conforms || o.Evidence != nil {
		t.Errorf("without a complaint: %+v", o)
	}
	blame(&o, lines)
	if o.Verdict != report.Deviates || len(o.Evidence.Trace) != 53 || o.Evidence.Trace[linesBefore] != lines[50] {
		t.Errorf("after it conformed: %+v", o)
	}

	found := &report.Evidence{Message: "expected 1", Trace: []string{"read"}}
	o = report.Outcome{Verdict: report.Deviates, Evidence: found}
	blame(&o, lines)
	if m := o.Evidence.Message; !strings.HasPrefix(m, "expected 1\n") || !strings.Contains(m, "WARNING: x") || len(o.Evidence.Trace) != 1 || found.Message != "expected 1" {
		t.Errorf("after a deviation: %+v", o.Evidence)
	}
}
