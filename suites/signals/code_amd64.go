package signals

import (
	"encoding/binary"
	"slices"

	"github.com/ipcspec/ipcspec/harness/actor"
)

// Machine code that actors execute, for faults that their own program does not raise. What a fault
// lands in ends the code; the rest ends by a jump back, with a result in RAX.

func thenReturn(code ...byte) []byte { return slices.Concat(code, actor.CodeReturn) }

var (
	// Registers and the carry flag hold values, a breakpoint traps, and the sum of them all, less the
	// carry, is the result: codeRegistersSum.
	codeRegisters = thenReturn(
		0x48, 0xb8, 0x01, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, // MOV RAX, 0x1111111111111101
		0x48, 0xb9, 0x02, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, // MOV RCX, …02
		0x48, 0xba, 0x03, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, // MOV RDX, …03
		0x48, 0xbe, 0x04, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, // MOV RSI, …04
		0x48, 0xbf, 0x05, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, // MOV RDI, …05
		0x48, 0xbd, 0x06, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, // MOV RBP, …06
		0x49, 0xb8, 0x07, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, // MOV R8, …07
		0x49, 0xb9, 0x08, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, // MOV R9, …08
		0x49, 0xba, 0x09, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, // MOV R10, …09
		0x49, 0xbb, 0x0a, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, // MOV R11, …0a
		0x49, 0xbc, 0x0b, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, // MOV R12, …0b
		0x49, 0xbd, 0x0c, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, // MOV R13, …0c
		0xf9,                   // STC
		0xcc,                   // INT3
		0x48, 0x83, 0xd8, 0x00, // SBB RAX, 0
		0x48, 0x01, 0xc8, 0x48, 0x01, 0xd0, 0x48, 0x01, 0xf0, 0x48, 0x01, 0xf8, 0x48, 0x01, 0xe8, // ADD RAX, RCX, …
		0x4c, 0x01, 0xc0, 0x4c, 0x01, 0xc8, 0x4c, 0x01, 0xd0, 0x4c, 0x01, 0xd8, 0x4c, 0x01, 0xe0, 0x4c, 0x01, 0xe8,
	)
	codeRegistersSum = uint64(0xcccccccccccccc00 + 78 - 1)

	// A breakpoint, behind which the result is 1, or 2 where it goes on at codeOtherWay.
	codeTwoWays  = thenReturn(slices.Concat([]byte{0xcc}, thenReturn(0xb8, 1, 0, 0, 0), []byte{0xb8, 2, 0, 0, 0})...)
	codeOtherWay = uint64(8)

	// PUSH RAX without end.
	codeExhaustStack = []byte{0x50, 0xeb, 0xfd}

	// What the actor's own trampoline does: rt_sigreturn.
	codeTrampoline = []byte{0xb8, 0x0f, 0, 0, 0, 0x0f, 0x05}

	codeBreakpoint = thenReturn(0xcc)

	// sched_yield, made from outside of the actor's program; the instruction behind the call is at
	// codeBehindYield.
	codeYield       = thenReturn(0xb8, 24, 0, 0, 0, 0x0f, 0x05)
	codeBehindYield = uint64(7)

	codePrivileged   = []byte{0xf4}                                                                                        // HLT
	codeForbiddenInt = []byte{0xcd, 0x21}                                                                                  // INT 0x21
	codeNonCanonical = []byte{0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0x10, 0x8a, 0x00}                                           // MOV AL, [0x1000000000000000]
	codeOverflow     = []byte{0xb8, 0, 0, 0, 0x80, 0xba, 0xff, 0xff, 0xff, 0xff, 0xb9, 0xff, 0xff, 0xff, 0xff, 0xf7, 0xf9} // the least int / −1

	// Four instructions while the trap flag is set, or rather three that trap and the one that ends it.
	codeSingleStep = thenReturn(
		0x9c, 0x48, 0x81, 0x0c, 0x24, 0, 1, 0, 0, 0x9d, // the flag on
		0x90,                                                       // NOP
		0x9c, 0x48, 0x81, 0x24, 0x24, 0xff, 0xfe, 0xff, 0xff, 0x9d, // and off
		0xb8, 7, 0, 0, 0, // MOV EAX, 7
	)

	// A load of four bytes from an odd address with the alignment check on.
	codeMisaligned = thenReturn(
		0x9c, 0x48, 0x81, 0x0c, 0x24, 0, 0, 4, 0, 0x9d,
		0x8b, 0x44, 0x24, 0x01,
		0x9c, 0x48, 0x81, 0x24, 0x24, 0xff, 0xff, 0xfb, 0xff, 0x9d,
	)
)

