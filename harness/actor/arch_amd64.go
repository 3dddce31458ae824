package actor

import "debug/elf"

// What image.go and signals.go must know of the architecture.
const (
	machine = elf.EM_X86_64

	// Places in the program, fixed by PCALIGN in loop_amd64.s.
	offsetRestorer = 64
	offsetHandler  = 128
	offsetLanding  = 192
	offsetExecuted = 256

	saRestorer = 0x04000000 // SA_RESTORER: the kernel of this architecture insists on it

	// struct ucontext, which is above the return address at a handler's entry.
	ucontextAtEntry = 8
	ucStack         = 16
	ucResult        = 144
	ucSP            = 160
	ucPC            = 168
	ucMask          = 296
)
