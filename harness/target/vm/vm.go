// Package vm runs specs in a virtual machine that boots a given kernel. The machine's only program
// is this one: it is init, and its child makes the run, so that nothing under test is process 1.
//
// Two serial ports need no driver that a kernel might lack. The kernel prints on the first; results
// come over the second, where it never does.
package vm

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ipcspec/ipcspec/harness/mutate"
	"github.com/ipcspec/ipcspec/harness/report"
	"github.com/ipcspec/ipcspec/harness/run"
	"github.com/ipcspec/ipcspec/harness/target"
	"github.com/ipcspec/ipcspec/harness/target/kbuild"
)

// Options say what to boot and what to run there.
type Options struct {
	Run run.Options // with a TimeoutScale of 0 for what the machine needs

	Kernel  string   // the image
	Named   string   // what reports call it; "" for the name of the image
	Modules string   // folder or Debian package with the kernel's modules; "" for none
	Module  []string // FILE.ko[,param=value]..., folders with sources, or names of modules in Modules, to be loaded in order
	Headers string   // the kernel's headers, which folders with sources are built against
	Make    []string // settings for make then
	Arch    string
	CPUs    int
	Memory  string    // as QEMU takes it
	Accel   string    // auto, kvm, tcg
	Machine string    // auto, microvm, pc, q35
	Append  string    // to the kernel's command line
	QEMU    string    // path; "" for that in PATH
	Console string    // file to keep what the kernel prints; "" for none
	Words   io.Writer // gets a line for each boot that is made once more; nil for none

	// Boot limits the time until the guest's init runs, Quiet the time without a sign of life after
	// that; 0 for what the machine needs.
	Boot, Quiet time.Duration

	image   image
	output  map[string]io.Writer // for what the user's program writes, by the name of its notes
	started func(*os.Process)    // is told of QEMU's process, by tests
}

// Limits, without and with KVM.
const (
	bootLimit     = 2 * time.Minute
	bootLimitKVM  = 30 * time.Second
	firstLimit    = 20 * time.Second // for a machine that another one can be tried after
	quietLimit    = 90 * time.Second
	quietLimitKVM = 30 * time.Second
	endLimit      = 10 * time.Second // from the end of the run to that of QEMU

	// tcgScale is how much slower than on a CPU of its own everything may be.
	tcgScale = 5

	// mostBoots is how often a kernel may boot until its init runs, where QEMU breaks it.
	mostBoots = 4
)

// secondPort is the line for results.
const secondPort = "/dev/ttyS1"

// Run boots the kernel and runs the selected clauses' specs there. It returns what was found, also
// with an error: then the run did not come to its end.
func Run(ctx context.Context, o Options) (report.Results, error) {
	machines, err := o.check()
	if err != nil {
		return report.Results{}, err
	}
	plan, err := target.Prepare(&o.Run)
	if err != nil {
		return report.Results{}, err
	}
	accel, modules, err := o.prepare(ctx)
	if err != nil {
		return report.Results{}, err
	}
	o.Run.Target = report.Target{Kind: "vm", Detail: fmt.Sprintf("%s (%s)", cmp.Or(o.Named, filepath.Base(o.Kernel)), accel), Profile: accel}
	g, err := o.launch(ctx, accel, machines, part{Order: o.Run}, modules)
	if err != nil {
		return report.Results{}, err
	}
	defer g.keep.Close()
	return g.follow(ctx, o, plan)
}

// Mutate boots the kernel and lies to the selected clauses' specs there. It returns what was found,
// also with an error: then not every spec was lied to.
func Mutate(ctx context.Context, o Options, lies mutate.Options) (mutate.Report, error) {
	machines, err := o.check()
	if err != nil {
		return mutate.Report{}, err
	}
	if err := lies.Check(); err != nil {
		return mutate.Report{}, err
	}
	accel, modules, err := o.prepare(ctx)
	if err != nil {
		return mutate.Report{}, err
	}
	lies.TimeoutScale = cmp.Or(lies.TimeoutScale, o.Run.TimeoutScale)
	g, err := o.launch(ctx, accel, machines, part{Mutate: &lies}, modules)
	if err != nil {
		return mutate.Report{}, err
	}
	defer g.keep.Close()
	// The director in the guest looks after its workers, so that only the guest itself can hang.
	defer context.AfterFunc(ctx, func() { _ = g.vm.cmd.Process.Kill() })()
	found, err := mutate.Collect(lies, g.told)
	g.end()
	switch {
	case errors.Is(err, mutate.ErrNotOver) && ctx.Err() != nil:
		err = errors.New("interrupted")
	case errors.Is(err, mutate.ErrNotOver):
		err = fmt.Errorf("%w: %s", err, g.why())
	}
	return found, err
}