// stackEntry is what a stack pointer is modulo 16 at a function's entry: below it is the return address.
const stackEntry = 8

// The vector registers, and how many bytes they have together with their control word.
const (
	vectorRegisters = 16
	vectorState     = vectorRegisters*16 + 4
)

// moveVectors moves the vector registers and their control word from memory or into it.
func moveVectors(m actor.Mem, store bool) []byte {
	move, control := byte(0x6f), byte(0x90) // MOVDQU XMM, [RAX + …]; LDMXCSR [RAX + …]
	if store {
		move, control = 0x7f, 0x98
	}
	code := binary.LittleEndian.AppendUint64([]byte{0x48, 0xb8}, m.Addr) // MOV RAX, address
	for i := range vectorRegisters {
		code = append(code, 0xf3)
		if i >= 8 {
			code = append(code, 0x44)
		}
		code = binary.LittleEndian.AppendUint32(append(code, 0x0f, move, 0x80|byte(i%8)<<3), uint32(16*i))
	}
	return binary.LittleEndian.AppendUint32(append(code, 0x0f, 0xae, control), vectorRegisters*16)
}

// codeLoadVectors loads the vector registers, with the result 1.
func codeLoadVectors(from actor.Mem) []byte {
	return thenReturn(append(moveVectors(from, false), 0xb8, 1, 0, 0, 0)...)
}

// codeVectors loads the vector registers, meets a breakpoint, and stores them, with the result 1.
func codeVectors(from, to actor.Mem) []byte {
	return thenReturn(slices.Concat(moveVectors(from, false), []byte{0xcc}, moveVectors(to, true), []byte{0xb8, 1, 0, 0, 0})...)
}

// codeFloat divides or multiplies two numbers of single precision with one exception unmasked.
func codeFloat(unmask uint32, x, y uint32, op byte) []byte {
	le := func(v uint32) []byte { return []byte{byte(v), byte(v >> 8), byte(v >> 16), byte(v >> 24)} }
	return slices.Concat(
		[]byte{0x48, 0x83, 0xec, 0x10},       // SUB RSP, 16
		[]byte{0xc7, 0x04, 0x24}, le(unmask), // MOV DWORD [RSP], the control word
		[]byte{0x0f, 0xae, 0x14, 0x24}, // LDMXCSR [RSP]
		[]byte{0x48, 0x83, 0xc4, 0x10}, // ADD RSP, 16
		[]byte{0xb8}, le(x),            // MOV EAX, x
		[]byte{0x66, 0x0f, 0x6e, 0xc0}, // MOVD XMM0, EAX
		[]byte{0xb8}, le(y),            // MOV EAX, y
		[]byte{0x66, 0x0f, 0x6e, 0xc8}, // MOVD XMM1, EAX
		[]byte{0xf3, 0x0f, op, 0xc1},   // DIVSS or MULSS XMM0, XMM1
		actor.CodeReturn,
	)
}

var (
	codeSystemCall = []byte{0x0f, 0x05} // SYSCALL

	// A loop without end, and behind it, at codeSpinEnd, a way out with the result 3.
	codeSpin    = thenReturn(0xf3, 0x90, 0xeb, 0xfc, 0xb8, 3, 0, 0, 0)
	codeSpinEnd = uint64(4)

	// A breakpoint on the way to rt_sigreturn.
	codeTracedTrampoline = slices.Concat([]byte{0xcc}, codeTrampoline)

	// Where the breakpoint of codeRegisters ends.
	codeRegistersTrap = uint64(0x7a)
)

var (
	codeIllegal = []byte{0x0f, 0x0b}       // UD2
	codeDivide  = []byte{0x48, 0xf7, 0xf1} // DIV RCX

	// Where the instruction is that faults.
	codeMisalignedLoad = uint64(10)
	codeOverflowDivide = uint64(15)
	codeFloatOp        = uint64(37)

	// Where codeSingleStep is after each instruction that traps.
	codeSingleStepAt = []uint64{11, 12, 20, 21}
)

const (
	opMultiply = 0x59
	opDivide   = 0x5e
)
