package actor

import (
	"encoding/binary"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// An Interposer stands between the specs and the kernel: mutation testing records what specs do
// through one, and lies to them. Steps of the harness itself pass it by.
type Interposer interface {
	// Asked learns of a call before it is made. What it returns, if not nil, becomes of the call.
	Asked(c *Call) *Lie
	// Told learns of a call's outcome, as the spec will see it.
	Told(c *Call)
	// Delivered returns what a spec is to see of an actor's events.
	Delivered(a *Actor, events []Event) []Event
}

var interposer Interposer

// Unobserved has f make calls that no interposer sees.
func Unobserved(f func()) {
	i := interposer
	interposer = nil
	defer func() { interposer = i }()
	f()
}

// Interpose has all calls pass through i from now on; nil ends that.
func Interpose(i Interposer) { interposer = i }

// A Lie is what is done to one call.
type Lie struct {
	Omit    *Outcome       // the call is not made, and this is told
	Twice   bool           // it is made once more, and the first outcome is told
	Second  func(int64)    // gets the second one's result, if it returns
	Between func(c *Call)  // looks around before that
	Args    map[int]uint64 // the kernel gets these arguments instead of the spec's
	Before  func(c *Call)  // changes memory before the kernel reads it
	After   func(c *Call)  // changes the outcome before the spec sees it
	Effect  func(c *Call)  // does something in the actor's name when the call is done

	again bool
}

// An Outcome is all that a call told.
type Outcome struct {
	Result    int64
	Completed uint64 // of a repeated call
	Total     int64
	Memory    [][]byte // the content of Call.Regions
}

// Outcome returns what the call has told, with a copy of the memory that it may have written.
func (c *Call) Outcome() *Outcome {
	o := &Outcome{Result: c.result, Completed: c.completed, Total: c.total}
	for _, r := range c.Regions() {
		o.Memory = append(o.Memory, append([]byte(nil), r.Bytes...))
	}
	return o
}

// tell makes an outcome the call's own.
func (o *Outcome) tell(c *Call) {
	c.result, c.completed, c.total = o.Result, o.Completed, o.Total
	for i, r := range c.Regions() {
		if i < len(o.Memory) {
			copy(r.Bytes, o.Memory[i])
		}
	}
}

// A Region is memory that a call hands to the kernel.
type Region struct {
	Arg   int // the argument that points to it, directly or through an array of struct iovec
	Bytes []byte
}

// maxRegion bounds what is kept and changed of one region.
const maxRegion = 4 << 20

// Regions returns the memory that the call hands to the kernel, as far as it is shared with this
// process.
func (c *Call) Regions() []Region {
	var regions []Region
	if at, ok := vectored[c.nr]; ok {
		for i := range min(int(uint32(c.args[2])), maxVectors) {
			entry := c.actor.view(c.args[at]+uint64(16*i), 16)
			if entry == nil {
				return nil
			}
			base, n := binary.NativeEndian.Uint64(entry), binary.NativeEndian.Uint64(entry[8:])
			if view := c.actor.view(base, n); view != nil {
				regions = append(regions, Region{Arg: at, Bytes: view})
			}
		}
		return regions
	}
	s := c.signature()
	for i, m := range c.mem {
		if m.view == nil || i < len(s.args) && (s.args[i] == "path" || s.args[i] == "in") {
			continue
		}
		view := m.view
		if i < len(s.args) && s.args[i] == "out" {
			view = view[:min(uint64(len(view)), c.args[i+1])]
		}
		regions = append(regions, Region{Arg: i, Bytes: view[:min(len(view), maxRegion)]})
	}
	return regions
}

// vectored are the calls that take memory as an array of struct iovec, and which argument it is.
var vectored = map[uintptr]int{
	unix.SYS_READV: 1, unix.SYS_PREADV: 1, unix.SYS_PREADV2: 1,
	unix.SYS_WRITEV: 1, unix.SYS_PWRITEV: 1, unix.SYS_PWRITEV2: 1, unix.SYS_VMSPLICE: 1,
}

const maxVectors = 1024 // IOV_MAX

// view returns the memory at an address of the actor's; nil where it is not shared.
func (a *Actor) view(addr, n uint64) []byte {
	if addr < arenaBase || n > maxRegion || addr+n > arenaBase+uint64(len(a.arena.mem)) {
		return nil
	}
	return a.arena.mem[addr-arenaBase:][:n:n]
}

// Number returns the kernel's number of the system call.
func (c *Call) Number() uintptr { return c.nr }

// Args returns the arguments as the spec gave them.
func (c *Call) Args() []uint64 { return c.args[:c.n] }

// Kind says what an argument is, in the words of the trace's table.
func (c *Call) Kind(i int) string {
	if s := c.signature(); i < len(s.args) {
		return s.args[i]
	}
	return "hex"
}

// Text returns the call as the trace shows it, without its result.
func (c *Call) Text() string { return c.text() }

// Result returns what the kernel returned, an error as a negative number; Forge changes it.
func (c *Call) Result() int64 { return c.result }

// Forge changes the result, and of a repeated call how often it succeeded and the sum.
func (c *Call) Forge(result int64, completed uint64, total int64) {
	c.result, c.completed, c.total = result, completed, total
}

// Tally returns how often a repeated call has succeeded and the sum of its results, as it stands.
func (c *Call) Tally() (completed uint64, total int64) { return c.completed, c.total }

// Repeated says whether the call was asked for with Repeat.
func (c *Call) Repeated() bool { return c.op == opRepeat }

// Clones says whether the call makes an actor.
func (c *Call) Clones() bool { return c.op == opClone }

// Ended says whether the call is done, or its actor ended during it.
func (c *Call) Ended() (finished, dead bool) { return c.status == done, c.status == died }

// A Regard is how a spec has looked at a call.
type Regard int

const (
	Presupposed Regard = 1 << iota // as a step of its set-up, with Must
	Judged                         // at its result
	Inspected                      // at its data
	SeenBlocked                    // it was asleep then
	Counted                        // at how often it succeeded, where it was repeated
	Either                         // it accepted one of several outcomes
	Exact                          // it accepted this very result, or a range that it names
	Shorter                        // it would have accepted fewer bytes, too
)

// Regards returns how the spec has looked at the call by now.
func (c *Call) Regards() Regard { return c.regard }

// LeftOpen returns the bits of what the call tells that a matcher has said may be there or not.
func (c *Call) LeftOpen() uint64 { return c.open }

// Looked returns what a spec has read of the siginfo_t that the call stored.
func (c *Call) Looked() Looks { return c.looked }

// ask lets the interposer decide about the call.
func (c *Call) ask() {
	c.asked, c.lie = false, nil
	if interposer == nil || c.quiet || c.op != opCall && c.op != opRepeat && c.op != opClone {
		return
	}
	c.asked = true
	c.lie = interposer.Asked(c)
	if c.lie != nil && c.lie.Before != nil {
		c.lie.Before(c)
	}
}

// framed returns what goes into the command frame.
func (c *Call) framed() (op uint32, nr uintptr, args [6]uint64) {
	op, nr, args = c.op, c.nr, c.args
	if c.lie == nil {
		return
	}
	if c.lie.Omit != nil {
		// The actor does make a call, one that changes nothing.
		return opCall, unix.SYS_GETPPID, args
	}
	for i, v := range c.lie.Args {
		args[i] = v
	}
	return
}

// onceMore makes the call a second time when the first is done; true while that lasts.
func (c *Call) onceMore() bool {
	l := c.lie
	if l == nil || !l.Twice || l.again {
		return false
	}
	l.again = true
	c.result = *(*int64)(ptr(c.frame, frameResult))
	l.Omit = c.Outcome()
	command := word32(c.frame, frameCommand)
	c.posted = atomic.AddUint32(command, 1)
	if atomic.LoadUint32(word32(c.frame, frameAsleep)) != 0 {
		futexWakeAll(command)
	}
	return true
}

// pervert changes the outcome as the lie says.
func (c *Call) pervert() {
	if c.lie == nil {
		return
	}
	if c.lie.again && c.lie.Second != nil {
		c.lie.Second(c.result)
	}
	if c.lie.Omit != nil {
		c.lie.Omit.tell(c)
	}
	if c.lie.After != nil {
		c.lie.After(c)
	}
}

// told ends the interposer's part in a call.
func (c *Call) told() {
	if !c.asked {
		return
	}
	if c.lie != nil && c.lie.Effect != nil {
		effect := c.lie.Effect
		c.lie.Effect = nil
		effect(c)
	}
	if interposer != nil {
		interposer.Told(c)
	}
}

// Take takes a byte out of what a descriptor of the actor's refers to, as a step of the harness;
// false where there is none to be had without waiting. From the write end of a pipe it takes one, too.
func (a *Actor) Take(fd int) bool {
	v := a.iovecOfOneByte()
	const nowait = 0x8
	read := a.setup().call(unix.SYS_PREADV2, fd, v, 1, -1, -1, nowait)
	if read.ok() && read.value() == 1 {
		return true
	}
	if read.result != -int64(unix.EBADF) {
		return false
	}
	other := a.setup().Open("/proc/self/fd/"+itoa(int64(fd)), unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if !other.ok() {
		return false
	}
	read = a.setup().call(unix.SYS_READV, other.value(), v, 1)
	a.setup().Close(other.value())
	return read.ok() && read.value() == 1
}

// Harmless says that the call, if it names a process, names one of the spec's own: no spec does
// otherwise, but one that was told a wrong number might.
func (c *Call) Harmless() bool {
	for i, v := range c.args[:c.n] {
		target := c.Kind(i) == "pid" || c.nr == unix.SYS_FCNTL && i == 2 && c.args[1] == unix.F_SETOWN || targets[c.nr] && i == 0
		if !target || v == 0 {
			continue
		}
		id := int(int32(v))
		if !slices.ContainsFunc(troupe.actors, func(a *Actor) bool {
			return id == a.tid || id == a.proc.pid || -id == a.proc.pid || id == a.localPID(c.actor) || -id == a.localPID(c.actor)
		}) {
			return false
		}
	}
	return true
}

// OwnID returns the process id of the call's actor, or its thread id, as the actor knows it; 0 where
// that is not known.
func (c *Call) OwnID(thread bool) int {
	id := c.actor.localPID(c.actor)
	if !thread {
		return id
	}
	if id != c.actor.proc.pid {
		return 0
	}
	return c.actor.tid
}

// named returns the actor which an id names for another one, as a process or a thread.
func (a *Actor) named(id int) *Actor {
	for _, o := range troupe.actors {
		if o.localPID(a) == id && o.tid == o.proc.pid || o.tid == id && o.localPID(a) == o.proc.pid {
			return o
		}
	}
	return nil
}

// Strike sends a signal to the actor which an id names for this one, as a step of the harness; false
// where there is none.
func (a *Actor) Strike(id int, sig unix.Signal) bool {
	target := a.named(id)
	return target != nil && unix.Tgkill(target.proc.pid, target.tid, sig) == nil
}

// Unmoved says that a signal does nothing to the actor which an id names for this one: the actor has
// ended, or ignores the signal, or is the first process of a PID namespace and does not catch it.
func (a *Actor) Unmoved(id int, sig unix.Signal) bool {
	target := a.named(id)
	if target == nil || sig == 0 {
		return sig == 0
	}
	if target.gone() {
		return true
	}
	text, err := os.ReadFile(target.procFile("status"))
	if err != nil {
		return false
	}
	line := func(name string) string {
		_, rest, _ := strings.Cut(string(text), "\n"+name+":")
		value, _, _ := strings.Cut(rest, "\n")
		return strings.TrimSpace(value)
	}
	has := func(name string) bool {
		bits, _ := strconv.ParseUint(line(name), 16, 64)
		return bits&Bit(sig) != 0
	}
	if has("SigBlk") || has("SigCgt") {
		return false
	}
	switch ids := strings.Fields(line("NSpid")); {
	case has("SigIgn"), sig == unix.SIGCHLD, sig == unix.SIGURG, sig == unix.SIGWINCH:
		return true
	case sig == unix.SIGCONT && !target.Stopped():
		return true
	default:
		forced := (sig == unix.SIGKILL || sig == unix.SIGSTOP) && a.localPID(a) == a.proc.pid
		return len(ids) > 1 && ids[len(ids)-1] == "1" && !forced
	}
}

// targets are calls that reach into the process which their first argument names, beside those of
// which the trace's table says so.
var targets = map[uintptr]bool{
	unix.SYS_PROCESS_VM_READV: true, unix.SYS_PROCESS_VM_WRITEV: true, unix.SYS_PIDFD_OPEN: true,
	unix.SYS_MIGRATE_PAGES: true, unix.SYS_MOVE_PAGES: true, unix.SYS_SCHED_SETAFFINITY: true,
}

// Quietly gives a caller whose calls are steps of the harness: no part of what the spec does.
func (a *Actor) Quietly() Caller { return a.setup() }

// SameDescription says whether two of the actor's descriptors refer to one open file description,
// as far as this kernel tells.
func (a *Actor) SameDescription(fd, other int) bool {
	const kcmpFile = 0
	order, _, errno := unix.Syscall6(unix.SYS_KCMP, uintptr(a.proc.pid), uintptr(a.proc.pid), kcmpFile, uintptr(fd), uintptr(other), 0)
	return errno == 0 && order == 0
}

// SameFile says whether two of the actor's descriptors are of the same file or pipe.
func (a *Actor) SameFile(fd, other int) bool {
	one, err := os.Readlink(a.procFile("fd/" + strconv.Itoa(fd)))
	two, err2 := os.Readlink(a.procFile("fd/" + strconv.Itoa(other)))
	return err == nil && err2 == nil && one == two
}

// CloexecAll sets or clears FD_CLOEXEC of all the actor's descriptors below 128 except the one
// that its next image needs, and says whether that changed any.
func (a *Actor) CloexecAll(on bool) (changed bool) {
	want := 0
	if on {
		want = unix.FD_CLOEXEC
	}
	for fd := range 128 {
		if fd == a.home {
			continue
		}
		if flags := a.setup().Fcntl(fd, unix.F_GETFD, 0); flags.ok() && flags.value() != want {
			changed = a.setup().Fcntl(fd, unix.F_SETFD, want).ok() || changed
		}
	}
	return changed
}

// Drop closes a descriptor of the actor's, as a step of the harness; false where it was not open.
func (a *Actor) Drop(fd int) bool { return a.setup().Close(fd).ok() }

// Add writes a byte through a descriptor of the actor's, as a step of the harness; false where
// there is no room for it.
func (a *Actor) Add(fd int) bool {
	const nowait = 0x8
	write := a.setup().call(unix.SYS_PWRITEV2, fd, a.iovecOfOneByte(), 1, -1, -1, nowait)
	return write.ok() && write.value() == 1
}

func (a *Actor) iovecOfOneByte() Mem { return a.Iovec(a.Bytes([]byte("\a"))) }

// hopeless says, under an interposer, that a call will never return: all actors that are in a call
// have been asleep in it for a while, in calls that end only by what somebody else does. A spec
// that is lied to would otherwise wait for its limit.
func (c *Call) hopeless() bool {
	if interposer == nil || c.quiet {
		return false
	}
	now := time.Now()
	if now.Sub(c.lookedAt) < hopelessStep {
		return false
	}
	c.lookedAt = now
	for _, a := range troupe.actors {
		for _, p := range a.pending {
			if p == nil {
				continue
			}
			if yes, sure := p.asleep(); !yes || !sure || !p.untimed() {
				c.looks = 0
				return false
			}
		}
	}
	c.looks++
	return c.looks > hopelessLooks && !timersUsed()
}

// busy says, under an interposer, that the call has outlived the limit, which is a short one then,
// by what it does rather than by waiting. It is given more time, within reason.
func (c *Call) busy() bool {
	if interposer == nil || c.grace == maxGrace || c.actor.gone() {
		return false
	}
	yes, sure := c.asleep()
	c.grace++
	return !yes && sure
}

const maxGrace = 20 // times the limit

const (
	hopelessStep  = 4 * time.Millisecond
	hopelessLooks = 6
)

// untimed says whether nothing but another actor's doing can end the call.
func (c *Call) untimed() bool {
	if at, ok := timeouts[callName(c.nr)]; ok {
		return at < 0 || int32(c.args[at]) < 0 || c.Kind(at) == "ptr" && c.args[at] == 0
	}
	return false
}

// timeouts are the calls that may sleep without an end, and which argument bounds that (−1: none).
var timeouts = map[string]int{
	"read": -1, "write": -1, "readv": -1, "writev": -1, "pread64": -1, "pwrite64": -1,
	"preadv": -1, "pwritev": -1, "preadv2": -1, "pwritev2": -1, "open": -1, "openat": -1,
	"splice": -1, "tee": -1, "vmsplice": -1, "wait4": -1, "waitid": -1, "rt_sigsuspend": -1, "pause": -1,
	"flock": -1, "semop": -1, "semtimedop": 3, "msgsnd": -1, "msgrcv": -1, "mq_timedsend": 4, "mq_timedreceive": 4, "io_getevents": 4,
	"poll": 2, "ppoll": 2, "select": 4, "pselect6": 4, "epoll_wait": 3, "epoll_pwait": 3, "rt_sigtimedwait": 2,
}

// timersUsed looks whether the spec has armed anything that could still wake an actor.
func timersUsed() bool {
	troupe.Lock()
	defer troupe.Unlock()
	for _, c := range troupe.trace {
		switch c.nr {
		case unix.SYS_SETITIMER, unix.SYS_TIMER_SETTIME, unix.SYS_TIMERFD_SETTIME, sysAlarm:
			return true
		}
	}
	return false
}

// SameIPC returns the spec's actors that can make a call now and are in the same IPC namespace as this
// one, itself first.
func (a *Actor) SameIPC() []*Actor {
	namespace := func(o *Actor) string {
		name, _ := os.Readlink(o.procFile("ns/ipc"))
		return name
	}
	own := namespace(a)
	var found []*Actor
	for _, o := range append([]*Actor{a}, troupe.actors...) {
		if o != a || len(found) == 0 {
			if !o.ended && !o.gone() && o.Pending() == nil && namespace(o) == own && own != "" {
				found = append(found, o)
			}
		}
	}
	return found
}
