// The actor's program for amd64. It is never run in the Go process: its bytes are copied into the
// image that actors execute (image.go), so it must not refer to any symbol. PCALIGN fixes the
// places that the outside must know: entry, restorer, handler and fault landing stand at
// multiples of 64 from the start.
//
// R15 holds the slot and R14 the command frame at all times; no instruction here uses the stack,
// so that the loop can also run inside a signal handler and leave it by RET.

#include "textflag.h"
#include "go_asm.h"

#define SYS_mmap 9
#define SYS_rt_sigreturn 15
#define SYS_close 3
#define SYS_exit_group 231
#define SYS_futex 202
#define FUTEX_WAIT 0
#define FUTEX_WAKE 1
#define EFAULT 14

// struct ucontext
#define UC_STACK 16
#define UC_R14 88
#define UC_R15 96
#define UC_SP 160
#define UC_PC 168
#define UC_SIGMASK 296

// The first five arguments of a system call, into their registers.
#define LOAD_ARGUMENTS \
	MOVQ (const_frameArgs+0)(R14), DI; \
	MOVQ (const_frameArgs+8)(R14), SI; \
	MOVQ (const_frameArgs+16)(R14), DX; \
	MOVQ (const_frameArgs+24)(R14), R10; \
	MOVQ (const_frameArgs+32)(R14), R8

// Something has happened: count it, and wake the Go process; where it is awake, go to that label.
#define TELL(awake) \
	LOCK; \
	INCL const_slotActivity(R15); \
	CMPL const_slotWaiting(R15), $0; \
	JEQ awake; \
	LEAQ const_slotActivity(R15), DI; \
	MOVL $FUTEX_WAKE, SI; \
	MOVL $0x7fffffff, DX; \
	MOVL $SYS_futex, AX; \
	SYSCALL

// func image() (start unsafe.Pointer)
TEXT ·image(SB), NOSPLIT, $0-8
	LEAQ ·loop(SB), AX
	MOVQ AX, start+0(FP)
	RET

TEXT ·loop(SB), NOSPLIT|NOFRAME, $0-0
	JMP start

	PCALIGN $64 // offsetRestorer
	MOVL $SYS_rt_sigreturn, AX
	SYSCALL

	PCALIGN $64 // offsetHandler
	JMP handler

	PCALIGN $64 // offsetLanding
	MOVQ $-EFAULT, AX
	JMP done

	PCALIGN $64 // offsetExecuted
	JMP done

	PCALIGN $64
start:
	// argv[0] carries two bytes: the arena's descriptor and the slot's number, each plus one.
	MOVQ 8(SP), SI
	MOVBLZX 0(SI), R8
	DECL R8
	MOVBLZX 1(SI), R12
	DECL R12
	MOVQ R8, R13
	MOVQ $const_arenaBase, DI
	MOVL $const_arenaSize, SI
	MOVL $3, DX     // PROT_READ|PROT_WRITE
	MOVL $0x11, R10 // MAP_SHARED|MAP_FIXED
	XORL R9, R9
	MOVL $SYS_mmap, AX
	SYSCALL
	MOVQ $const_arenaBase, R15
	CMPQ AX, R15
	JNE fail
	MOVQ R13, DI
	MOVL $SYS_close, AX
	SYSCALL
	IMULQ $const_slotSize, R12
	ADDQ R12, R15
	XORL AX, AX // an execve that was asked for has succeeded
hello:
	// A new image or a new clone in the slot at R15, with the result AX.
	// The hello comes last: with it the Go process may give a command, which must not be taken
	// for one that is done already.
	LEAQ const_slotFrames(R15), R14
	MOVL $0, const_slotDepth(R15)
	MOVQ AX, const_frameResult(R14)
	MOVL $const_stateIdle, const_frameState(R14)
	MOVL const_frameCommand(R14), AX
	MOVL AX, const_frameDone(R14)
	LOCK
	INCL const_slotHello(R15)
	JMP tell

fail:
	MOVL $127, DI
	MOVL $SYS_exit_group, AX
	SYSCALL

	// The result of a command is in AX: hand it over.
done:
	MOVQ AX, const_frameResult(R14)
	MOVL $const_stateIdle, const_frameState(R14)
	MOVL const_frameCommand(R14), AX
	MOVL AX, const_frameDone(R14)
tell:
	TELL(idle)

idle:
	MOVL const_slotSpin(R15), CX
spin:
	MOVL const_frameCommand(R14), DX
	CMPL DX, const_frameDone(R14)
	JNE command
	TESTL CX, CX
	JEQ sleep
	DECL CX
	PAUSE
	JMP spin
sleep:
	// Sleep until the command counter differs from DX. The exchange is a full barrier: either
	// the Go process sees that this actor is asleep, or the kernel sees the new counter.
	MOVL $1, AX
	XCHGL AX, const_frameAsleep(R14)
	LEAQ const_frameCommand(R14), DI
	MOVL $FUTEX_WAIT, SI
	XORL R10, R10
	MOVL $SYS_futex, AX
	SYSCALL
	MOVL $0, const_frameAsleep(R14)
	JMP idle

command:
	MOVL const_frameOp(R14), AX
	CMPL AX, $const_opCall
	JEQ call
	CMPL AX, $const_opRepeat
	JEQ repeat
	CMPL AX, $const_opClone
	JEQ clone
	CMPL AX, $const_opReturn
	JEQ return
	CMPL AX, $const_opCopy
	JEQ copy
	CMPL AX, $const_opTrap
	JEQ trap
	JMP fail

call:
	LOAD_ARGUMENTS
	MOVQ (const_frameArgs+40)(R14), R9
	MOVQ const_frameNr(R14), AX
	MOVL $const_stateCall, const_frameState(R14)
	SYSCALL
	JMP done

