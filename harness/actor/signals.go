package actor

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// SA_… flags of sigaction(2).
const (
	SA_NOCLDSTOP      = 0x1
	SA_NOCLDWAIT      = 0x2
	SA_SIGINFO        = 0x4
	SA_UNSUPPORTED    = 0x400
	SA_EXPOSE_TAGBITS = 0x800
	SA_ONSTACK        = 0x08000000
	SA_RESTART        = 0x10000000
	SA_NODEFER        = 0x40000000
	SA_RESETHAND      = 0x80000000
)

const (
	sigDefault = 0
	sigIgnore  = 1
)

// Bit returns a signal's bit in a mask.
func Bit(sig unix.Signal) uint64 { return 1 << (uint(sig) - 1) }

// sigaction makes rt_sigaction with the kernel's struct: handler, flags, restorer, mask.
func (c Caller) sigaction(sig unix.Signal, handler, flags, mask uint64) *Call {
	act := make([]byte, 32)
	if handler != sigDefault && handler != sigIgnore {
		flags |= saRestorer
		binary.NativeEndian.PutUint64(act[16:], codeBase+offsetRestorer)
	}
	binary.NativeEndian.PutUint64(act[0:], handler)
	binary.NativeEndian.PutUint64(act[8:], flags)
	binary.NativeEndian.PutUint64(act[24:], mask)
	return c.call(unix.SYS_RT_SIGACTION, sig, act, nil, 8)
}

// Sigaction makes rt_sigaction(2) install the recording handler with the given SA_… flags and
// mask.
func (c Caller) Sigaction(sig unix.Signal, flags, mask uint64) *Call {
	return c.sigaction(sig, codeBase+offsetHandler, flags, mask)
}

// Handle has the actor catch a signal with a handler that records it; a step of the set-up.
func (a *Actor) Handle(sig unix.Signal, flags uint64) {
	must(a.Caller.Sigaction(sig, flags|SA_SIGINFO, 0))
}

// HandleAndPark has the actor catch a signal with a handler that records it and then waits for
// commands: the actor makes calls from inside the handler, until ReturnFromHandler.
func (a *Actor) HandleAndPark(sig unix.Signal, flags uint64) {
	a.Park(sig, true)
	a.Handle(sig, flags)
}

// Park says whether the recording handler parks when it gets the signal.
func (a *Actor) Park(sig unix.Signal, park bool) {
	word := word64(a.mem, slotPark)
	if park {
		atomic.StoreUint64(word, atomic.LoadUint64(word)|Bit(sig))
	} else {
		atomic.StoreUint64(word, atomic.LoadUint64(word)&^Bit(sig))
	}
}

// Ignore has the actor ignore a signal; a step of the set-up.
func (a *Actor) Ignore(sig unix.Signal) { must(a.Caller.sigaction(sig, sigIgnore, 0, 0)) }

// Default restores a signal's default disposition; a step of the set-up.
func (a *Actor) Default(sig unix.Signal) { must(a.Caller.sigaction(sig, sigDefault, 0, 0)) }

// SetMask sets the signal mask to exactly the given signals; a step of the set-up.
func (a *Actor) SetMask(sigs ...unix.Signal) {
	mask := make([]byte, 8)
	var bits uint64
	for _, sig := range sigs {
		bits |= Bit(sig)
	}
	binary.NativeEndian.PutUint64(mask, bits)
	must(a.Caller.call(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, mask, nil, 8))
}

// PendingSignals returns the set that rt_sigpending(2) gives the actor.
func (a *Actor) PendingSignals() uint64 {
	call := a.Caller.Sigpending()
	must(call)
	return call.Word()
}

// ReturnFromHandler lets the parked handler return, and waits until it has.
func (a *Actor) ReturnFromHandler() {
	if a.depth() == 0 {
		stage.Unresolved(a.name+" is in no parked handler that could return", 1)
	}
	call := Caller{a: a, quiet: true}.prepare(0)
	call.op, call.n = opReturn, 0
	call.post(a.Caller)
}

// AwaitPark waits until the actor is in a parked handler at the given depth (1 for the first) and
// returns its event; a deviation after the limit.
func (a *Actor) AwaitPark(depth int) Event {
	if !a.await(func() bool { return a.depth() >= depth }) {
		stage.Fail(fmt.Sprintf("%s has not entered the handler: %s", a.name, a.state()), 1)
	}
	events := a.Events()
	for i := len(events) - 1; i >= 0; i-- {
		if events[i].Depth == depth-1 {
			return events[i]
		}
	}
	stage.Fail(fmt.Sprintf("%s has parked without an event", a.name), 1)
	return Event{}
}

// An Event is one run of the recording handler.
type Event struct {
	Signal   unix.Signal // the handler's first argument
	Info     Siginfo
	Mask     uint64 // the mask that is restored when the handler returns (uc_sigmask)
	SP       uint64 // stack pointer at the handler's entry
	OldSP    uint64 // stack pointer where the actor was interrupted
	PC       uint64 // where it was interrupted
	Order    int    // place in the order of all events of this tree of actors
	InCall   bool   // it was in (or about to enter, or just back from) a system call that was asked for
	Depth    int    // parked handlers below this one
	AltStack AltStack
}

