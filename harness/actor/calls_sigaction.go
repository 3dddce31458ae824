package actor

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// What a disposition may be instead of a handler's address.
const (
	SIG_DFL = sigDefault
	SIG_IGN = sigIgnore
)

// SA_RESTORER says that sa_restorer is the address of the code that a handler returns to.
const SA_RESTORER = saRestorer

// SS_… flags of sigaltstack(2).
const (
	SS_ONSTACK    = 1
	SS_DISABLE    = 2
	SS_AUTODISARM = -1 << 31
)

// A Disposition is struct sigaction as the kernel knows it.
type Disposition struct {
	Handler  uint64 // an address, SIG_DFL or SIG_IGN
	Flags    uint64
	Restorer uint64
	Mask     uint64
}

// Recording returns the disposition that has the recording handler catch a signal.
func Recording(flags, mask uint64) Disposition {
	return Disposition{
		Handler: codeBase + offsetHandler, Flags: flags | saRestorer, Restorer: codeBase + offsetRestorer, Mask: mask,
	}
}

func (d Disposition) bytes() []byte {
	var b []byte
	for _, v := range []uint64{d.Handler, d.Flags, d.Restorer, d.Mask} {
		b = binary.NativeEndian.AppendUint64(b, v)
	}
	return b
}

// RtSigaction is rt_sigaction(2) with a Disposition, a Mem or nil to install; the old one is in
// Call.Disposition.
func (c Caller) RtSigaction(sig unix.Signal, act any) *Call {
	if d, ok := act.(Disposition); ok {
		act = d.bytes()
	}
	return c.into2(unix.SYS_RT_SIGACTION, 32, 2, sig, act, nil, sigsetSize)
}

// Disposition waits for an rt_sigaction and returns the old disposition that it stored.
func (c *Call) Disposition() Disposition {
	c.regard |= Inspected
	c.wait()
	if len(c.data) < 32 {
		return Disposition{}
	}
	at := func(off int) uint64 { return binary.NativeEndian.Uint64(c.data[off:]) }
	return Disposition{Handler: at(0), Flags: at(8), Restorer: at(16), Mask: at(24)}
}

// A SavedContext is the ucontext_t of a signal handler: what the kernel saved on the stack, and
// restores from there when the handler returns.
type SavedContext struct {
	// Result is the register that holds a system call's result, PC the program counter, SP the stack
	// pointer, Mask the signal mask, and Stack the stack_t of the alternate stack.
	Result, PC, SP, Mask, Stack Mem
}

// SavedContext returns the memory of a handler's context, which must be on an alternate stack that
// is shared with the Go process (Alloc).
func (a *Actor) SavedContext(e Event) SavedContext {
	m := a.ucontext(e)
	return SavedContext{
		Result: m.Sub(ucResult, 8), PC: m.Sub(ucPC, 8), SP: m.Sub(ucSP, 8), Mask: m.Sub(ucMask, 8), Stack: m.Sub(ucStack, 24),
	}
}

func (a *Actor) ucontext(e Event) Mem {
	const size = 512
	addr := e.SP + ucontextAtEntry
	view := a.view(addr, size)
	if view == nil {
		stage.Unresolved("a handler's context is out of reach: it is not on an alternate stack made by Alloc", 2)
	}
	return Mem{Addr: addr, view: view, n: size}
}
