package actor

// The layout of the memory that an actor and the Go process share. The assembly routine sees the
// same constants through go_asm.h, so they are written down once, here.
const (
	// Where an actor maps its arena and its image. Both are below 2^38, free in a fresh static
	// image on every 64-bit architecture, and far from the stack and the vDSO.
	arenaBase = 0x1000000000
	imageBase = 0x400000

	slotSize  = 4 << 20 // one slot an actor (a process or a thread) of the arena
	slotCount = 16
	arenaSize = slotSize * slotCount

	// A slot.
	slotActivity = 0   // uint32, futex: counts everything the actor has to tell
	slotWaiting  = 4   // uint32: the Go process sleeps on slotActivity
	slotDepth    = 8   // uint32: 0 outside handlers, else the number of parked handlers
	slotHello    = 12  // uint32: counts the starts of an image or clone in this slot
	slotTID      = 16  // uint32: cleared by the kernel when a thread ends (CLONE_CHILD_CLEARTID)
	slotSpin     = 20  // uint32: how often an idle actor looks before it sleeps
	slotPark     = 24  // uint64: bit n-1: the handler of signal n parks
	slotEvents   = 32  // uint64: events recorded
	slotNested   = 40  // uint32: the depth below which a command frame may not be entered
	slotFrames   = 256 // the command frames, one a depth
	frameSize    = 128
	maxDepth     = 16

	slotLog   = 0x1000 // the event log
	eventSize = 256
	maxEvents = 1024

	slotStack = 0x41000 // a thread's stack, growing down from slotData
	slotData  = 0x51000 // buffers, to the end of the slot

	// The order of events over all actors of an arena is drawn from one counter, which lives in
	// the control page of slot 0, past its frames.
	//lint:ignore U1000 the handler in loop_*.s uses it
	arenaOrder = slotFrames + frameSize*maxDepth

	// A command frame.
	frameCommand   = 0   // uint32, futex: counts the commands given
	frameDone      = 4   // uint32: counts the commands done
	frameOp        = 8   // uint32: op…
	frameState     = 12  // uint32: state…
	frameNr        = 16  // uint64: system call number
	frameArgs      = 24  // 6 x uint64
	frameResult    = 72  // int64
	frameRepeat    = 80  // uint64: how often (opRepeat)
	frameCompleted = 88  // uint64: how often it has succeeded
	frameTotal     = 96  // int64: the sum of the results
	frameAdvance   = 104 // uint64: 1: add each result to the second argument
	frameAsleep    = 112 // uint32: the actor is about to sleep in wait of a command

	// Commands.
	opCall   = 1 // make one system call
	opRepeat = 2 // make it frameRepeat times, until it fails
	opCopy   = 3 // copy args[2] bytes from args[1] to args[0]
	opClone  = 4 // clone(args[0..4]); the child goes on in the slot at args[5]
	opReturn = 5 // leave the parked handler
	opTrap   = 6 // execute an instruction that traps: args[0] selects it (Trap…), 3 the code at args[1]

	// What a frame is doing, for those who look at it.
	stateIdle  = 0
	stateCall  = 1 // about to enter, or in, the kernel for the call that was asked for
	stateTouch = 2 // touching memory (opCopy) or trapping; a fault ends the command

	// An event.
	eventInfo   = 0   // siginfo_t, 128 bytes
	eventMask   = 128 // uint64: the mask to be restored (uc_sigmask)
	eventSP     = 136 // uint64: stack pointer at the handler's entry
	eventOldSP  = 144 // uint64: stack pointer where it was interrupted
	eventPC     = 152 // uint64: program counter where it was interrupted
	eventOrder  = 160 // uint64: place in the order of the whole arena
	eventState  = 168 // uint32: frameState when it was interrupted
	eventSignal = 172 // uint32: the handler's first argument
	eventDepth  = 176 // uint32: depth at entry
	eventStack  = 184 // stack_t of the ucontext, 24 bytes
	eventValid  = 248 // uint32: 1 once all of the above is written
)
