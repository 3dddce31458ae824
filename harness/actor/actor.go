package actor

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipcspec/ipcspec/harness/actor/keeper"
)

// An Actor is a process, or a thread of one, that makes the system calls it is asked for.
type Actor struct {
	Caller

	name    string
	proc    *process
	tid     int // as this process sees it
	parent  *Actor
	arena   *arena
	slot    int
	mem     []byte // the slot
	alloc   allocator
	pending [maxDepth]*Call
	seen    int      // events that NextEvent has returned
	looks   []*Looks // at the events, under an interposer
	ended   bool
	areas   map[string]Mem
	pidfd   Mem  // where the parent's clone has put a pidfd
	ownIPC  bool // it lives in an IPC namespace that the harness has made for it
	home    int  // the descriptor of the arena for the next image, during an Exec
}

// A process is what several actors may share as threads.
type process struct {
	pid    int // as this process sees it
	direct bool
	reaped bool // by this process
	status unix.WaitStatus
}

// String returns the actor's name as the trace gives it.
func (a *Actor) String() string { return a.name }

// PID returns the process id as the Go process sees it; inside a PID namespace of its own the
// actor's Getpid gives another one.
func (a *Actor) PID() int { return a.proc.pid }

// TID returns the thread id, likewise.
func (a *Actor) TID() int { return a.tid }

var company struct {
	sync.Once
	keeper *keeper.Keeper
	mark   string
	err    error
}

// gather prepares this process for having actors.
func gather() error {
	company.Do(func() {
		var nonce [12]byte
		if _, err := rand.Read(nonce[:]); err != nil {
			company.err = err
			return
		}
		// IPCSPEC_TAG helps those who look for a certain run's actors in the list of processes.
		company.mark = "ipcspec-actor:" + os.Getenv("IPCSPEC_TAG") + ":" + hex.EncodeToString(nonce[:])
		if company.keeper, company.err = keeper.Start(company.mark); company.err != nil {
			return
		}
		// Orphans of an actor become children of this process, so that none escapes.
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
			company.err = fmt.Errorf("become the reaper of orphaned actors: %w", err)
			return
		}
		company.err = closeInherited()
	})
	return company.err
}

// closeInherited marks the descriptors that this process was started with, so that no actor
// inherits them.
func closeInherited() error {
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return fmt.Errorf("list the open descriptors (is /proc mounted?): %w", err)
	}
	for _, entry := range fds {
		if fd, err := strconv.Atoi(entry.Name()); err == nil && fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
	return nil
}

// Leave ends the company: it removes what actors may have left and waits until that is done. No
// actor can be made afterwards. A process that does not call it leaves nothing behind either, but
// a little later.
func Leave() {
	if company.keeper != nil {
		company.keeper.Stop()
	}
}

// An Option changes how an actor is made.
type Option func(*options)

type options struct {
	dir          string
	unprivileged bool
	uid          int
	keep         uint64
	without      uint64
	namespaces   int
}

// Dir has the actor start in the given working directory instead of "/".
func Dir(path string) Option { return func(o *options) { o.dir = path } }

// Unprivileged has the actor run with the given user and group id, no supplementary groups and no
// capabilities, where this process may change them; otherwise it runs as this process does.
func Unprivileged(uid int) Option {
	return func(o *options) { o.unprivileged, o.uid = true, uid }
}

// Keeping has an Unprivileged actor keep capabilities (a bit set): another user with just these.
func Keeping(capabilities uint64) Option {
	return func(o *options) { o.keep |= capabilities }
}

// Without takes capabilities (a bit set) from the actor.
func Without(capabilities uint64) Option {
	return func(o *options) { o.without |= capabilities }
}

// Namespaces puts the actor into fresh namespaces (CLONE_NEW… bits), through a user namespace of
// its own where this process may not make them otherwise.
func Namespaces(flags int) Option { return func(o *options) { o.namespaces |= flags } }

var defaults []Option

// SetDefaults says what New does in addition, from now on: the needs of the running clause.
func SetDefaults(opts ...Option) { defaults = opts }

// New starts an actor: a process in a session of its own, in "/", with no descriptors, all
// dispositions default and nothing blocked. It ends with the spec.
func New(opts ...Option) *Actor {
	o := options{dir: "/"}
	for _, opt := range defaults {
		opt(&o)
	}
	for _, opt := range opts {
		opt(&o)
	}
	if err := gather(); err != nil {
		stage.Unresolved("start an actor: "+err.Error(), 1)
	}
	a, err := spawn(o)
	if err != nil {
		stage.Unresolved("start an actor: "+err.Error(), 1)
	}
	if o.namespaces != 0 {
		a = a.enter(o.namespaces)
	}
	if o.unprivileged {
		a.dropTo(o.uid, o.keep)
	}
	if o.without != 0 {
		a.DropCapabilities(o.without)
	}
	return a
}

