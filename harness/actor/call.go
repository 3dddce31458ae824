package actor

import (
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// A Caller makes an actor's system calls, in one of several manners: [Actor] itself waits for each
// call to be done, [Actor.Begin] does not, [Caller.Repeat] makes it many times.
type Caller struct {
	a      *Actor
	begin  bool
	repeat uint64
	quiet  bool // a step of the harness itself
	drain  bool
}

// Begin gives a caller whose calls may still be pending when it returns them.
func (c Caller) Begin() Caller {
	c.begin = true
	return c
}

// Repeat gives a caller that makes its call n times in a tight loop, until one fails; for races.
// The call's Value is the last result, Count how many succeeded and Total the sum of their results.
func (c Caller) Repeat(n int) Caller {
	c.repeat = uint64(n)
	return c
}

// Filling gives a repeating caller that stores each time behind what the last call returned: the
// second argument grows by each result.
func (c Caller) Filling() Caller {
	c.drain = true
	return c
}

func (c Caller) setup() Caller {
	c.quiet = true
	return c
}

// A Call is one system call of an actor (or one repeated in a tight loop): pending, asleep in the
// kernel, or done with a result.
type Call struct {
	actor  *Actor
	frame  []byte // the command frame in the arena
	nr     uintptr
	args   [6]uint64
	mem    [6]Mem
	n      int // number of arguments
	op     uint32
	repeat uint64
	quiet  bool
	drain  bool
	temps  int
	finish func(*Call)

	posted    uint32 // the frame's command counter
	depth     int
	status    status
	result    int64
	completed uint64
	total     int64
	data      []byte
	mtype     int64  // of a message that msgrcv has received
	note      string // what the trace adds
	holds     string // the structures of which its data consists

	// Under an interposer.
	asked    bool
	lie      *Lie
	regard   Regard
	looked   Looks
	open     uint64 // bits that a matcher has said may be there or not
	refused  bool   // by a matcher
	looks    int    // how often in a row it has looked hopeless
	grace    int    // how often it got another limit
	lookedAt time.Time

	makes *madeObject // what it may make outside a namespace of its own
}

type status int

const (
	pending status = iota
	done
	died  // the actor ended during the call
	stuck // the limit passed
)

// call prepares and makes a system call. Arguments are integers, Mem, strings (copied with a NUL),
// byte slices (copied) or nil.
func (c Caller) call(nr uintptr, args ...any) *Call {
	return c.prepare(nr, args...).post(c)
}

// Raw makes any system call. Arguments are integers, Mem, strings (copied, NUL-terminated) and
// byte slices (copied in); what the kernel writes is found in the Mem that was given.
func (c Caller) Raw(nr uintptr, args ...any) *Call {
	return c.call(nr, args...)
}

func (c Caller) prepare(nr uintptr, args ...any) *Call {
	call := &Call{actor: c.a, nr: nr, n: len(args), op: opCall, quiet: c.quiet, drain: c.drain}
	if c.repeat > 0 {
		call.op, call.repeat = opRepeat, c.repeat
	}
	for i, arg := range args {
		call.arg(i, arg)
	}
	return call
}

func (c *Call) arg(i int, arg any) {
	var v uint64
	switch arg := arg.(type) {
	case nil:
	case Mem:
		v = arg.Addr
		c.mem[i] = arg
	case string:
		m := c.actor.temp(c, len(arg)+1)
		copy(m.view, arg)
		v, c.mem[i] = m.Addr, m
	case []byte:
		m := c.actor.temp(c, len(arg))
		copy(m.view, arg)
		v, c.mem[i] = m.Addr, m
	case int:
		v = uint64(arg)
	case int16:
		v = uint64(arg)
	case int32:
		v = uint64(arg)
	case int64:
		v = uint64(arg)
	case uint:
		v = uint64(arg)
	case uint16:
		v = uint64(arg)
	case uint32:
		v = uint64(arg)
	case uint64:
		v = arg
	case uintptr:
		v = uint64(arg)
	case unix.Signal:
		v = uint64(arg)
	default:
		panic(fmt.Sprintf("actor: a system call's argument cannot be a %T", arg))
	}
	c.args[i] = v
}

// post is the one function through which every call passes.
func (c *Call) post(by Caller) *Call {
	a := c.actor
	if a.ended {
		abandon()
	}
	a.collect()
	c.depth = a.depth()
	if p := a.pending[c.depth]; p != nil {
		if p.status == died {
			stage.Unresolved(fmt.Sprintf("%s cannot make %s: it has ended (%s)", a.name, c.name(), a.state()), 2)
		}
		stage.Unresolved(fmt.Sprintf("%s cannot make %s: it is still in %s", a.name, c.name(), p), 2)
	}
	c.remember()
	c.ask()
	op, nr, args := c.framed()
	off := slotFrames + frameSize*c.depth
	c.frame = a.mem[off : off+frameSize]
	*word32(c.frame, frameOp) = op
	*word64(c.frame, frameNr) = uint64(nr)
	for i, v := range args {
		*word64(c.frame, frameArgs+8*i) = v
	}
	if c.op == opRepeat {
		*word64(c.frame, frameRepeat) = c.repeat
		*word64(c.frame, frameCompleted) = 0
		*word64(c.frame, frameTotal) = 0
		*word64(c.frame, frameAdvance) = 0
		if c.drain {
			*word64(c.frame, frameAdvance) = 1
		}
	}
	switch c.nr {
	case unix.SYS_CLONE, unix.SYS_CLONE3, sysFork, sysVfork:
		troupe.forked = true
	}
	command := word32(c.frame, frameCommand)
	c.announce()
	a.pending[c.depth] = c
	c.posted = atomic.AddUint32(command, 1)
	if atomic.LoadUint32(word32(c.frame, frameAsleep)) != 0 {
		futexWakeAll(command)
	}
	if !by.begin {
		c.wait()
	}
	return c
}

// remember puts the call into the trace.
func (c *Call) remember() {
	if c.quiet {
		return
	}
	troupe.Lock()
	defer troupe.Unlock()
	if len(troupe.trace) == maxTrace {
		troupe.trace = troupe.trace[1:]
		troupe.dropped++
	}
	troupe.trace = append(troupe.trace, c)
}

// depth returns how many parked handlers the actor is in.
func (a *Actor) depth() int { return int(atomic.LoadUint32(word32(a.mem, slotDepth))) }

// answered looks whether the actor has told the call's result.
func (c *Call) answered() bool {
	return atomic.LoadUint32(word32(c.frame, frameDone)) == c.posted
}

// look takes the result if it is there.
func (c *Call) look() status {
	if c.status == pending && c.answered() && !c.onceMore() {
		c.settle(done)
	}
	return c.status
}

// collect takes the results of all calls that are done by now.
func (a *Actor) collect() {
	for _, p := range a.pending {
		if p != nil {
			p.look()
		}
	}
}

func (c *Call) settle(s status) {
	a := c.actor
	c.status = s
	defer c.told()
	if s != done && c.op != opRepeat {
		return
	}
	c.result = *(*int64)(ptr(c.frame, frameResult))
	if c.op == opRepeat {
		c.completed = *word64(c.frame, frameCompleted)
		c.total = *(*int64)(ptr(c.frame, frameTotal))
	}
	if s != done {
		return
	}
	c.noteObject()
	c.pervert()
	a.pending[c.depth] = nil
	if c.finish != nil {
		c.finish(c)
	}
	for i := range c.mem { // what the trace shows, and what lies are about, must not change with the buffer
		if c.mem[i].view != nil && c.temps > 0 {
			c.mem[i].view = append([]byte(nil), c.mem[i].view[:min(len(c.mem[i].view), 128)]...)
		}
	}
	a.alloc.temps -= c.temps
	c.temps = 0
}

// wait waits until the call is done or its actor has ended. A call that outlives the limit is a
// deviation: the kernel never returned.
func (c *Call) wait() status {
	if c.look() != pending {
		return c.status
	}
	for {
		before := c.Progress()
		if c.actor.await(func() bool { return c.look() != pending || c.hopeless() }) {
			break
		}
		// A loop is as slow as the kernel is; only one that stands still is stuck.
		if (c.op != opRepeat || c.Progress() == before || c.actor.ended) && !c.busy() {
			break
		}
	}
	if c.status != pending {
		return c.status
	}
	if c.actor.ended {
		abandon()
	}
	if c.actor.gone() {
		c.settle(died)
		return c.status
	}
	c.status = stuck
	message := fmt.Sprintf("%s: %s did not return within %v\n%s", c.actor.name, c.text(), limit(), c.actor.state())
	if c.quiet || c.regard&Presupposed != 0 {
		stage.Unresolved("set-up failed: "+message, 3)
	}
	troupe.Lock()
	troupe.wrong = c
	troupe.Unlock()
	stage.Fail(message, 3)
	return c.status
}

// abandon ends the part of a goroutine whose spec was given up on (a timeout, an interrupt) and that
// goes on as if nothing had happened. Failing would be charged to another spec, so it waits for
// the end of the process.
func abandon() {
	select {}
}

// Done looks whether the call has returned, without waiting.
func (c *Call) Done() bool { return c.look() == done }

// Wait waits until the call has returned or its actor has ended.
func (c *Call) Wait() *Call {
	c.wait()
	return c
}

// Value waits for the call and returns its result: −1 where it failed, as the C library would.
func (c *Call) Value() int {
	c.regard |= Judged
	return c.value()
}

func (c *Call) value() int {
	if !c.ok() {
		return -1
	}
	return int(c.result)
}

// Errno waits for the call and returns its error, 0 where it succeeded.
func (c *Call) Errno() unix.Errno {
	c.regard |= Judged
	return c.errno()
}

func (c *Call) errno() unix.Errno {
	if c.wait() == done && c.result < 0 && c.result >= -4095 {
		errno := unix.Errno(-c.result)
		c.mindPolicy(errno)
		return errno
	}
	return 0
}

// OK waits for the call and says whether it succeeded.
func (c *Call) OK() bool {
	c.regard |= Judged
	return c.ok()
}

func (c *Call) ok() bool { return c.wait() == done && c.errno() == 0 }

// Data waits for the call and returns a copy of what it stored into the caller's buffers, as many
// bytes as the call returned.
func (c *Call) Data() []byte {
	c.regard |= Inspected
	c.wait()
	return c.data
}

// Count waits for a repeated call and returns how often it succeeded.
func (c *Call) Count() int {
	c.regard |= Judged | Counted
	c.wait()
	return int(c.completed)
}

// Progress returns how often a repeated call has succeeded by now, without waiting.
func (c *Call) Progress() int { return int(atomic.LoadUint64(word64(c.frame, frameCompleted))) }

// Total waits for a repeated call and returns the sum of its results.
func (c *Call) Total() int {
	c.regard |= Judged | Counted
	c.wait()
	return int(c.total)
}

// Actor returns the actor that made the call.
func (c *Call) Actor() *Actor { return c.actor }

// Must returns the value of a call that is part of a spec's set-up. Where it failed there is
// nothing to judge: the spec is unresolved. That goes for a call that never returns, too, if Must is
// told of it while it is pending: Must(a.Begin().Read(fd, 1)).
func Must(c *Call) int {
	c.regard |= Presupposed
	if !c.ok() {
		stage.Unresolved("set-up failed: "+c.String(), 1)
	}
	return c.value()
}

// Note adds a word of explanation to the call in the trace.
func (c *Call) Note(format string, args ...any) *Call {
	c.note = fmt.Sprintf(format, args...)
	return c
}

// Pending returns the call that the actor is in, nil where it is idle: after a Clone with CLONE_VFORK
// that is the clone, until the child has ended or executed a program.
func (a *Actor) Pending() *Call {
	a.collect()
	return a.pending[a.depth()]
}