repeat:
	MOVQ const_frameRepeat(R14), R12
	MOVL $const_stateCall, const_frameState(R14)
	XORL AX, AX
again:
	TESTQ R12, R12
	JEQ done
	LOAD_ARGUMENTS
	MOVQ (const_frameArgs+40)(R14), R9
	MOVQ const_frameNr(R14), AX
	SYSCALL
	TESTQ AX, AX
	JLT done
	INCQ const_frameCompleted(R14)
	ADDQ AX, const_frameTotal(R14)
	DECQ R12
	CMPQ const_frameAdvance(R14), $0
	JEQ again
	ADDQ AX, (const_frameArgs+8)(R14)
	JMP again

clone:
	LOAD_ARGUMENTS
	MOVQ (const_frameArgs+40)(R14), R12
	MOVQ const_frameNr(R14), AX
	MOVL $const_stateCall, const_frameState(R14)
	SYSCALL
	TESTQ AX, AX
	JNE done
	MOVQ R12, R15
	JMP hello

copy:
	MOVQ (const_frameArgs+0)(R14), DI
	MOVQ (const_frameArgs+8)(R14), SI
	MOVQ (const_frameArgs+16)(R14), CX
	MOVL $const_stateTouch, const_frameState(R14)
	CLD
	REP; MOVSB
	XORL AX, AX
	JMP done

trap:
	MOVL $const_stateTouch, const_frameState(R14)
	MOVQ const_frameArgs(R14), AX
	CMPQ AX, $1
	JEQ breakpoint
	CMPQ AX, $2
	JEQ divide
	CMPQ AX, $3
	JEQ execute
	UD2
breakpoint:
	INT $3
	XORL AX, AX
	JMP done
divide:
	XORL DX, DX
	XORL CX, CX
	DIVQ CX
	JMP done
execute:
	// Code of the spec's own, which comes back by a jump to BX with its result in AX.
	MOVQ (const_frameArgs+8)(R14), AX
	MOVQ $(const_codeBase+const_offsetExecuted), BX
	JMP AX

	// A parked handler's frame is left: first the depth, then the answer, so that the Go
	// process finds the frame below when it looks. RET finds the restorer on the stack.
return:
	DECL const_slotDepth(R15)
	MOVQ $0, const_frameResult(R14)
	MOVL const_frameCommand(R14), AX
	MOVL AX, const_frameDone(R14)
	TELL(leave)
leave:
	RET

	// The handler of every signal: DI signal, SI siginfo, DX ucontext. The interrupted code kept
	// its slot and frame in R15 and R14, wherever it was.
handler:
	MOVQ UC_R15(DX), R15
	MOVQ UC_R14(DX), R14
	MOVL DI, R13
	MOVQ DX, R12
	MOVL const_frameState(R14), R11
	MOVQ $1, R10
	LOCK
	XADDQ R10, const_slotEvents(R15)
	CMPQ R10, $const_maxEvents
	JGE recorded
	IMULQ $const_eventSize, R10
	LEAQ const_slotLog(R15)(R10*1), BX
	LEAQ const_eventInfo(BX), DI
	MOVL $16, CX
	CLD
	REP; MOVSQ
	MOVQ UC_SIGMASK(R12), AX
	MOVQ AX, const_eventMask(BX)
	MOVQ SP, const_eventSP(BX)
	MOVQ UC_SP(R12), AX
	MOVQ AX, const_eventOldSP(BX)
	MOVQ UC_PC(R12), AX
	MOVQ AX, const_eventPC(BX)
	MOVQ $const_arenaBase, CX
	MOVQ $1, AX
	LOCK
	XADDQ AX, const_arenaOrder(CX)
	MOVQ AX, const_eventOrder(BX)
	MOVL R11, const_eventState(BX)
	MOVL R13, const_eventSignal(BX)
	MOVL const_slotDepth(R15), AX
	MOVL AX, const_eventDepth(BX)
	MOVQ (UC_STACK+0)(R12), AX
	MOVQ AX, (const_eventStack+0)(BX)
	MOVQ (UC_STACK+8)(R12), AX
	MOVQ AX, (const_eventStack+8)(BX)
	MOVQ (UC_STACK+16)(R12), AX
	MOVQ AX, (const_eventStack+16)(BX)
	MOVL $1, const_eventValid(BX)
recorded:
	// A fault while touching memory would come again and again: end that command instead.
	CMPL R11, $const_stateTouch
	JNE parking
	CMPL R13, $7  // SIGBUS
	JEQ land
	CMPL R13, $11 // SIGSEGV
	JEQ land
	CMPL R13, $4  // SIGILL
	JEQ land
	CMPL R13, $8  // SIGFPE
	JNE parking
land:
	MOVQ $(const_codeBase+const_offsetLanding), AX
	MOVQ AX, UC_PC(R12)
parking:
	MOVL R13, CX
	DECL CX
	MOVQ const_slotPark(R15), AX
	BTQ CX, AX
	JCC unparked
	// Park: go on with the next frame, inside the handler. Its last command counts as done.
	MOVL const_slotDepth(R15), AX
	INCL AX
	CMPL AX, $const_maxDepth
	JGE fail
	MOVL AX, CX
	IMULQ $const_frameSize, CX
	LEAQ const_slotFrames(R15)(CX*1), R14
	MOVL const_frameCommand(R14), CX
	MOVL CX, const_frameDone(R14)
	MOVL $const_stateIdle, const_frameState(R14)
	MOVL AX, const_slotDepth(R15)
	JMP tell
unparked:
	TELL(leave)
	RET

	PCALIGN $64
	BYTE $'i'; BYTE $'p'; BYTE $'c'; BYTE $'s'; BYTE $'p'; BYTE $'e'; BYTE $'c'; BYTE $'.'
