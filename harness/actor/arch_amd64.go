package actor

import "debug/elf"

// What image.go and signals.go must know of the architecture.
const (
	machine = elf.EM_X86_64

	// Places in the program, fixed by PCALIGN in loop_amd64.s.
	offsetRestorer = 64
	offsetHandler  = 128
	offsetLanding  = 192

	saRestorer = 0x04000000 // SA_RESTORER: the kernel of this architecture insists on it
)
