package vm

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
	"github.com/ipcspec/ipcspec/harness/mutate"
	"github.com/ipcspec/ipcspec/harness/report"
	"github.com/ipcspec/ipcspec/harness/run"
	"github.com/ipcspec/ipcspec/harness/spec"
	"github.com/ipcspec/ipcspec/harness/target/kernels"
)

//go:embed pipe.2.yaml
var pages embed.FS

var _ = Suite("doomed", pages)

// The test binary itself is what runs in the guest.
var _ = Describe("A guest", func() {
	carries := func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Expect(a.Write(w, []byte("x"))).To(actor.Return(1))
		Expect(a.Read(r, 2)).To(actor.ReturnData("x"))
	}
	Clause("doomed.conforms", carries)
	Clause("doomed.panics", func() {
		carries()
		_ = os.WriteFile("/proc/sysrq-trigger", []byte("c"), 0)
		select {}
	})
	Clause("doomed.hogs", func() {
		carries()
		all := map[int][]byte{}
		for {
			all[len(all)] = bytes.Repeat([]byte{1}, 16<<20)
		}
	})
	Clause("doomed.warns", func() {
		carries()
		_ = os.WriteFile("/dev/kmsg", []byte("WARNING: CPU: 0 PID: 1 at doomed.warns\n"), 0)
	})
	Clause("doomed.waits", func() {
		carries()
		select {}
	})
})

func TestMain(m *testing.M) {
	if what, ok := programs[os.Getenv(programEnv)]; ok {
		os.Exit(what())
	}
	if InGuest() {
		os.Exit(PlayGuest())
	}
	if InWorker() {
		os.Exit(RunWorker())
	}
	if mutate.InWorker() {
		os.Exit(mutate.RunWorker())
	}
	os.Exit(m.Run())
}

// kernelEnv names a kernel image for the tests, or one in the cache.
const kernelEnv = "IPCSPEC_TEST_KERNEL"

// options are those for a guest that runs clauses one after the other.
func options(t *testing.T, clauses ...string) Options {
	t.Helper()
	if _, err := findQEMU(""); err != nil {
		t.Skip(err)
	}
	if _, err := ownProgram(); err != nil {
		t.Skip(err)
	}
	o := Options{
		Run:  run.Options{Filter: spec.Filter{IDs: clauses}, Procs: 1, NoExpect: true, Progress: io.Discard},
		Arch: "amd64", CPUs: 2, Memory: "256M", Accel: auto, Machine: auto, Kernel: os.Getenv(kernelEnv),
	}
	if o.Kernel == "" {
		o.Kernel = "debian:6.1-cloud"
	}
	if kernels.IsName(o.Kernel) {
		cache, err := kernels.Open(os.Getenv("IPCSPEC_TEST_CACHE"), io.Discard)
		if err != nil {
			t.Skip(err)
		}
		k, err := cache.Find(o.Kernel)
		if err != nil {
			t.Skipf("%v, or name an image in %s", err, kernelEnv)
		}
		o.Kernel, o.Modules = k.Path(k.Image), k.Path(k.Modules)
	}
	return o
}

// watch calls do once, with QEMU's process, when a clause starts.
func watch(o *Options, clause string, do func(*os.Process)) {
	var process *os.Process
	o.started = func(p *os.Process) { process = p }
	var once sync.Once
	o.Run.Tell = func(l report.Line) {
		if l.Event == report.StartEvent && l.Outcome.Clause == clause {
			once.Do(func() { do(process) })
		}
	}
}

// check looks whether a run ended as it should: the first clause conforms, the second was running.
func check(t *testing.T, found report.Results, err error, running, want string) report.ClauseResult {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
		t.Errorf("the run said %v, expected one line with %q", err, want)
	}
	if code := report.ExitCode(found, false); code != report.ExitFault {
		t.Errorf("exit code %d", code)
	}
	if len(found.Clauses) != 2 || found.Clauses[0].Verdict != report.Conforms {
		t.Fatalf("found: %+v", found.Clauses)
	}
	c := found.Clauses[1]
	if c.ID != running || c.Verdict != report.Unresolved || !strings.Contains(c.Fault, want) {
		t.Errorf("%s: %s, %s", c.ID, c.Verdict, c.Fault)
	}
	if k := found.Target; k.Kind != "vm" || k.Kernel.CPUs != 2 {
		t.Errorf("target: %+v", k)
	}
	return c
}