// prepare finds out how the guest's instructions are run, completes the limits for that, and gathers
// the modules.
func (o *Options) prepare(ctx context.Context) (string, []module, error) {
	modules, err := o.gather(ctx)
	if err != nil {
		return "", nil, err
	}
	accel, err := o.accelerator(ctx)
	if err != nil {
		return "", nil, err
	}
	o.limits(accel)
	return accel, modules, nil
}

// launch boots the first of the machines that the kernel boots on, with that part for its init.
func (o Options) launch(ctx context.Context, accel string, machines []string, p part, modules []module) (*guest, error) {
	p.Line = secondPort
	initrd, err := initramfs(p, modules)
	if err != nil {
		return nil, err
	}
	defer initrd.Close()
	keep := io.WriteCloser(nowhere{})
	if o.Console != "" {
		if keep, err = os.Create(o.Console); err != nil {
			return nil, fmt.Errorf("--console: %w", err)
		}
	}
	boots := 0
	for i := 0; i < len(machines); i++ {
		limit, last := o.Boot, i == len(machines)-1
		if !last {
			limit = min(limit, firstLimit)
		}
		g, err := o.boot(ctx, accel, machines[i], initrd, keep, limit)
		if err == nil {
			return g, nil
		}
		if boots++; ctx.Err() == nil && g != nil && g.brokenByQEMU() && boots < mostBoots {
			fmt.Fprintf(o.Words, "ipcspec: %v: it boots once more\n", err)
			i--
			continue
		}
		if ctx.Err() != nil {
			err = errors.New("interrupted before the guest had booted")
		}
		if ctx.Err() != nil || last || g == nil || g.spoke() {
			keep.Close()
			return nil, err
		}
	}
	keep.Close()
	return nil, errors.New("no machine to try")
}

// nowhere keeps nothing.
type nowhere struct{}

func (nowhere) Write(text []byte) (int, error) { return len(text), nil }
func (nowhere) Close() error                   { return nil }

// check completes the options and refuses what cannot work.
func (o *Options) check() ([]string, error) {
	switch o.Arch {
	case "amd64", "x86_64":
	case "arm64", "aarch64":
		return nil, errors.New("--arch arm64: ipcspec's actors run on amd64 only so far")
	default:
		return nil, fmt.Errorf("--arch %s: this is none that ipcspec knows: give amd64", o.Arch)
	}
	if o.Words == nil {
		o.Words = io.Discard
	}
	if o.CPUs < 1 {
		return nil, fmt.Errorf("--cpus %d: give at least 1", o.CPUs)
	}
	if o.Kernel == "" {
		return nil, errors.New("which kernel? Give its image with --kernel")
	}
	machines, err := o.machines()
	if err != nil {
		return nil, err
	}
	if o.image, err = inspect(o.Kernel); err != nil {
		return nil, err
	}
	o.QEMU, err = findQEMU(o.QEMU)
	return machines, err
}

// gather finds the modules for the guest, and builds those that are there as sources.
func (o *Options) gather(ctx context.Context) ([]module, error) {
	t, err := openTree(o.Modules)
	if err != nil {
		return nil, err
	}
	defer t.remove()
	wanted := slices.Clone(o.Module)
	for i, word := range wanted {
		folder, params, _ := strings.Cut(word, ",")
		if info, err := os.Stat(folder); err != nil || !info.IsDir() {
			continue
		}
		if o.Headers == "" {
			return nil, fmt.Errorf("--module %s: %w", folder, kbuild.ErrNoHeaders)
		}
		work, err := os.MkdirTemp("", "ipcspec-kbuild-")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(work)
		file, err := kbuild.Build(ctx, folder, o.Headers, work, o.Make...)
		if err != nil {
			return nil, fmt.Errorf("--module %s: %w", folder, err)
		}
		wanted[i] = strings.TrimSuffix(file+","+params, ",")
	}
	return t.gather(wanted, o.image.release)
}

