package report

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/ipcspec/ipcspec/harness/kernel"
)

// sampleStart is when the sample run starts; every line of its journal is a quarter second later.
var sampleStart = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// sampleClauses are those that the sample run selects.
var sampleClauses = []ClauseInfo{
	{"pipe.lseek-espipe", "pipes", "lseek on a pipe fails with ESPIPE.", "pipe(7)", []string{"pipe.7:DESC:c14f7011"}, "posix"},
	{"pipe.write-full-eagain", "pipes",
		"With O_NONBLOCK, a write of at most PIPE_BUF bytes to a pipe without room for all of them transfers nothing and fails with EAGAIN.",
		"pipe(7)", []string{"pipe.7:DESC:0a1b2c3d", "pipe.7:DESC:b52d7b0f"}, "posix"},
	{"pipe.watch-queue", "pipes", "A notification pipe delivers key events.", "pipe(2)", []string{"pipe.2:DESC:11111111"}, "linux"},
	{"pipe.capacity-privileged", "pipes", "A privileged process may exceed the limit.", "pipe(7)", []string{"pipe.7:DESC:22222222"}, "linux"},
	{"pipe.capacity-limit", "pipes", "An unprivileged process may not exceed the limit.", "pipe(7)", []string{"pipe.7:DESC:33333333"}, "linux"},
	{"pipe.later", "pipes", "Nobody checks this yet.", "pipe(7)", []string{"pipe.7:DESC:44444444"}, "linux"},
	{"signal.kill-zero", "signals", "Signal 0 only checks.", "kill(2)", []string{"kill.2:DESC:55555555"}, "posix"},
	{"signal.panics", "signals", "The spec of this one panics.", "kill(2)", []string{"kill.2:DESC:66666666"}, "posix"},
}

var sampleRun = Run{
	Tool: "v0.1.0",
	Target: Target{Kind: "local", Kernel: kernel.Facts{
		System: "Linux", Release: kernel.Release{Major: 6, Minor: 1, Text: "6.1.0-13-amd64"}, Version: "#1 SMP", Machine: "x86_64",
		PageSize: 4096, CPUs: 2, Runtime: "docker", EffectiveCapabilities: []string{"CAP_CHOWN", "CAP_KILL"}, UID: 1000, GID: 100, Proc: true,
	}},
	Options: Options{Command: []string{"ipcspec", "run"}, Selection: []string{"--suite", "pipes"}, Seed: 42, Procs: 2, TimeoutScale: 1},
	Suites:  []string{"pipes", "signals"},
	Selected: []string{"pipe.lseek-espipe", "pipe.write-full-eagain", "pipe.write-full-eagain", "pipe.watch-queue", "pipe.capacity-privileged",
		"pipe.capacity-limit", "signal.kill-zero", "signal.panics"},
}

// sampleOutcomes are what its specs find: all verdicts, a clause with two specs, and a fault.
var sampleOutcomes = []Outcome{
	{Clause: "pipe.lseek-espipe", Suite: "pipes", Spec: "A pipe pipe.lseek-espipe", Location: "suites/pipes/seek.go:10", Verdict: Conforms, Seconds: 0.0101},
	{Clause: "pipe.write-full-eagain", Suite: "pipes", Spec: "A full pipe pipe.write-full-eagain one byte", Location: "suites/pipes/capacity.go:20", Verdict: Conforms, Seconds: 0.1},
	{Clause: "pipe.write-full-eagain", Suite: "pipes", Spec: "A full pipe pipe.write-full-eagain PIPE_BUF", Location: "suites/pipes/capacity.go:30", Verdict: Deviates, Seconds: 0.2,
		Evidence: &Evidence{
			Message:  "Expected\n    write(4, \"x\"..., 4096) = 1\nto fail with EAGAIN",
			Location: "suites/pipes/capacity.go:34",
			Trace:    []string{"a1  pipe2([3, 4], O_NONBLOCK) = 0", "a1  write(4, \"x\"..., 4096) = 1", "a1  close(4) = 0"},
			Failing:  2,
		}},
	{Clause: "pipe.watch-queue", Suite: "pipes", Spec: "A notification pipe pipe.watch-queue", Location: "suites/pipes/watch.go:9", Verdict: Unsupported, Reason: "the kernel lacks CONFIG_WATCH_QUEUE"},
	{Clause: "pipe.capacity-privileged", Suite: "pipes", Spec: "Limits pipe.capacity-privileged", Location: "suites/pipes/limit.go:9", Verdict: Unresolved, Reason: "needs CAP_SYS_RESOURCE: run as root"},
	{Clause: "pipe.capacity-limit", Suite: "pipes", Spec: "Limits pipe.capacity-limit", Location: "suites/pipes/limit.go:19", Verdict: Unresolved, Reason: "needs two users: run as root"},
	{Clause: "signal.kill-zero", Suite: "signals", Spec: "kill signal.kill-zero", Location: "suites/signals/kill.go:7", Verdict: Conforms, Seconds: 1.5},
	{Clause: "signal.panics", Suite: "signals", Spec: "kill signal.panics", Location: "suites/signals/kill.go:17", Verdict: Unresolved, Fault: "the spec panicked: index out of range"},
}

// ticking gives a clock that goes on by a quarter second each time it is read.
func ticking() func() time.Time {
	now := sampleStart
	return func() time.Time {
		now = now.Add(250 * time.Millisecond)
		return now
	}
}

// sampleJournal gives the journal of the sample run.
func sampleJournal(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	j := NewJournal(&b, 1)
	j.now = ticking()
	check(t, j.Run(sampleRun))
	for _, o := range sampleOutcomes {
		check(t, j.Start(o))
		check(t, j.End(o))
	}
	check(t, j.Stop(Stop{}))
	check(t, j.Close())
	return b.Bytes()
}

// sampleLines gives the lines of that journal.
func sampleLines(t *testing.T) []Line {
	t.Helper()
	lines, err := ReadJournal(bytes.NewReader(sampleJournal(t)), "sample")
	check(t, err)
	return lines
}

// sampleResults gives the results of the sample run.
func sampleResults(t *testing.T) Results {
	t.Helper()
	return Fold(sampleLines(t), sampleClauses)
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// byID finds the result of a clause.
func byID(t *testing.T, r Results, id string) ClauseResult {
	t.Helper()
	for _, clause := range r.Clauses {
		if clause.ID == id {
			return clause
		}
	}
	t.Fatalf("no result for %s", id)
	return ClauseResult{}
}

// verdicts lists the clauses of results, for comparing.
func verdicts(r Results) string {
	var b bytes.Buffer
	for _, clause := range r.Clauses {
		fmt.Fprintf(&b, "%s %s\n", clause.ID, clause.Verdict)
	}
	return b.String()
}