func TestAPanicKeepsWhatWasFoundAndNamesTheClause(t *testing.T) {
	o := options(t, "doomed.conforms", "doomed.panics")
	o.Run.Journal = filepath.Join(t.TempDir(), "journal")
	found, err := Run(context.Background(), o)
	c := check(t, found, err, "doomed.panics", "panicked")
	if len(c.Evidence) != 1 || !strings.Contains(strings.Join(c.Evidence[0].Trace, "\n"), "sysrq") {
		t.Errorf("evidence: %+v", c.Evidence)
	}
	again, err := FoldJournal(o.Run.Journal)
	if err != nil || len(again.Clauses) != 2 || again.Clauses[1].Fault != c.Fault {
		t.Errorf("the journal: %v, %+v", err, again.Clauses)
	}
}

func TestAWarningOfTheKernelIsADeviationOfTheClause(t *testing.T) {
	o := options(t, "doomed.conforms", "doomed.warns")
	found, err := Run(context.Background(), o)
	if err != nil || len(found.Clauses) != 2 || report.ExitCode(found, false) != report.ExitDeviates {
		t.Fatalf("%v, %+v", err, found.Clauses)
	}
	for _, c := range found.Clauses {
		switch {
		case c.ID == "doomed.conforms" && c.Verdict != report.Conforms:
			t.Errorf("blamed, too: %+v", c)
		case c.ID == "doomed.warns" && (c.Verdict != report.Deviates || len(c.Evidence) != 1 ||
			!strings.Contains(strings.Join(c.Evidence[0].Trace, "\n"), "WARNING: CPU: 0 PID: 1 at doomed.warns")):
			t.Errorf("not blamed: %+v", c)
		}
	}
}

func TestQEMUMayBeKilled(t *testing.T) {
	o := options(t, "doomed.conforms", "doomed.waits")
	watch(&o, "doomed.waits", func(p *os.Process) { _ = p.Kill() })
	found, err := Run(context.Background(), o)
	check(t, found, err, "doomed.waits", "QEMU was killed")
}

func TestAGuestThatHangsIsGivenUp(t *testing.T) {
	o := options(t, "doomed.conforms", "doomed.waits")
	o.Quiet = 20 * time.Second
	watch(&o, "doomed.waits", func(p *os.Process) { _ = p.Signal(syscall.SIGSTOP) })
	found, err := Run(context.Background(), o)
	check(t, found, err, "doomed.waits", "the guest hangs")
}

func TestAGuestMayRunOutOfMemory(t *testing.T) {
	o := options(t, "doomed.conforms", "doomed.hogs")
	found, err := Run(context.Background(), o)
	if err == nil || !strings.Contains(err.Error(), "ran out of memory") {
		t.Errorf("the run said %v", err)
	}
	if len(found.Clauses) != 2 || found.Clauses[0].Verdict != report.Conforms || found.Clauses[1].Fault == "" {
		t.Errorf("found: %+v", found.Clauses)
	}
}