// prepare has the running spec's actors ended with it.
func prepare() {
	troupe.Lock()
	defer troupe.Unlock()
	if !troupe.prepared {
		troupe.prepared = true
		stage.Cleanup(EndAll)
	}
}

// argv tells an image where its arena is: see start in loop_*.s. The mark is what the keeper
// looks for.
func argv(fd, slot int) []string {
	return []string{string([]byte{byte(fd + 1), byte(slot + 1)}), company.mark}
}

func spawn(o options) (*Actor, error) {
	prepare()
	image, err := imageFile()
	if err != nil {
		return nil, err
	}
	shared, err := newArena()
	if err != nil {
		return nil, err
	}
	troupe.Lock()
	troupe.arenas = append(troupe.arenas, shared)
	troupe.Unlock()

	a := newActor(shared, nil)
	hello := word32(a.mem, slotHello)
	pid, err := syscall.ForkExec(fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), image), argv(0, a.slot), &syscall.ProcAttr{
		Dir: o.dir, Env: []string{}, Files: []uintptr{uintptr(shared.fd)},
		Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return nil, fmt.Errorf("execute the actor's image in %s: %w", o.dir, err)
	}
	a.proc = &process{pid: pid, direct: true}
	a.tid = pid
	enlist(a)
	if !a.await(func() bool { return atomic.LoadUint32(hello) == 1 }) {
		return nil, fmt.Errorf("the actor's image does not answer: %s", a.state())
	}
	a.resetInherited()
	return a, nil
}

// newActor makes the Go side of an actor in the next slot; nil where the arena is full.
func newActor(shared *arena, parent *Actor) *Actor {
	slot, ok := shared.slot()
	if !ok {
		return nil
	}
	a := &Actor{
		arena: shared, slot: slot, parent: parent,
		mem:   shared.mem[slot*slotSize : (slot+1)*slotSize],
		alloc: allocator{low: slotData, high: slotSize},
	}
	a.Caller = Caller{a: a}
	a.ownIPC = parent != nil && parent.ownIPC
	*word32(a.mem, slotSpin) = idleSpin
	return a
}

// enlist names an actor and has it ended with the spec.
func enlist(a *Actor) {
	troupe.Lock()
	defer troupe.Unlock()
	a.name = actorName(len(troupe.actors))
	troupe.actors = append(troupe.actors, a)
}

// actorName returns A, B, … Z, A1, B1, …
func actorName(n int) string {
	name := string(rune('A' + n%26))
	if n >= 26 {
		name += strconv.Itoa(n / 26)
	}
	return name
}

// resetInherited gives signals their default dispositions that this process was started with as
// ignored (nohup, a shell's background job), and clears the mask.
func (a *Actor) resetInherited() {
	for sig := unix.Signal(1); sig <= 64; sig++ {
		if signal.Ignored(sig) && sig != unix.SIGKILL && sig != unix.SIGSTOP {
			a.setup().sigaction(sig, 0, 0, 0)
		}
	}
}

// EndAll ends all actors of the running spec and everything they have started, and forgets them.
// The runner calls it when a spec has ended; specs need not.
func EndAll() {
	troupe.Lock()
	defer troupe.Unlock()
	awaitObjects()
	for _, a := range troupe.actors {
		a.ended = true
		if a.proc.direct && !a.proc.reaped {
			_ = unix.Kill(a.proc.pid, unix.SIGKILL) // a child that is not reaped: the pid is its own
		}
	}
	for _, a := range troupe.actors {
		a.proc.reap()
	}
	if troupe.forked {
		reapOrphans()
	}
	for i := len(troupe.onEnd) - 1; i >= 0; i-- {
		troupe.onEnd[i]()
	}
	removeObjects()
	for _, r := range troupe.arenas {
		r.close()
	}
	troupe.actors, troupe.arenas, troupe.trace, troupe.onEnd = nil, nil, nil, nil
	troupe.dropped, troupe.forked, troupe.prepared, troupe.wrong = 0, false, false, nil
}

// reap waits for a direct child that has ended or is about to.
func (p *process) reap() {
	for p.direct && !p.reaped {
		if _, err := unix.Wait4(p.pid, &p.status, unix.WALL, nil); err != unix.EINTR {
			p.reaped = true
		}
	}
}

// exited looks whether a direct child has ended, without waiting.
func (p *process) exited() bool {
	if p.direct && !p.reaped {
		if pid, err := unix.Wait4(p.pid, &p.status, unix.WNOHANG|unix.WALL, nil); pid == p.pid || err == unix.ECHILD {
			p.reaped = true
		}
	}
	return p.reaped
}

