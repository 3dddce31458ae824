package actor

// A Trap is an instruction that a processor does not carry out.
type Trap int

// The traps that the actor's program has on every architecture, where it traps at all.
const (
	TrapIllegal    Trap = 0 // one that does not exist: SIGILL
	TrapBreakpoint Trap = 1 // a breakpoint: SIGTRAP, after which the program goes on
	TrapDivide     Trap = 2 // a division by zero: SIGFPE
)

// Trap has the actor execute an instruction that traps. The call returns 0 where the program went
// on behind it, and EFAULT where a handler of SIGILL, SIGFPE, SIGSEGV or SIGBUS has caught what came
// of it; without a handler the actor dies.
func (c Caller) Trap(kind Trap) *Call {
	call := c.prepare(0, int(kind))
	call.op = opTrap
	return call.post(c)
}
