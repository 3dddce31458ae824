package signals

import (
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// inHandler sends SIGUSR1 and waits until its handler has parked.
func inHandler(a, sender *actor.Actor, depth int) actor.Event {
	GinkgoHelper()
	before := len(a.Events())
	Expect(sender.Kill(a.PID(), unix.SIGUSR1)).To(Return(0))
	event := a.AwaitPark(depth)
	Expect(event.Signal).To(Equal(unix.SIGUSR1))
	Expect(event.Info.Signo()).To(Equal(unix.SIGUSR1))
	Expect(event.Info.Code()).To(Equal(actor.SI_USER))
	Expect(event.Info.PID()).To(Equal(sender.PID()))
	Expect(a.Events()).To(HaveLen(before + 1))
	return event
}

// alternateStack gives a thread an alternate stack.
func alternateStack(a *actor.Actor) actor.AltStack {
	GinkgoHelper()
	const size = 64 << 10 // more than any processor's registers take
	stack := actor.AltStack{SP: a.AllocAligned(size, 4096).Addr, Size: size}
	Expect(a.Sigaltstack(&stack)).To(Return(0))
	return stack
}

// on says whether a stack pointer is on a stack.
func on(stack actor.AltStack, sp uint64) bool { return sp >= stack.SP && sp <= stack.SP+stack.Size }

// near says whether a handler's frame is right below the stack pointer of what it interrupted.
func near(e actor.Event) bool { return e.SP < e.OldSP && e.OldSP-e.SP < 64<<10 }

var _ = Describe("Calling a handler", func() {
	Clause("signal.handler-takes-from-pending", func() {
		a := actor.New()
		sender := a.Fork()
		a.HandleAndPark(unix.SIGUSR1, 0)
		blockSignals(a, unix.SIGUSR1)
		Expect(sender.Kill(a.PID(), unix.SIGUSR1)).To(Return(0))
		expectPendingSet(a, unix.SIGUSR1)

		unblocking := a.Begin().Sigprocmask(unix.SIG_UNBLOCK, actor.Mask(unix.SIGUSR1))
		a.AwaitPark(1)
		expectPendingSet(a)
		a.ReturnFromHandler()
		Expect(unblocking).To(Return(0))
		expectCaughtFrom(a, sender, unix.SIGUSR1)
	})

	Clause("signal.handler-on-normal-stack", func() {
		a := actor.New()
		sender := a.Fork()
		stack := alternateStack(a)
		Expect(a.Sigaction(unix.SIGUSR1, actor.SA_SIGINFO, 0)).To(Return(0))

		Expect(sender.Kill(a.PID(), unix.SIGUSR1)).To(Return(0))
		expectCaughtFrom(a, sender, unix.SIGUSR1)
		event := a.Events()[0]
		Expect(near(event)).To(BeTrue())
		Expect(on(stack, event.SP)).To(BeFalse())
	})

	Clause("signal.handler-on-alternate-stack", func() {
		a := actor.New()
		sender := a.Fork()
		stack := alternateStack(a)
		Expect(a.Sigaction(unix.SIGUSR1, actor.SA_SIGINFO|actor.SA_ONSTACK, 0)).To(Return(0))

		Expect(sender.Kill(a.PID(), unix.SIGUSR1)).To(Return(0))
		expectCaughtFrom(a, sender, unix.SIGUSR1)
		event := a.Events()[0]
		Expect(on(stack, event.SP)).To(BeTrue())
		Expect(on(stack, event.OldSP)).To(BeFalse())
		// Back from there, it is on its own stack again.
		Expect(sender.Kill(a.PID(), unix.SIGUSR1)).To(Return(0))
		expectCaughtFrom(a, sender, unix.SIGUSR1, unix.SIGUSR1)
		Expect(a.Events()[1].OldSP).To(Equal(event.OldSP))
	})

	Clause("signal.onstack-without-alternate-stack", func() {
		a := actor.New()
		sender := a.Fork()
		Expect(a.Sigaction(unix.SIGUSR1, actor.SA_SIGINFO|actor.SA_ONSTACK, 0)).To(Return(0))

		Expect(sender.Kill(a.PID(), unix.SIGUSR1)).To(Return(0))
		expectCaughtFrom(a, sender, unix.SIGUSR1)
		Expect(near(a.Events()[0])).To(BeTrue())
		// As soon as there is one, it counts.
		stack := alternateStack(a)
		Expect(sender.Kill(a.PID(), unix.SIGUSR1)).To(Return(0))
		expectCaughtFrom(a, sender, unix.SIGUSR1, unix.SIGUSR1)
		Expect(on(stack, a.Events()[1].SP)).To(BeTrue())
	})

	Clause("signal.context-has-mask-from-before", func() {
		a := actor.New()
		sender := a.Fork()
		a.Park(unix.SIGUSR1, true)
		blockSignals(a, unix.SIGUSR2, 40)
		Expect(a.Sigaction(unix.SIGUSR1, actor.SA_SIGINFO, actor.Mask(unix.SIGTERM, 41))).To(Return(0))

		event := inHandler(a, sender, 1)
		Expect(event.Mask).To(Equal(actor.Mask(unix.SIGUSR2, 40)))
		expectMaskIs(a, unix.SIGUSR2, 40, unix.SIGTERM, 41, unix.SIGUSR1)
	})

	for _, flags := range []uint64{0, actor.SA_ONSTACK} {
		name := "without SA_ONSTACK"
		if flags != 0 {
			name = "with SA_ONSTACK"
		}
		Clause("signal.context-has-alternate-stack", name, func() {
			a := actor.New()
			sender := a.Fork()
			stack := alternateStack(a)
			Expect(a.Sigaction(unix.SIGUSR1, actor.SA_SIGINFO|flags, 0)).To(Return(0))

			Expect(sender.Kill(a.PID(), unix.SIGUSR1)).To(Return(0))
			expectCaughtFrom(a, sender, unix.SIGUSR1)
			Expect(on(stack, a.Events()[0].SP)).To(Equal(flags != 0))
			Expect(a.Events()[0].AltStack.SP).To(Equal(stack.SP))
			Expect(a.Events()[0].AltStack.Size).To(Equal(stack.Size))
		})
	}

	Clause("signal.context-has-program-counter", func() {
		a := actor.New()
		sender := a.Fork()
		Expect(a.Sigaction(unix.SIGUSR1, actor.SA_SIGINFO, 0)).To(Return(0))

		// Two signals find the same call asleep, one another call.
		for range 2 {
			sleeping := beginPause(a)
			Expect(sender.Kill(a.PID(), unix.SIGUSR1)).To(Return(0))
			Expect(sleeping).To(FailWith(unix.EINTR))
		}
		expectCaughtFrom(a, sender, unix.SIGUSR1, unix.SIGUSR1)
		events := a.Events()
		Expect(events[0].PC).NotTo(BeZero())
		Expect(events[1].PC).To(Equal(events[0].PC))
		repeated := a.Repeat(1).Kill(a.PID(), unix.SIGUSR1) // from another place in the program
		Expect(repeated).To(Return(0))
		Expect(a.AwaitEvents(3)[2].PC).NotTo(Equal(events[0].PC))
		Expect(a).To(Catch(unix.SIGUSR1, unix.SIGUSR1, unix.SIGUSR1))
	})

	Clause("signal.handler-returns-to-trampoline", func() {
		const restorer = 16 // sa_restorer in struct sigaction, as the kernel of x86-64 knows it
		a := actor.New()
		sender := a.Fork()
		a.Park(unix.SIGUSR1, true)
		Expect(a.Sigaction(unix.SIGUSR1, actor.SA_SIGINFO, 0)).To(Return(0))
		action := a.Alloc(32)
		Expect(a.Raw(unix.SYS_RT_SIGACTION, unix.SIGUSR1, nil, action, 8)).To(Return(0))

		event := inHandler(a, sender, 1)
		onTop := a.Load(actor.Mem{Addr: event.SP}, 8)
		Expect(onTop).To(Return(0))
		Expect(onTop.Data()).To(Equal(action.Sub(restorer, 8).Copy()))
		a.ReturnFromHandler()
		expectCaughtFrom(a, sender, unix.SIGUSR1)
		Expect(a.Getpid()).To(Return(a.PID()))
	})

	Clause("signal.handler-blocks-its-mask", func() {
		a := actor.New()
		sender := a.Fork()
		a.Park(unix.SIGUSR1, true)
		a.Handle(unix.SIGUSR2, 0)
		a.Handle(unix.SIGTERM, 0)
		Expect(a.Sigaction(unix.SIGUSR1, actor.SA_SIGINFO, actor.Mask(unix.SIGUSR2))).To(Return(0))

		inHandler(a, sender, 1)
		expectMaskIs(a, unix.SIGUSR1, unix.SIGUSR2)
		Expect(sender.Kill(a.PID(), unix.SIGUSR2)).To(Return(0))
		expectPendingSet(a, unix.SIGUSR2)
		Expect(sender.Kill(a.PID(), unix.SIGTERM)).To(Return(0)) // which is not in the mask
		expectCaughtFrom(a, sender, unix.SIGUSR1, unix.SIGTERM)
		a.ReturnFromHandler()
		expectCaughtFrom(a, sender, unix.SIGUSR1, unix.SIGTERM, unix.SIGUSR2)
		expectMaskIs(a)
	})

	Clause("signal.handler-blocks-its-signal", func() {
		a := actor.New()
		sender := a.Fork()
		a.Park(unix.SIGUSR1, true)
		Expect(a.Sigaction(unix.SIGUSR1, actor.SA_SIGINFO, 0)).To(Return(0))

		inHandler(a, sender, 1)
		expectMaskIs(a, unix.SIGUSR1)
		Expect(sender.Kill(a.PID(), unix.SIGUSR1)).To(Return(0))
		expectPendingSet(a, unix.SIGUSR1)
		expectCaughtFrom(a, sender, unix.SIGUSR1)
		a.Park(unix.SIGUSR1, false)
		a.ReturnFromHandler()
		expectCaughtFrom(a, sender, unix.SIGUSR1, unix.SIGUSR1)
		expectMaskIs(a)
	})

	Clause("signal.nodefer-does-not-block", func() {
		a := actor.New()
		sender := a.Fork()
		a.Park(unix.SIGUSR1, true)
		Expect(a.Sigaction(unix.SIGUSR1, actor.SA_SIGINFO|actor.SA_NODEFER, actor.Mask(unix.SIGUSR2))).To(Return(0))

		inHandler(a, sender, 1)
		expectMaskIs(a, unix.SIGUSR2)
		inHandler(a, sender, 2)
		expectCaughtFrom(a, sender, unix.SIGUSR1, unix.SIGUSR1)
		a.ReturnFromHandler()
		a.ReturnFromHandler()
		expectMaskIs(a)
	})
})

var _ = Describe("Returning from a handler", func() {
	Clause("signal.return-restores-mask", func() {
		a := actor.New()
		sender := a.Fork()
		a.Park(unix.SIGUSR1, true)
		blockSignals(a, 40)
		Expect(a.Sigaction(unix.SIGUSR1, actor.SA_SIGINFO, actor.Mask(unix.SIGUSR2))).To(Return(0))

		inHandler(a, sender, 1)
		Expect(a.Sigprocmask(unix.SIG_SETMASK, actor.Mask(unix.SIGTERM, 41))).To(Return(0))
		expectMaskIs(a, unix.SIGTERM, 41)
		a.ReturnFromHandler()
		expectMaskIs(a, 40)
	})

	Clause("signal.return-restores-alternate-stack", func() {
		a := actor.New()
		sender := a.Fork()
		a.Park(unix.SIGUSR1, true)
		stack := alternateStack(a)
		Expect(a.Sigaction(unix.SIGUSR1, actor.SA_SIGINFO, 0)).To(Return(0))

		inHandler(a, sender, 1)
		other := alternateStack(a)
		Expect(other.SP).NotTo(Equal(stack.SP))
		a.ReturnFromHandler()
		now := a.Sigaltstack(nil)
		Expect(now).To(Return(0))
		Expect(now.AltStack()).To(Equal(stack))
	})

	Clause("signal.return-restores-registers", func() {
		a := actor.New()
		sender := a.Fork()
		Expect(a.Sigaction(40, actor.SA_SIGINFO, 0)).To(Return(0))
		parent := Must(a.Getppid())

		// The loop counts and sums in registers and memory; signals come at any place in it.
		const times, signals = 20000, 200
		loop := a.Begin().Repeat(times).Getppid()
		for value := range uint64(signals) {
			Expect(sender.Sigqueue(a.PID(), 40, value)).To(Return(0))
		}
		Expect(loop).To(Return(parent))
		Expect(loop.Count()).To(Equal(times))
		Expect(loop.Total()).To(Equal(times * parent))
		Expect(a).To(Catch(slices.Repeat([]unix.Signal{40}, signals)...))
		for i, value := range sentValues(a) {
			Expect(value).To(Equal(uint64(i)))
		}
	})

	Clause("signal.return-to-where-it-was", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		sender := a.Fork()
		a.HandleAndPark(unix.SIGUSR1, actor.SA_RESTART)

		read := a.Begin().Read(r, 10)
		Expect(read).To(Block())
		inHandler(a, sender, 1)
		Expect(a.Getpid()).To(Return(a.PID()))
		Expect(read.Done()).To(BeFalse())
		a.ReturnFromHandler()
		Expect(read).To(Block())
		Must(sender.Write(w, []byte("x")))
		Expect(read).To(ReturnData("x"))
	})

	Clause("signal.return-uses-the-frame", func() {
		a := actor.New()
		Expect(a.Sigaction(unix.SIGSEGV, actor.SA_SIGINFO, 0)).To(Return(0))

		// The actor's handler changes the program counter in its frame, so that the access that
		// cannot be made is left out.
		Expect(a.Load(a.Unmapped(), 1)).To(FailWith(unix.EFAULT))
		Expect(a).To(Catch(unix.SIGSEGV))
		Expect(a.Getpid()).To(Return(a.PID()))
	})

	Clause("signal.no-return-keeps-mask", func() {
		a := actor.New()
		sender := actor.New()
		a.Park(unix.SIGUSR1, true)
		blockSignals(a, 40)
		Expect(a.Sigaction(unix.SIGUSR1, actor.SA_SIGINFO, actor.Mask(unix.SIGUSR2))).To(Return(0))

		inHandler(a, sender, 1)
		executeProgram(a)
		expectMaskIs(a, 40, unix.SIGUSR1, unix.SIGUSR2)
		unblockSignals(a, unix.SIGUSR1, unix.SIGUSR2)
		expectMaskIs(a, 40)
	})
})

