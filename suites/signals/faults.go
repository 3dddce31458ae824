package signals

import (
	"encoding/binary"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// Values of si_code for faults.
const (
	illIllOpn   = 2
	fpeIntDiv   = 1
	fpeFltDiv   = 3
	fpeFltOvf   = 4
	fpeFltUnd   = 5
	fpeFltRes   = 6
	fpeFltInv   = 7
	segvMapErr  = 1
	segvAccErr  = 2
	segvPkuErr  = 4
	busAdrAln   = 1
	busAdrErr   = 2
	busMceerrAR = 4
	busMceerrAO = 5
	trapTrace   = 2
)

// catchFault installs the recording handler for a fault's signal.
func catchFault(a *actor.Actor, sig unix.Signal) {
	GinkgoHelper()
	setAction(a, sig, recordingSiginfo(0), noAction)
}

// expectFault checks the only signal that an actor has caught.
func expectFault(a *actor.Actor, sig unix.Signal, code int, addr uint64) actor.Event {
	GinkgoHelper()
	Expect(a).To(Catch(sig))
	e := a.Events()[0]
	Expect(e.Info.Code()).To(Equal(code), "si_code")
	Expect(e.Info.Errno()).To(BeZero(), "si_errno")
	Expect(e.Info.Addr()).To(Equal(addr), "si_addr")
	return e
}

var _ = Describe("The siginfo of a fault", func() {
	for _, c := range []struct {
		name string
		data func(a *actor.Actor) actor.Mem
	}{
		{"unmapped memory", func(a *actor.Actor) actor.Mem { return a.Unmapped().At(123) }},
		{"the null pointer", func(*actor.Actor) actor.Mem { return actor.Null }},
		{"behind a mapping", func(a *actor.Actor) actor.Mem { return a.PageEnd(1).At(1) }},
	} {
		Clause("siginfo.segv-maperr", c.name, func() {
			a := actor.New()
			catchFault(a, unix.SIGSEGV)
			at := c.data(a)

			Expect(a.Store(at, []byte{1})).To(FailWith(unix.EFAULT))
			expectFault(a, unix.SIGSEGV, segvMapErr, at.Addr)
		})

		Clause("siginfo.segv-maperr-read", c.name, func() {
			a := actor.New()
			catchFault(a, unix.SIGSEGV)
			at := c.data(a)

			Expect(a.Load(at, 1)).To(FailWith(unix.EFAULT))
			expectFault(a, unix.SIGSEGV, segvMapErr, at.Addr)
		})
	}

	Clause("siginfo.segv-accerr", "write to read-only memory", func() {
		a := actor.New()
		catchFault(a, unix.SIGSEGV)
		at := a.ReadOnly(make([]byte, 200)).At(77)

		Expect(a.Store(at, []byte{1})).To(FailWith(unix.EFAULT))
		expectFault(a, unix.SIGSEGV, segvAccErr, at.Addr)
	})

	Clause("siginfo.segv-accerr", "read of PROT_NONE", func() {
		a := actor.New()
		catchFault(a, unix.SIGSEGV)
		at := a.NoAccess().At(77)

		Expect(a.Load(at, 1)).To(FailWith(unix.EFAULT))
		expectFault(a, unix.SIGSEGV, segvAccErr, at.Addr)
	})

	Clause("siginfo.segv-accerr", "execution of data", func() {
		a := actor.New()
		catchFault(a, unix.SIGSEGV)
		data := a.Bytes(codeBreakpoint)

		Expect(a.Execute(data)).To(FailWith(unix.EFAULT))
		e := expectFault(a, unix.SIGSEGV, segvAccErr, data.Addr)
		Expect(e.PC).To(Equal(data.Addr))
	})

	Clause("siginfo.segv-pkuerr", func() {
		const disableWrite = 2
		a := actor.New()
		catchFault(a, unix.SIGSEGV)
		key := a.Raw(unix.SYS_PKEY_ALLOC, 0, disableWrite)
		Presuppose(key.OK(), "memory protection keys, which this processor or kernel does not have")
		m := a.AllocAligned(altStackSize, altStackSize)
		Expect(a.Raw(unix.SYS_PKEY_MPROTECT, m, altStackSize, unix.PROT_READ|unix.PROT_WRITE, key.Value())).To(Return(0))

		Expect(a.Store(m.At(77), []byte{1})).To(FailWith(unix.EFAULT))
		e := expectFault(a, unix.SIGSEGV, segvPkuErr, m.At(77).Addr)
		Expect(siginfoWord(e, 32)).To(BeEquivalentTo(key.Value()))
	})

	Clause("siginfo.segv-kernel", "HLT", func() {
		a := actor.New()
		catchFault(a, unix.SIGSEGV)
		code := a.Executable(codePrivileged)

		Expect(a.Execute(code)).To(FailWith(unix.EFAULT))
		e := expectFault(a, unix.SIGSEGV, actor.SI_KERNEL, 0)
		Expect(e.PC).To(Equal(code.Addr))
	})

	for _, c := range []struct {
		name string
		code []byte
	}{{"INT 0x21", codeForbiddenInt}, {"a non-canonical address", codeNonCanonical}} {
		Clause("siginfo.segv-kernel", c.name, func() {
			a := actor.New()
			catchFault(a, unix.SIGSEGV)

			Expect(a.Execute(a.Executable(c.code))).To(FailWith(unix.EFAULT))
			expectFault(a, unix.SIGSEGV, actor.SI_KERNEL, 0)
		})
	}

	Clause("siginfo.bus-adrerr", func() {
		const size = 4096
		a := actor.New()
		catchFault(a, unix.SIGBUS)
		fd := Must(a.MemfdCreate("short", 0))
		Must(a.Ftruncate(fd, size))
		addr := uint64(Must(a.Mmap(0, 2*altStackSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED, fd, 0)))

		Expect(a.Store(actor.Mem{Addr: addr + size - 1}, []byte{1})).To(Return(0))
		Expect(a.Events()).To(BeEmpty())
		beyond := actor.Mem{Addr: addr + altStackSize + 77}
		Expect(a.Load(beyond, 1)).To(FailWith(unix.EFAULT))
		expectFault(a, unix.SIGBUS, busAdrErr, beyond.Addr)
	})

	// newPage maps a page of memory, which children share, and has it hold something.
	const pageBits = 12
	newPage := func(a *actor.Actor) actor.Mem {
		addr := Must(a.Mmap(0, 1<<pageBits, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANONYMOUS, -1, 0))
		page := actor.Mem{Addr: uint64(addr)}
		Must(a.Store(page, []byte{1}))
		return page
	}
	// breakPage has the kernel treat a page as if the hardware had found it broken.
	breakPage := func(a *actor.Actor, page actor.Mem) {
		GinkgoHelper()
		const hwpoison = 100 // MADV_HWPOISON
		Must(a.Raw(unix.SYS_MADVISE, page, 1<<pageBits, hwpoison))
	}
	expectBroken := func(e actor.Event, code int, page actor.Mem) {
		GinkgoHelper()
		Expect(e.Signal).To(Equal(unix.SIGBUS))
		Expect(e.Info.Signo()).To(Equal(unix.SIGBUS))
		Expect(e.Info.Code()).To(Equal(code), "si_code")
		Expect(e.Info.Addr()>>pageBits).To(Equal(page.Addr>>pageBits), "si_addr")
		Expect(binary.NativeEndian.Uint16(e.Info.Raw[24:])).To(BeEquivalentTo(pageBits), "si_addr_lsb")
	}

	Clause("siginfo.bus-mceerr-ar", func() {
		a := actor.New()
		catchFault(a, unix.SIGBUS)
		page := newPage(a)
		Expect(a.Load(page, 1)).To(Return(0))
		breakPage(a, page)

		told := len(a.Events()) // who finds it broken may be told of that by itself
		Expect(a.Load(actor.Mem{Addr: page.Addr + 77}, 1)).To(FailWith(unix.EFAULT))
		Expect(a.Events()).To(HaveLen(told + 1))
		expectBroken(a.Events()[told], busMceerrAR, page)
	})

	Clause("siginfo.bus-mceerr-ao", func() {
		const early = 1 // PR_MCE_KILL_EARLY
		a := actor.New()
		page := newPage(a)
		other := a.Fork()
		catchFault(a, unix.SIGBUS)
		catchFault(other, unix.SIGBUS)
		Must(other.Prctl(unix.PR_MCE_KILL, unix.PR_MCE_KILL_SET, early, 0, 0))
		Expect(other.Load(page, 1)).To(Return(0))

		breakPage(a, page)
		expectBroken(other.NextEvent(), busMceerrAO, page)
		Expect(other.Events()).To(HaveLen(1))
	})

	Clause("siginfo.bus-adraln", func() {
		a := actor.New()
		catchFault(a, unix.SIGBUS)
		code := a.Executable(codeMisaligned)

		Expect(a.Execute(code)).To(FailWith(unix.EFAULT))
		Expect(a).To(Catch(unix.SIGBUS))
		Expect(a.Events()[0].Info.Code()).To(Equal(busAdrAln))
		Expect(a.Events()[0].PC).To(Equal(code.Addr + codeMisalignedLoad))
	})

	Clause("siginfo.ill-illopn", func() {
		a := actor.New()
		catchFault(a, unix.SIGILL)

		Expect(a.Trap(actor.TrapIllegal)).To(FailWith(unix.EFAULT))
		e := expectFault(a, unix.SIGILL, illIllOpn, a.Events()[0].PC)
		expectCode(a, e.PC, codeIllegal)
	})

	Clause("siginfo.fpe-intdiv", "zero", func() {
		a := actor.New()
		catchFault(a, unix.SIGFPE)

		Expect(a.Trap(actor.TrapDivide)).To(FailWith(unix.EFAULT))
		e := expectFault(a, unix.SIGFPE, fpeIntDiv, a.Events()[0].PC)
		expectCode(a, e.PC, codeDivide)
	})

	Clause("siginfo.fpe-intdiv", "the least number by −1", func() {
		a := actor.New()
		catchFault(a, unix.SIGFPE)
		code := a.Executable(codeOverflow)

		Expect(a.Execute(code)).To(FailWith(unix.EFAULT))
		expectFault(a, unix.SIGFPE, fpeIntDiv, code.Addr+codeOverflowDivide)
	})

	for _, c := range []struct {
		id   string
		mask uint32
		x, y uint32
		op   byte
		code int
	}{
		{"siginfo.fpe-fltdiv", 0x200, 0x3f800000, 0, opDivide, fpeFltDiv},
		{"siginfo.fpe-fltovf", 0x400, 0x7f000000, 0x7f000000, opMultiply, fpeFltOvf},
		{"siginfo.fpe-fltund", 0x800, 0x00800000, 0x00800000, opMultiply, fpeFltUnd},
		{"siginfo.fpe-fltres", 0x1000, 0x3f800000, 0x40400000, opDivide, fpeFltRes},
		{"siginfo.fpe-fltinv", 0x80, 0, 0, opDivide, fpeFltInv},
	} {
		Clause(c.id, func() {
			a := actor.New()
			catchFault(a, unix.SIGFPE)
			code := a.Executable(codeFloat(0x1f80&^c.mask, c.x, c.y, c.op))

			Expect(a.Execute(code)).To(FailWith(unix.EFAULT))
			expectFault(a, unix.SIGFPE, c.code, code.Addr+codeFloatOp)
		})
	}

	Clause("siginfo.trap-kernel", func() {
		a := actor.New()
		catchFault(a, unix.SIGTRAP)
		code := a.Executable(codeBreakpoint)

		Expect(a.Execute(code)).To(ReturnSuccess())
		e := expectFault(a, unix.SIGTRAP, actor.SI_KERNEL, 0)
		Expect(e.PC).To(Equal(code.Addr + 1))
	})

	Clause("siginfo.trap-trace", func() {
		a := actor.New()
		catchFault(a, unix.SIGTRAP)
		code := a.Executable(codeSingleStep)

		Expect(a.Execute(code)).To(Return(7))
		events := a.Events()
		Expect(events).To(HaveLen(len(codeSingleStepAt)))
		for i, e := range events {
			Expect(e.Signal).To(Equal(unix.SIGTRAP))
			Expect(e.Info.Signo()).To(Equal(unix.SIGTRAP))
			Expect(e.Info.Code()).To(Equal(trapTrace))
			Expect(e.PC).To(Equal(code.Addr + codeSingleStepAt[i]))
			Expect(e.Info.Addr()).To(Equal(e.PC))
		}
	})

	Clause("siginfo.fault-comes-again", func() {
		a := actor.New()
		stack := setAltStack(a, 0)
		a.Park(unix.SIGSEGV, true)
		Expect(a.RtSigaction(unix.SIGSEGV, recordingSiginfo(actor.SA_ONSTACK))).To(Return(0))
		code := a.Executable(codePrivileged)

		call := a.Begin().Execute(code)
		for n := 1; n <= 3; n++ {
			a.AwaitEvents(n)
			e := a.AwaitPark(1)
			Expect(onStack(e, stack)).To(BeTrue())
			Expect(e.PC).To(Equal(code.Addr))
			Expect(e.Info.Code()).To(Equal(actor.SI_KERNEL))
			saved := a.SavedContext(e)
			if n < 3 {
				saved.PC.PutUint64(0, code.Addr) // instead of where the recording handler would go on
			}
			a.ReturnFromHandler()
		}
		Expect(call).To(FailWith(unix.EFAULT))
		Expect(a).To(Catch(unix.SIGSEGV, unix.SIGSEGV, unix.SIGSEGV))
	})
})

// siginfoWord reads 32 bits of a siginfo_t.
func siginfoWord(e actor.Event, off int) uint32 {
	raw := e.Info.Raw[off : off+4]
	return uint32(raw[0]) | uint32(raw[1])<<8 | uint32(raw[2])<<16 | uint32(raw[3])<<24
}
