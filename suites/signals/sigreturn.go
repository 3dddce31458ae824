package signals

import (
	"encoding/binary"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// trapCodes are what si_code may be where a process has come to a breakpoint instruction: TRAP_BRKPT or
// SI_KERNEL.
var trapCodes = []int{1, actor.SI_KERNEL}

// expectCode checks what machine code there is at an address of the actor's.
func expectCode(a *actor.Actor, at uint64, code []byte) {
	GinkgoHelper()
	Expect(a.Load(actor.Mem{Addr: at}, len(code)).Data()).To(Equal(code))
}

var _ = Describe("The return from a handler", func() {
	const usr1, usr2 = unix.SIGUSR1, unix.SIGUSR2

	Clause("sigreturn.frame-saved", func() {
		a, sender := actor.New(), actor.New()
		stack := setAltStack(a, 0)
		a.SetMask(usr2, rtSignal)
		a.Park(usr1, true)
		Expect(a.Sigaction(usr1, actor.SA_SIGINFO|actor.SA_ONSTACK, 0)).To(Return(0))
		r, _ := a.Pipe(0)

		read := a.Begin().Read(r, 1)
		Expect(read).To(Block())
		Must(sender.Kill(a.PID(), usr1))
		e := a.AwaitPark(1)
		Expect(e.Mask).To(Equal(actor.Mask(usr2, rtSignal)))
		Expect(e.AltStack).To(Equal(stack))
		Expect(onStack(e, stack)).To(BeTrue())
		Expect(onStack(actor.Event{SP: e.OldSP}, stack)).To(BeFalse())
		expectCode(a, e.PC-uint64(len(codeSystemCall)), codeSystemCall)
		a.ReturnFromHandler()
		Expect(read).To(FailWith(unix.EINTR))
		expectSent(a, sender, usr1)
	})

	Clause("sigreturn.at-return-from-call", func() {
		a := actor.New()
		Expect(a.Sigaction(usr1, actor.SA_SIGINFO, 0)).To(Return(0))

		for n := 1; n <= 3; n++ {
			Expect(a.Kill(a.PID(), usr1)).To(Return(0))
			Expect(a.Events()).To(HaveLen(n)) // no waiting
			Expect(a.Events()[n-1].InCall).To(BeTrue())
		}
		expectSent(a, a, usr1, usr1, usr1)
	})

	Clause("sigreturn.while-idle", func() {
		a, sender := actor.New(), actor.New()
		setAltStack(a, 0)
		a.Park(usr1, true)
		Expect(a.Sigaction(usr1, actor.SA_SIGINFO|actor.SA_ONSTACK, 0)).To(Return(0))
		code := a.Executable(codeSpin)

		spin := a.Begin().Execute(code)
		Must(sender.Kill(a.PID(), usr1))
		n := 1
		for ; ; n++ { // it may not have come to the loop the first time
			e := a.AwaitPark(1)
			Expect(e.Signal).To(Equal(usr1))
			Expect(e.Info.PID()).To(Equal(sender.PID()))
			if e.PC >= code.Addr && e.PC < code.Addr+codeSpinEnd {
				a.SavedContext(e).PC.PutUint64(0, code.Addr+codeSpinEnd)
				break
			}
			a.ReturnFromHandler()
			Must(sender.Kill(a.PID(), usr1))
			a.AwaitEvents(n + 1)
		}
		a.ReturnFromHandler()
		Expect(spin).To(Return(3))
		Expect(a.Events()).To(HaveLen(n))
	})

	Clause("sigreturn.mask-restored", func() {
		a, sender := actor.New(), actor.New()
		a.SetMask(usr2)
		a.Park(usr1, true)
		Expect(a.Sigaction(usr1, actor.SA_SIGINFO, actor.Bit(rtSignal))).To(Return(0))

		for range 2 {
			Must(sender.Kill(a.PID(), usr1))
			Expect(a.AwaitPark(1).Mask).To(Equal(actor.Bit(usr2)))
			Expect(maskOf(a)).To(Equal(actor.Mask(usr1, usr2, rtSignal)))
			a.ReturnFromHandler()
			Expect(maskOf(a)).To(Equal(actor.Bit(usr2)))
		}
		expectSent(a, sender, usr1, usr1)
	})

	for _, c := range []struct {
		name string
		how  int
		set  []unix.Signal
		then []unix.Signal
	}{
		{"unblocked", unix.SIG_UNBLOCK, []unix.Signal{usr1, usr2}, nil},
		{"blocked", unix.SIG_BLOCK, []unix.Signal{rtSignal, unix.SIGTERM}, []unix.Signal{usr1, usr2, rtSignal, unix.SIGTERM}},
		{"set", unix.SIG_SETMASK, []unix.Signal{rtSignal}, []unix.Signal{rtSignal}},
	} {
		Clause("sigreturn.mask-changes-undone", c.name, func() {
			a, sender := actor.New(), actor.New()
			a.SetMask(usr2)

			parkIn(a, sender, 1, usr1, 0)
			changeMask(a, c.how, actor.Mask(c.set...), actor.Mask(usr1, usr2))
			Expect(maskOf(a)).To(Equal(actor.Mask(c.then...)))
			a.ReturnFromHandler()
			Expect(maskOf(a)).To(Equal(actor.Bit(usr2)))
			expectSent(a, sender, usr1)
		})
	}

	Clause("sigreturn.mask-from-frame", func() {
		a, sender := actor.New(), actor.New()
		setAltStack(a, 0)
		a.SetMask(usr2)

		saved := a.SavedContext(parkIn(a, sender, 1, usr1, actor.SA_ONSTACK))
		Expect(saved.Mask.Uint64(0)).To(Equal(actor.Bit(usr2)))
		saved.Mask.PutUint64(0, actor.Mask(usr1, rtSignal))
		Expect(maskOf(a)).To(Equal(actor.Mask(usr1, usr2)))
		a.ReturnFromHandler()
		Expect(maskOf(a)).To(Equal(actor.Mask(usr1, rtSignal)))
		expectSent(a, sender, usr1)
	})

	Clause("sigreturn.mask-never-unblockable", func() {
		a, sender := actor.New(), actor.New()
		setAltStack(a, 0)

		saved := a.SavedContext(parkIn(a, sender, 1, usr1, actor.SA_ONSTACK))
		saved.Mask.PutUint64(0, ^uint64(0))
		a.ReturnFromHandler()
		Expect(maskOf(a)).To(Equal(^uint64(unblockable)))
		expectSent(a, sender, usr1)
		Must(sender.Kill(a.PID(), unix.SIGKILL))
		Expect(a).To(BeKilledBy(unix.SIGKILL))
	})

	Clause("sigreturn.pending-delivered", func() {
		a, sender := actor.New(), actor.New()
		a.Park(usr1, true)
		Expect(a.Sigaction(usr1, actor.SA_SIGINFO, 0)).To(Return(0))
		r, _ := a.Pipe(0)
		read := a.Begin().Read(r, 1)
		Expect(read).To(Block())

		Must(sender.Kill(a.PID(), usr1))
		first := a.AwaitPark(1)
		Must(sender.Kill(a.PID(), usr1))
		Must(a.Getpid())
		Expect(a.Events()).To(HaveLen(1))
		a.ReturnFromHandler()
		a.AwaitEvents(2)
		second := a.AwaitPark(1)
		Expect(read.Done()).To(BeFalse())
		Expect(second.PC).To(Equal(first.PC))
		Expect(second.OldSP).To(Equal(first.OldSP))
		a.ReturnFromHandler()
		Expect(read).To(FailWith(unix.EINTR))
		expectSent(a, sender, usr1, usr1)
	})

	Clause("sigreturn.stack-changes-undone", func() {
		a, sender := actor.New(), actor.New()
		stack := setAltStack(a, 0)

		parkIn(a, sender, 1, usr1, 0)
		other := setAltStack(a, 0)
		expectAltStack(a, other)
		a.ReturnFromHandler()
		expectAltStack(a, stack)
		parkIn(a, sender, 1, usr1, 0)
		Expect(a.Sigaltstack(&actor.AltStack{Flags: actor.SS_DISABLE})).To(Return(0))
		expectAltStack(a, noAltStack)
		a.ReturnFromHandler()
		expectAltStack(a, stack)
		expectSent(a, sender, usr1, usr1)
	})

	// With SS_AUTODISARM, since a stack that is in use cannot be changed, and some architectures still
	// take it for in use when they restore the settings.
	Clause("sigreturn.stack-from-frame", func() {
		a, sender := actor.New(), actor.New()
		stack, other := setAltStack(a, actor.SS_AUTODISARM), newAltStack(a)
		other.Flags = actor.SS_AUTODISARM

		saved := a.SavedContext(parkIn(a, sender, 1, usr1, actor.SA_ONSTACK))
		Expect(saved.Stack.Uint64(0)).To(Equal(stack.SP))
		Expect(saved.Stack.Uint64(16)).To(Equal(stack.Size))
		saved.Stack.PutUint64(0, other.SP)
		saved.Stack.PutUint64(16, other.Size)
		expectAltStack(a, noAltStack)
		a.ReturnFromHandler()
		expectAltStack(a, other)
		Expect(onStack(parkIn(a, sender, 1, usr2, actor.SA_ONSTACK), other)).To(BeTrue())
		a.ReturnFromHandler()
		expectSent(a, sender, usr1, usr2)
	})

	Clause("sigreturn.switches-back", func() {
		a := actor.New()
		stack := setAltStack(a, 0)

		first := catchOn(a, usr1, actor.SA_ONSTACK)
		Expect(onStack(first, stack)).To(BeTrue())
		second := catchOn(a, usr2, 0)
		Expect(onStack(second, stack)).To(BeFalse())
		Expect(second.OldSP).To(Equal(first.OldSP))
		expectAltStack(a, stack)
	})

	Clause("sigreturn.resumes", func() {
		a := actor.New()
		Expect(a.Sigaction(unix.SIGTRAP, actor.SA_SIGINFO, 0)).To(Return(0))
		code := a.Executable(codeRegisters)

		Expect(a.Execute(code)).To(Return(int(codeRegistersSum)))
		Expect(a).To(Catch(unix.SIGTRAP))
		e := a.Events()[0]
		Expect(e.PC).To(Equal(code.Addr + codeRegistersTrap))
		Expect(e.Info.Code()).To(BeElementOf(trapCodes))
	})

	Clause("sigreturn.vector-registers", func() {
		a := actor.New()
		a.Park(unix.SIGTRAP, true)
		Expect(a.Sigaction(unix.SIGTRAP, actor.SA_SIGINFO|actor.SA_NODEFER, 0)).To(Return(0))
		// values are what the registers hold, each byte another one, and a control word that rounds in its
		// own way.
		values := func(first byte, control uint32) actor.Mem {
			m := a.Alloc(vectorState)
			for i := range vectorRegisters * 16 {
				m.Bytes()[i] = first + byte(i)
			}
			m.PutUint32(vectorRegisters*16, control)
			return m
		}
		before, meanwhile := values(1, 0x7f80), values(99, 0x3f80)
		inside, after := a.Alloc(vectorState), a.Alloc(vectorState)

		call := a.Begin().Execute(a.Executable(codeVectors(before, after)))
		a.AwaitPark(1)
		clobber := a.Begin().Execute(a.Executable(codeVectors(meanwhile, inside)))
		a.AwaitPark(2) // and a handler in the handler
		Expect(a.Execute(a.Executable(codeLoadVectors(before)))).To(Return(1))
		a.ReturnFromHandler()
		Expect(clobber).To(Return(1))
		a.ReturnFromHandler()
		Expect(call).To(Return(1))
		Expect(inside.Copy()).To(Equal(meanwhile.Copy()))
		Expect(after.Copy()).To(Equal(before.Copy()))
		Expect(a).To(Catch(unix.SIGTRAP, unix.SIGTRAP))
	})

	for _, way := range []struct {
		name   string
		result int
	}{{"unchanged", 1}, {"changed", 2}} {
		Clause("sigreturn.counter-from-frame", way.name, func() {
			a := actor.New()
			setAltStack(a, 0)
			a.Park(unix.SIGTRAP, true)
			Expect(a.Sigaction(unix.SIGTRAP, actor.SA_SIGINFO|actor.SA_ONSTACK, 0)).To(Return(0))
			code := a.Executable(codeTwoWays)

			call := a.Begin().Execute(code)
			e := a.AwaitPark(1)
			saved := a.SavedContext(e)
			Expect(saved.PC.Uint64(0)).To(Equal(e.PC))
			Expect(e.PC).To(Equal(code.Addr + 1))
			if way.result == 2 {
				saved.PC.PutUint64(0, code.Addr+codeOtherWay)
			}
			a.ReturnFromHandler()
			Expect(call).To(Return(way.result))
			Expect(a).To(Catch(unix.SIGTRAP))
			Expect(a.Events()[0].Info.Code()).To(BeElementOf(trapCodes))
		})
	}

	Clause("sigreturn.registers-from-frame", func() {
		a, sender := actor.New(), actor.New()
		setAltStack(a, 0)
		a.Park(usr1, true)
		Expect(a.Sigaction(usr1, actor.SA_SIGINFO|actor.SA_ONSTACK, 0)).To(Return(0))
		r, _ := a.Pipe(0)

		buffer := a.Alloc(100)
		read := a.Begin().ReadInto(r, buffer, 100)
		Expect(read).To(Block())
		Must(sender.Kill(a.PID(), usr1))
		saved := a.SavedContext(a.AwaitPark(1))
		Expect(int64(saved.Result.Uint64(0))).To(BeEquivalentTo(-int64(unix.EINTR)))
		saved.Result.PutUint64(0, 77)
		a.ReturnFromHandler()
		Expect(read).To(Return(77))
		Expect(buffer.Copy()).To(Equal(make([]byte, 100))) // nothing was read
		expectSent(a, sender, usr1)
	})

	Clause("sigreturn.stack-pointer-from-frame", func() {
		const lower = 512
		a, sender := actor.New(), actor.New()
		setAltStack(a, 0)

		e := parkIn(a, sender, 1, usr1, actor.SA_ONSTACK)
		saved := a.SavedContext(e)
		Expect(saved.SP.Uint64(0)).To(Equal(e.OldSP))
		saved.SP.PutUint64(0, e.OldSP-lower)
		a.ReturnFromHandler()
		Expect(parkIn(a, sender, 1, usr2, 0).OldSP).To(Equal(e.OldSP - lower))
		a.ReturnFromHandler()
		expectSent(a, sender, usr1, usr2)
	})

	Clause("sigreturn.nested", func() {
		a, sender := actor.New(), actor.New()
		a.SetMask(unix.SIGTERM)
		masks := []uint64{
			actor.Mask(unix.SIGTERM), actor.Mask(unix.SIGTERM, usr1), actor.Mask(unix.SIGTERM, usr1, usr2), actor.Mask(unix.SIGTERM, usr1, usr2, rtSignal),
		}

		var sp uint64
		for i, sig := range []unix.Signal{usr1, usr2, rtSignal} {
			e := parkIn(a, sender, i+1, sig, 0)
			Expect(e.Mask).To(Equal(masks[i]))
			Expect(e.Depth).To(Equal(i))
			Expect(maskOf(a)).To(Equal(masks[i+1]))
			if i > 0 {
				Expect(e.OldSP).To(Equal(sp))
			}
			sp = e.SP
		}
		for i := 2; i >= 0; i-- {
			a.ReturnFromHandler()
			Expect(maskOf(a)).To(Equal(masks[i]))
		}
		expectSent(a, sender, usr1, usr2, rtSignal)
	})

	Clause("sigreturn.restarts-from-frame", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		writer := a.Fork()
		a.Park(usr1, true)
		Expect(a.Sigaction(usr1, actor.SA_SIGINFO|actor.SA_RESTART, 0)).To(Return(0))

		read := a.Begin().Read(r, 100)
		Expect(read).To(Block())
		Must(writer.Kill(a.PID(), usr1))
		e := a.AwaitPark(1)
		expectCode(a, e.PC, codeSystemCall) // it will be made once more
		a.ReturnFromHandler()
		Expect(read).To(Block())
		Must(writer.Write(w, []byte("hello")))
		Expect(read).To(ReturnData("hello"))
		expectSent(a, writer, usr1)
	})

	Clause("sigreturn.trampoline", func() {
		a, sender := actor.New(), actor.New()
		Expect(a.Sigaction(unix.SIGTRAP, actor.SA_SIGINFO, 0)).To(Return(0))
		code := a.Executable(codeTracedTrampoline)
		act := actor.Recording(actor.SA_SIGINFO, 0)
		act.Restorer = code.Addr
		Expect(a.RtSigaction(usr1, act)).To(Return(0))
		a.Park(usr1, true)

		Must(sender.Kill(a.PID(), usr1))
		e := a.AwaitPark(1)
		Expect(binary.NativeEndian.Uint64(a.Load(actor.Mem{Addr: e.SP}, 8).Data())).To(Equal(code.Addr))
		a.ReturnFromHandler()
		Expect(maskOf(a)).To(BeZero())
		Expect(a).To(Catch(usr1, unix.SIGTRAP))
		Expect(a.Events()[0].Info.PID()).To(Equal(sender.PID()))
		Expect(a.Events()[1].PC).To(Equal(code.Addr + 1))
		Expect(a.Events()[1].Mask).To(Equal(actor.Bit(usr1)))
	})

	Clause("sigreturn.stack-not-executable", func() {
		a := actor.New()
		catchFault(a, unix.SIGSEGV)
		onStack := actor.Mem{Addr: catchOn(a, usr1, 0).OldSP - 1024}
		Expect(a.Store(onStack, codeBreakpoint)).To(Return(0))

		Expect(a.Execute(onStack)).To(FailWith(unix.EFAULT))
		Expect(a).To(Catch(usr1, unix.SIGSEGV))
		e := a.Events()[1]
		Expect(e.Info.Code()).To(Equal(segvAccErr))
		Expect(e.Info.Addr()).To(Equal(onStack.Addr))
		Expect(e.PC).To(Equal(onStack.Addr))
	})
})