// limits completes the time limits.
func (o *Options) limits(accel string) {
	scale, boot, quiet := 1.0, bootLimitKVM, quietLimitKVM
	if accel == tcg {
		scale, boot, quiet = tcgScale, bootLimit, quietLimit
	}
	if o.Run.TimeoutScale == 0 {
		o.Run.TimeoutScale = scale
	}
	if o.Boot == 0 {
		o.Boot = boot
	}
	if o.Quiet == 0 {
		o.Quiet = quiet
	}
}

// A guest is a virtual machine with ipcspec as its init.
type guest struct {
	vm          *vm
	memory      string
	boot, quiet time.Duration
	console     console
	keep        io.WriteCloser // gets what it prints
	watchdog    *time.Timer
	drained     sync.WaitGroup // until both serial lines have been read to their ends
	told        *io.PipeReader // the journal
	hello       chan struct{}  // closed when init says that it runs
	over        chan struct{}  // closed when init says that it has nothing more to do
	output      map[string]io.Writer

	mu     sync.Mutex
	notes  []note
	silent bool // it was killed since it had given no sign of life
}

// boot starts a machine and waits for its init. With an error there may be a guest, that has ended.
func (o Options) boot(ctx context.Context, accel, machine string, initrd *os.File, keep io.WriteCloser, limit time.Duration) (*guest, error) {
	v, err := o.start(accel, machine, initrd)
	if err != nil {
		return nil, err
	}
	if o.started != nil {
		o.started(v.cmd.Process)
	}
	told, tell := io.Pipe()
	g := &guest{vm: v, memory: o.Memory, boot: limit, quiet: o.Quiet, told: told, keep: keep, output: o.output, hello: make(chan struct{}), over: make(chan struct{})}
	g.watchdog = time.AfterFunc(limit, g.giveUp)
	g.drained.Go(func() {
		_, _ = io.Copy(io.MultiWriter(&g.console, keep), v.console)
		v.console.Close()
	})
	g.drained.Go(func() {
		g.listen(v.line, tell)
		tell.Close()
	})
	select {
	case <-g.hello:
		return g, nil
	case <-v.ended:
	case <-ctx.Done():
	}
	go func() { _, _ = io.Copy(io.Discard, told) }()
	g.end()
	if _, ok := g.last(noteHello); ok { // and the end came right behind it
		return g, errors.New(g.why())
	}
	return g, fmt.Errorf("the kernel %s does not boot: %s", o.Kernel, g.why())
}

// giveUp ends a guest that has given no sign of life for too long.
func (g *guest) giveUp() {
	g.mu.Lock()
	g.silent = true
	g.mu.Unlock()
	_ = g.vm.cmd.Process.Kill()
}

// spoke says whether anything at all came from the guest.
func (g *guest) spoke() bool { return g.console.text() != "" || len(g.notes) > 0 }

// brokenByQEMU says whether QEMU broke the guest's kernel. Before 8.1, several CPUs that are
// translated may run an instruction as it was while the kernel patched its own code: the breakpoint
// that stood there for a moment, which the kernel then knows nothing of any more.
func (g *guest) brokenByQEMU() bool {
	return g.vm.translated && strayBreakpoint.MatchString(g.console.text())
}

// listen takes what comes over the line for results apart: init's notes, and the journal.
func (g *guest) listen(line io.Reader, tell io.Writer) {
	in := bufio.NewReader(line)
	for {
		text, err := in.ReadBytes('\n')
		if i := bytes.Index(text, []byte(notePrefix)); i >= 0 {
			var n note
			if json.Unmarshal(bytes.TrimSpace(text[i:]), &n) == nil {
				g.take(n)
				text = text[:i]
			}
		}
		if len(text) > 0 {
			_, _ = tell.Write(text)
		}
		if err != nil {
			return
		}
	}
}