var _ = Describe("Inside a handler", func() {
	Clause("signal.handler-is-ordinary-code", func() {
		a := actor.New()
		sender := a.Fork()
		a.HandleAndPark(unix.SIGUSR1, 0)

		inHandler(a, sender, 1)
		// Once it has unblocked it, nothing keeps the signal from being handled again.
		unblockSignals(a, unix.SIGUSR1)
		inHandler(a, sender, 2)
		unblockSignals(a, unix.SIGUSR1)
		inHandler(a, sender, 3)
		child := a.Fork()
		Expect(child.Getppid()).To(Return(a.PID()))
		for range 3 {
			a.ReturnFromHandler()
		}
		expectCaughtFrom(a, sender, unix.SIGUSR1, unix.SIGUSR1, unix.SIGUSR1)
		expectMaskIs(a)
	})

	Clause("signal.handlers-nest", func() {
		a := actor.New()
		sender := a.Fork()
		a.HandleAndPark(unix.SIGUSR1, actor.SA_NODEFER)

		const depth = 12 // as far as the actor's own frames go
		last := uint64(0)
		for n := 1; n <= depth; n++ {
			event := inHandler(a, sender, n)
			Expect(event.Depth).To(Equal(n - 1))
			if n > 1 { // each is further down the same stack
				Expect(event.SP).To(BeNumerically("<", last))
			}
			last = event.SP
		}
		for range depth {
			a.ReturnFromHandler()
		}
		Expect(a.Events()).To(HaveLen(depth))
		Expect(a.Getpid()).To(Return(a.PID()))
		expectMaskIs(a)
	})

	Clause("signal.handler-interrupted-by-another", func() {
		a := actor.New()
		sender := a.Fork()
		a.HandleAndPark(unix.SIGUSR1, 0)
		a.HandleAndPark(unix.SIGUSR2, 0)

		inHandler(a, sender, 1)
		Expect(sender.Kill(a.PID(), unix.SIGUSR2)).To(Return(0))
		event := a.AwaitPark(2)
		Expect(event.Signal).To(Equal(unix.SIGUSR2))
		Expect(event.Mask).To(Equal(actor.Mask(unix.SIGUSR1)))
		expectMaskIs(a, unix.SIGUSR1, unix.SIGUSR2)
		a.ReturnFromHandler()
		expectMaskIs(a, unix.SIGUSR1)
		a.ReturnFromHandler()
		expectMaskIs(a)
		expectCaughtFrom(a, sender, unix.SIGUSR1, unix.SIGUSR2)
	})

	Clause("signal.handler-before-kill-returns", func() {
		a := actor.New()
		Expect(a.Sigaction(unix.SIGUSR1, actor.SA_SIGINFO, 0)).To(Return(0))

		for n := 1; n <= 3; n++ {
			Expect(a.Kill(a.PID(), unix.SIGUSR1)).To(Return(0))
			Expect(a.Events()).To(HaveLen(n))
		}
		expectCaughtFrom(a, a, unix.SIGUSR1, unix.SIGUSR1, unix.SIGUSR1)
	})

	Clause("signal.partial-transfer-is-success", "with SA_RESTART", func() { partialTransfer(actor.SA_RESTART) })
	Clause("signal.partial-transfer-is-success", "without SA_RESTART", func() { partialTransfer(0) })
})

// partialTransfer interrupts a write when a part of it is in the pipe.
func partialTransfer(flags uint64) {
	GinkgoHelper()
	a := actor.New()
	r, w := a.Pipe(0)
	room := Must(a.Fcntl(w, unix.F_GETPIPE_SZ, 0))
	sender := a.Fork()
	a.Handle(unix.SIGUSR1, flags)

	write := a.Begin().Write(w, make([]byte, room+1))
	Expect(write).To(Block())
	Must(sender.Kill(a.PID(), unix.SIGUSR1))
	Expect(write).To(Return(room))
	expectCaughtFrom(a, sender, unix.SIGUSR1)
	Expect(sender.Read(r, room+1)).To(Return(room))
}
