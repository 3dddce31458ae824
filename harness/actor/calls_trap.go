package actor

import "golang.org/x/sys/unix"

// A Trap is an instruction that a processor does not carry out.
type Trap int

// The traps that the actor's program has on every architecture, where it traps at all.
const (
	TrapIllegal    Trap = 0 // one that does not exist: SIGILL
	TrapBreakpoint Trap = 1 // a breakpoint: SIGTRAP, after which the program goes on
	TrapDivide     Trap = 2 // a division by zero: SIGFPE

	trapExecute Trap = 3
)

// Trap has the actor execute an instruction that traps. The call returns 0 where the program went
// on behind it, and EFAULT where a handler of SIGILL, SIGFPE, SIGSEGV or SIGBUS has caught what came
// of it; without a handler the actor dies.
func (c Caller) Trap(kind Trap) *Call {
	call := c.prepare(0, int(kind))
	call.op = opTrap
	return call.post(c)
}

// Executable returns memory that holds machine code which the actor can execute.
func (a *Actor) Executable(code []byte) Mem {
	n := align(max(len(code), 1), wholePage)
	m := a.AllocAligned(n, wholePage)
	copy(m.view, code)
	must(a.setup().call(unix.SYS_MPROTECT, m, n, unix.PROT_READ|unix.PROT_WRITE|unix.PROT_EXEC))
	return m.Sub(0, len(code))
}

// Execute has the actor execute machine code (see Executable), which ends with CodeReturn. The call
// returns what the code left in the register of results, or as Trap does.
func (c Caller) Execute(code Mem) *Call {
	call := c.prepare(0, int(trapExecute), code)
	call.op = opTrap
	return call.post(c)
}