// brokenQEMU makes a QEMU whose guests run into a breakpoint so many times before one boots.
func brokenQEMU(t *testing.T, times int) string {
	t.Helper()
	qemu, err := findQEMU("")
	if err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "qemu")
	script := fmt.Sprintf(`#!/bin/sh
cd %s || exit
for i in $(seq %d); do
	mkdir $i 2>/dev/null || continue
	echo '[    2.604986] Oops: int3: 0000 [#1] SMP NOPTI' >&3
	echo '[    2.622060] Kernel panic - not syncing: Fatal exception in interrupt' >&3
	exit 0
done
exec %s "$@"
`, dir, times, qemu)
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAKernelThatQEMUBrokeBootsOnceMore(t *testing.T) {
	o := options(t, "doomed.conforms")
	var said bytes.Buffer
	o.QEMU, o.Accel, o.Words = brokenQEMU(t, 2), tcg, &said
	found, err := Run(context.Background(), o)
	if err != nil || len(found.Clauses) != 1 || found.Clauses[0].Verdict != report.Conforms {
		t.Errorf("%v: %+v", err, found.Clauses)
	}
	if n := strings.Count(said.String(), "QEMU before 8.1"); n != 2 || strings.Count(said.String(), "\n") != 2 {
		t.Errorf("said %q", said.String())
	}
	said.Reset()
	o.QEMU = brokenQEMU(t, 100)
	_, err = Run(context.Background(), o)
	if err == nil || !strings.Contains(err.Error(), "does not boot") || !strings.Contains(err.Error(), "QEMU before 8.1") {
		t.Errorf("the run said %v", err)
	}
	if n := strings.Count(said.String(), "\n"); n != mostBoots-1 {
		t.Errorf("said %q", said.String())
	}
}

func TestLiesAreToldInAGuest(t *testing.T) {
	o := options(t)
	var all bytes.Buffer
	found, err := Mutate(context.Background(), o, mutate.Options{Filter: spec.Filter{IDs: []string{"doomed.conforms"}}, Seed: 1, Results: &all})
	if err != nil {
		t.Fatal(err)
	}
	if len(found.Suites) != 1 || found.Suites[0].LiedTo != 1 || found.Suites[0].Strong != 1 || found.Suites[0].Killed < 10 {
		t.Errorf("%+v", found.Suites)
	}
	if found.Kernel.CPUs != 2 || found.Seconds == 0 || found.Seed != 1 {
		t.Errorf("kernel: %+v, seed %d, %v s", found.Kernel, found.Seed, found.Seconds)
	}
	if n := strings.Count(all.String(), `"outcome":"killed"`); n != found.Suites[0].Killed {
		t.Errorf("the results hold %d killed mutants, the report counts %d", n, found.Suites[0].Killed)
	}
}

// first calls do once, when something is written.
type first struct{ do func() }

func (f *first) Write(text []byte) (int, error) {
	f.do()
	return len(text), nil
}

func TestLiesUpToTheEndOfAGuestAreKept(t *testing.T) {
	o := options(t)
	lies := mutate.Options{Filter: spec.Filter{IDs: []string{"doomed.conforms", "doomed.waits"}}, Seed: 1, Procs: 1}
	for want, end := range map[string]func(*os.Process, context.CancelFunc){
		"QEMU was killed": func(p *os.Process, _ context.CancelFunc) { _ = p.Kill() },
		"interrupted":     func(_ *os.Process, cancel context.CancelFunc) { cancel() },
	} {
		ctx, cancel := context.WithCancel(context.Background())
		var process *os.Process
		o.started = func(p *os.Process) { process = p }
		lies.Results = &first{sync.OnceFunc(func() { end(process, cancel) })}
		found, err := Mutate(ctx, o, lies)
		cancel()
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("the run said %v, expected one line with %q", err, want)
		}
		if len(found.Suites) != 1 || found.Suites[0].LiedTo != 1 || found.Suites[0].Killed < 10 {
			t.Errorf("%s: %+v", want, found.Suites)
		}
		if err := syscall.Kill(process.Pid, 0); err != syscall.ESRCH {
			t.Errorf("QEMU is still there: %v", err)
		}
	}
}