// GomegaString shows the event in a failure's message.
func (e Event) GomegaString() string {
	text := fmt.Sprintf("%s (si_code %d, si_pid %d", SignalName(e.Signal), e.Info.Code(), e.Info.PID())
	if e.InCall {
		text += ", during a call"
	}
	return text + ")"
}

// AltStack is stack_t of sigaltstack(2).
type AltStack struct {
	SP    uint64
	Flags int32
	Size  uint64
}

// Siginfo is the kernel's siginfo_t, with the fields of its union as their offsets on 64-bit Linux.
type Siginfo struct {
	Raw [128]byte

	looks *Looks // under an interposer
}

// Looks says which words of a siginfo_t a spec has read through Siginfo's methods: bit n is the
// word at byte 4n.
type Looks uint32

// Has says whether the word at that byte was read.
func (l Looks) Has(off int) bool { return l&(1<<(off/4)) != 0 }

// Looks returns what has been read of this siginfo_t, and of its copies, by now.
func (s Siginfo) Looks() Looks {
	if s.looks == nil {
		return 0
	}
	return *s.looks
}

func (s Siginfo) at(off int) int32 {
	if s.looks != nil {
		*s.looks |= 1 << (off / 4)
	}
	return int32(binary.NativeEndian.Uint32(s.Raw[off:]))
}

func (s Siginfo) at64(off int) uint64 {
	s.at(off)
	s.at(off + 4)
	return binary.NativeEndian.Uint64(s.Raw[off:])
}

// Signo is si_signo.
func (s Siginfo) Signo() unix.Signal { return unix.Signal(s.at(0)) }

// Errno is si_errno.
func (s Siginfo) Errno() int { return int(s.at(4)) }

// Code is si_code.
func (s Siginfo) Code() int { return int(s.at(8)) }

// PID is si_pid.
func (s Siginfo) PID() int { return int(s.at(16)) }

// UID is si_uid.
func (s Siginfo) UID() int { return int(s.at(20)) }

// Status is si_status of SIGCHLD.
func (s Siginfo) Status() int { return int(s.at(24)) }

// Value is si_value, as a 64-bit pointer or its lower half as an integer.
func (s Siginfo) Value() uint64 { return s.at64(24) }

// TimerID is si_timerid, and Overrun si_overrun, of a POSIX timer.
func (s Siginfo) TimerID() int { return int(s.at(16)) }

// Overrun is si_overrun.
func (s Siginfo) Overrun() int { return int(s.at(20)) }

// Addr is si_addr of a fault.
func (s Siginfo) Addr() uint64 { return s.at64(16) }

// Band is si_band of SIGIO.
func (s Siginfo) Band() int64 { return int64(s.at64(16)) }

// FD is si_fd of SIGIO.
func (s Siginfo) FD() int { return int(s.at(24)) }

// Events returns what the recording handlers have recorded by now, in order.
func (a *Actor) Events() []Event {
	n := int(min(atomic.LoadUint64(word64(a.mem, slotEvents)), maxEvents))
	var events []Event
	for i := range n {
		off := slotLog + i*eventSize
		entry := a.mem[off : off+eventSize]
		if atomic.LoadUint32(word32(entry, eventValid)) == 0 {
			break // being written
		}
		e := Event{
			Signal: unix.Signal(*word32(entry, eventSignal)),
			Mask:   *word64(entry, eventMask),
			SP:     *word64(entry, eventSP),
			OldSP:  *word64(entry, eventOldSP),
			PC:     *word64(entry, eventPC),
			Order:  int(*word64(entry, eventOrder)),
			InCall: *word32(entry, eventState) == stateCall,
			Depth:  int(*word32(entry, eventDepth)),
			AltStack: AltStack{
				SP:    *word64(entry, eventStack),
				Flags: int32(*word32(entry, eventStack+8)),
				Size:  *word64(entry, eventStack+16),
			},
		}
		copy(e.Info.Raw[:], entry[eventInfo:])
		if interposer != nil {
			for len(a.looks) <= i {
				a.looks = append(a.looks, new(Looks))
			}
			e.Info.looks = a.looks[i]
		}
		events = append(events, e)
	}
	if interposer != nil {
		return interposer.Delivered(a, events)
	}
	return events
}

// AwaitEvents waits until at least n events are recorded and returns all; a deviation after the
// limit.
func (a *Actor) AwaitEvents(n int) []Event {
	var events []Event
	if !a.await(func() bool {
		if int(atomic.LoadUint64(word64(a.mem, slotEvents))) < n {
			return false
		}
		events = a.Events()
		return len(events) >= n
	}) {
		stage.Fail(fmt.Sprintf("%s has recorded %d signals, not %d: %s", a.name, len(a.Events()), n, a.state()), 1)
	}
	return events
}

// NextEvent waits for the first event that it has not returned yet; a deviation after the limit.
func (a *Actor) NextEvent() Event {
	events := a.AwaitEvents(a.seen + 1)
	a.seen++
	return events[a.seen-1]
}