// take takes a note from init.
func (g *guest) take(n note) {
	if to := g.output[n.Guest]; to != nil {
		g.watchdog.Stop() // whoever reads it may take his time
		_, _ = to.Write(n.Data)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.silent {
		g.watchdog.Reset(g.quiet)
	}
	if n.Guest == noteAlive || g.output[n.Guest] != nil {
		return
	}
	g.notes = append(g.notes, n)
	switch n.Guest {
	case noteHello:
		close(g.hello)
	case noteEnd, noteFailed:
		close(g.over)
	}
}

// last gives the last of init's notes about something.
func (g *guest) last(about string) (note, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i := len(g.notes) - 1; i >= 0; i-- {
		if g.notes[i].Guest == about {
			return g.notes[i], true
		}
	}
	return note{}, false
}

// follow follows the run in the guest to its end.
func (g *guest) follow(ctx context.Context, o Options, plan run.Plan) (report.Results, error) {
	// The run in the guest looks after its workers; init's signs of life tell a guest that hangs.
	patience := time.Duration(150*float64(time.Second)*max(o.Run.TimeoutScale, 1)) + o.Quiet
	found, end, err := target.Follow(ctx, o.Run, plan, target.Line{
		Orders: &orders{line: g.vm.line}, Told: g.told,
		Hang:  func() { _ = g.vm.cmd.Process.Kill() },
		Start: patience, Silence: patience,
		Explain: func(end target.End) (string, []string) {
			g.end()
			return g.why(), g.console.around()
		},
	})
	g.end()
	switch {
	case err != nil:
	case end.Error != "":
		err = errors.New(end.Error)
	case end.Over:
		// A worker may have been killed, and the run gone on.
		if _, memory := g.console.complaints(); memory != "" {
			err = g.needsMemory(memory)
		}
	case ctx.Err() != nil && !end.Stubborn:
	case end.Silent:
		err = fmt.Errorf("the run in the guest said nothing more for %v and was ended", patience)
	case end.Stubborn:
		err = errors.New("the guest went on after the run was interrupted, and was ended")
	default:
		err = errors.New(g.why())
		if len(end.Running) > 0 {
			err = fmt.Errorf("%w, while it checked %s", err, strings.Join(end.Running, ", "))
		}
	}
	return found, err
}

// orders is the way to the far end. The order itself, the first line, is in the initramfs already.
type orders struct {
	line    io.WriteCloser
	ordered bool
}

func (o *orders) Write(text []byte) (int, error) {
	if !o.ordered {
		o.ordered = true
		return len(text), nil
	}
	return o.line.Write(text)
}

func (o *orders) Close() error { return o.line.Close() }

// end waits for the end of the virtual machine, which is to be now, and until all that came from it
// has been read.
func (g *guest) end() {
	select {
	case <-g.vm.ended:
	case <-time.After(endLimit):
		g.vm.kill()
	}
	g.watchdog.Stop()
	g.drained.Wait()
	g.vm.line.Close()
}

func (g *guest) needsMemory(complaint string) error {
	return fmt.Errorf("the guest ran out of memory (%s): give it more with --memory, which is %s", complaint, g.memory)
}

// why says in one line what ended the guest.
func (g *guest) why() string {
	if n, ok := g.last(noteFailed); ok {
		return n.Text
	}
	panicked, memory := g.console.complaints()
	_, booted := g.last(noteHello)
	ended, over := g.last(noteEnd)
	g.mu.Lock()
	silent := g.silent
	g.mu.Unlock()
	switch how := g.vm.how(); {
	case memory != "" && (panicked != "" || over && ended.Text != "" || silent):
		return g.needsMemory(memory).Error()
	case panicked != "" && g.brokenByQEMU():
		return fmt.Sprintf("the guest's kernel panicked: %s, at a breakpoint of its own that QEMU before 8.1 kept (--cpus 1 avoids that)", panicked)
	case panicked != "":
		return "the guest's kernel panicked: " + panicked
	case over && ended.Text != "":
		return ended.Text
	case silent && booted:
		return fmt.Sprintf("the guest hangs: there was no sign of life for %v", g.quiet)
	case silent && g.console.text() == "":
		return fmt.Sprintf("within %v its kernel printed nothing, and init did not run", g.boot)
	case silent:
		return fmt.Sprintf("init did not run within %v; the last on the console: %s", g.boot, g.console.last())
	case how != "":
		return how
	case !booted && g.console.text() == "":
		return "the virtual machine ended, and its kernel had printed nothing"
	case !booted:
		return "the virtual machine ended before init ran; the last on the console: " + g.console.last()
	}
	return "the virtual machine ended without a word"
}