func TestAnInterruptedRunLeavesNothing(t *testing.T) {
	o := options(t, "doomed.conforms", "doomed.waits")
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var pid int
	watch(&o, "doomed.waits", func(p *os.Process) { pid = p.Pid; cancel() })
	found, err := Run(ctx, o)
	if err != nil && !strings.Contains(err.Error(), "interrupted") {
		t.Error(err)
	}
	if !found.Interrupted || len(found.Clauses) == 0 || found.Clauses[0].Verdict != report.Conforms {
		t.Errorf("found: %+v", found)
	}
	if err := syscall.Kill(pid, 0); err != syscall.ESRCH {
		t.Errorf("QEMU is still there: %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestAModuleThatDoesNotLoadIsNamed(t *testing.T) {
	o := options(t, "doomed.conforms")
	if o.Modules == "" {
		t.Skip("there are no modules here")
	}
	o.Module = []string{"loop,max_loop=many"}
	if _, err := Run(context.Background(), o); err == nil || !strings.Contains(err.Error(), "the module loop cannot be loaded") {
		t.Error(err)
	}
}

func TestAKernelThatDoesNotBootSaysWhy(t *testing.T) {
	o := options(t, "doomed.conforms")
	o.Append = "rdinit=/nothing"
	if _, err := Run(context.Background(), o); err == nil || !strings.Contains(err.Error(), "does not boot: the guest's kernel panicked") {
		t.Error(err)
	}
}

// What cannot boot is told before anything is started.
func TestImagesThatAreNone(t *testing.T) {
	o := options(t, "doomed.conforms")
	text, err := os.ReadFile(o.Kernel)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, c := range map[string]struct {
		text []byte
		want string
	}{
		"truncated": {text[:len(text)-4096], "truncated"},
		"header":    {text[:512], "neither"},
		"text":      {[]byte(strings.Repeat("no kernel\n", 1000)), "neither"},
		"empty":     {nil, "neither"},
		"elf":       {append([]byte("\x7fELF"), make([]byte, 1000)...), "no kernel image"},
	} {
		o.Kernel = filepath.Join(dir, name)
		if err := os.WriteFile(o.Kernel, c.text, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Run(context.Background(), o); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
	o.Kernel = filepath.Join(dir, "missing")
	if _, err := Run(context.Background(), o); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Error(err)
	}
}

func TestMisuse(t *testing.T) {
	o := options(t, "doomed.conforms")
	for want, change := range map[string]func(*Options){
		"--qemu":            func(o *Options) { o.QEMU = "/nowhere/qemu" },
		"amd64 only":        func(o *Options) { o.Arch = "arm64" },
		"--cpus":            func(o *Options) { o.CPUs = 0 },
		"--accel":           func(o *Options) { o.Accel = "fast" },
		"--machine":         func(o *Options) { o.Machine = "raspi" },
		"QEMU failed":       func(o *Options) { o.Memory = "much" },
		"no such file":      func(o *Options) { o.Modules = "/nowhere" },
		"--module":          func(o *Options) { o.Module = []string{"/nowhere/x.ko"} },
		"doomed.nothing":    func(o *Options) { o.Run.Filter.IDs = []string{"doomed.nothing"} },
		"no kernel module":  func(o *Options) { o.Modules = t.TempDir() },
		"this is no kernel": func(*Options) {},
	} {
		wrong := o
		change(&wrong)
		if want == "this is no kernel" {
			wrong.Module = []string{filepath.Join(t.TempDir(), "x.ko")}
			if err := os.WriteFile(wrong.Module[0], []byte("text"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := Run(context.Background(), wrong); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", want, err)
		}
	}
	if _, err := exec.LookPath("dpkg-deb"); err == nil {
		wrong := o
		wrong.Modules = "vm_test.go"
		if _, err := Run(context.Background(), wrong); err == nil || !strings.Contains(err.Error(), "dpkg-deb") {
			t.Error(err)
		}
	}
}

func TestWhatTheConsoleSaysOfTheEnd(t *testing.T) {
	var c console
	_, _ = io.WriteString(&c, "[    1.0] fine\r\n[    2.0] BUG: unable to handle page fault\r\n[    2.1] Kernel panic - not syncing: Fatal exception\r\n")
	if panicked, memory := c.complaints(); panicked != "Fatal exception" || memory != "" {
		t.Errorf("%q, %q", panicked, memory)
	}
	if got := c.around(); len(got) != 3 {
		t.Errorf("%q", got)
	}
}