// reapOrphans kills and reaps all children of this process but the keeper: what actors forked has
// come to us, the subreaper, when they ended. It ends when there are none; each round kills a
// generation.
func reapOrphans() {
	for {
		children := ownChildren()
		if len(children) == 0 {
			return
		}
		for _, pid := range children {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
		for _, pid := range children {
			for {
				if _, err := unix.Wait4(pid, nil, unix.WALL, nil); err != unix.EINTR {
					break
				}
			}
		}
	}
}

// ownChildren lists the children of this process except the keeper.
func ownChildren() []int {
	var pids []int
	add := func(pid int) {
		// gVisor lists the threads of a child among the children: those of the keeper, too.
		_, err := os.Stat(fmt.Sprintf("/proc/%d/task/%d", company.keeper.PID(), pid))
		if pid != company.keeper.PID() && err != nil {
			pids = append(pids, pid)
		}
	}
	files, _ := filepath.Glob("/proc/self/task/*/children")
	known := false
	for _, file := range files {
		if text, err := os.ReadFile(file); err == nil {
			known = true
			for _, field := range strings.Fields(string(text)) {
				if pid, err := strconv.Atoi(field); err == nil {
					add(pid)
				}
			}
		}
	}
	if known {
		return pids
	}
	// A kernel without CONFIG_PROC_CHILDREN: look at everybody's parent.
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range stats {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil {
			continue
		}
		if s, err := readStat(file); err == nil && s.ppid == os.Getpid() {
			add(pid)
		}
	}
	return pids
}

// TempDir makes a folder that every user may use, and that is removed with all its contents when
// the spec ends.
func TempDir() string {
	if err := gather(); err != nil {
		stage.Unresolved("make a folder: "+err.Error(), 1)
	}
	prepare()
	root, err := company.keeper.Folder()
	if err != nil {
		stage.Unresolved(err.Error(), 1)
	}
	dir, err := os.MkdirTemp(root, "")
	if err == nil {
		err = os.Chmod(dir, 0o777)
	}
	if err != nil {
		stage.Unresolved("make a folder: "+err.Error(), 1)
	}
	OnEnd(func() {
		if err := keeper.RemoveAll(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
			fmt.Fprintln(os.Stderr, "ipcspec: cannot remove a spec's folder now, the keeper will:", err)
		}
	})
	return dir
}

// OnEnd has f called when the spec's actors have ended, the last one first.
func OnEnd(f func()) {
	prepare()
	troupe.Lock()
	defer troupe.Unlock()
	troupe.onEnd = append(troupe.onEnd, f)
}

// ChangeFile writes value into a file that belongs to the system (a sysctl) and has the old
// content restored when the spec ends, also when this process is killed.
func ChangeFile(file, value string) {
	if err := gather(); err != nil {
		stage.Unresolved("change "+file+": "+err.Error(), 1)
	}
	restore, err := company.keeper.Change(file, value)
	if err != nil {
		stage.Unresolved("change "+file+": "+err.Error(), 1)
	}
	OnEnd(func() {
		if err := restore(); err != nil {
			fmt.Fprintln(os.Stderr, "ipcspec: cannot restore", file+":", err)
		}
	})
}

// await waits until cond holds; false where the actor ends or the limit passes before.
func (a *Actor) await(cond func() bool) bool {
	a.arena.busy.Add(1)
	defer a.arena.busy.Add(-1)
	if a.ended {
		return false
	}
	for range directorSpin {
		if cond() {
			return true
		}
	}
	activity, waiting := word32(a.mem, slotActivity), word32(a.mem, slotWaiting)
	atomic.StoreUint32(waiting, 1)
	defer atomic.StoreUint32(waiting, 0)
	deadline := time.Now().Add(limit())
	for slice := firstSlice; ; slice = min(2*slice, lastSlice) {
		at := atomic.LoadUint32(activity)
		if cond() {
			return true
		}
		if slice == firstSlice {
			futexDoze(activity, at, slice)
		} else {
			futexSleep(activity, at, slice)
		}
		if cond() {
			return true
		}
		if atomic.LoadUint32(activity) == at && (a.gone() || a.ended) {
			return cond() // it may have told us in its last breath
		}
		if time.Now().After(deadline) {
			return false
		}
	}
}

const (
	// How often each side looks before it sleeps: enough to bridge a short call when both run,
	// and little enough not to take the other's processor when they share one.
	idleSpin     = 300
	directorSpin = 2000

	// How long the Go process sleeps between looks whether the actor still lives.
	firstSlice = 200 * time.Microsecond
	lastSlice  = 20 * time.Millisecond
)
