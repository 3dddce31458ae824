package signals

import (
	"encoding/binary"
	"fmt"
	"os"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

const altStackSize = 64 << 10

// minSigStackSize is MINSIGSTKSZ.
const minSigStackSize = 2048

// newAltStack is memory for an alternate stack, with nothing set yet.
func newAltStack(a *actor.Actor) actor.AltStack {
	return actor.AltStack{SP: a.AllocAligned(altStackSize, 64).Addr, Size: altStackSize}
}

// setAltStack sets an alternate stack and returns it.
func setAltStack(a *actor.Actor, flags int32) actor.AltStack {
	GinkgoHelper()
	stack := newAltStack(a)
	stack.Flags = flags
	Expect(a.Sigaltstack(&stack)).To(Return(0))
	return stack
}

// noAltStack is what a query tells where there is no stack.
var noAltStack = actor.AltStack{Flags: actor.SS_DISABLE}

// expectAltStack checks what a query tells.
func expectAltStack(a *actor.Actor, want actor.AltStack) {
	GinkgoHelper()
	query := a.Sigaltstack(nil)
	Expect(query).To(Return(0))
	Expect(query.AltStack()).To(Equal(want))
}

// onStack says that a handler ran on that stack.
func onStack(e actor.Event, stack actor.AltStack) bool {
	return e.SP > stack.SP && e.SP < stack.SP+stack.Size
}

// handleWith sets a handler with SA_SIGINFO and other flags, and looks that it has just these.
func handleWith(a *actor.Actor, sig unix.Signal, flags uint64) {
	GinkgoHelper()
	Expect(a.Sigaction(sig, flags|actor.SA_SIGINFO, 0)).To(Return(0))
	Expect(actionOf(a, sig)).To(Equal(recordingSiginfo(flags)))
}

// catchOn has a handler with the flags catch a signal that the actor sends itself, and returns what it
// recorded.
func catchOn(a *actor.Actor, sig unix.Signal, flags uint64) actor.Event {
	GinkgoHelper()
	before := len(a.Events())
	handleWith(a, sig, flags)
	// The signal is delivered within it, which kills the actor where there is no room for the handler.
	Expect(a.Kill(a.PID(), sig)).To(Return(0))
	events := a.AwaitEvents(before + 1)
	Expect(events).To(HaveLen(before + 1))
	e := events[before]
	Expect(e.Signal).To(Equal(sig))
	Expect(e.Info.Signo()).To(Equal(sig))
	Expect(e.Info.PID()).To(Equal(a.PID()))
	return e
}

// parkIn has the actor wait in a handler with the flags, at a depth.
func parkIn(a, sender *actor.Actor, depth int, sig unix.Signal, flags uint64) actor.Event {
	GinkgoHelper()
	Must(a.Getpid()) // it has come back from the handler before, if there was one
	a.Park(sig, true)
	handleWith(a, sig, flags)
	Must(sender.Kill(a.PID(), sig))
	e := a.AwaitPark(depth)
	Expect(e.Signal).To(Equal(sig))
	Expect(e.Info.Signo()).To(Equal(sig))
	Expect(e.Info.PID()).To(Equal(sender.PID()))
	return e
}

// alignedEntry says that a handler's stack pointer is as the architecture's calling convention has it
// at the entry of a function.
func alignedEntry(e actor.Event) bool { return e.SP%16 == stackEntry }

var _ = Describe("sigaltstack", func() {
	const usr1, usr2 = unix.SIGUSR1, unix.SIGUSR2

	Clause("sigaltstack.none-at-first", func() {
		expectAltStack(actor.New(), noAltStack)
	})

	Clause("sigaltstack.set-and-query", func() {
		a := actor.New()

		stack := setAltStack(a, 0)
		for range 3 {
			expectAltStack(a, stack)
		}
	})

	Clause("sigaltstack.returns-zero", func() {
		a := actor.New()
		stack, other := newAltStack(a), newAltStack(a)

		for _, ss := range []*actor.AltStack{&stack, nil, &other, &other, {Flags: actor.SS_DISABLE}, nil} {
			Expect(a.Sigaltstack(ss)).To(Return(0))
			if ss != nil && ss.Flags == 0 {
				expectAltStack(a, *ss)
			}
		}
		expectAltStack(a, noAltStack)
	})

	Clause("sigaltstack.old-stack", func() {
		a := actor.New()
		stack, other := newAltStack(a), newAltStack(a)

		first := a.Sigaltstack(&stack)
		Expect(first).To(Return(0))
		Expect(first.AltStack()).To(Equal(noAltStack))
		second := a.Sigaltstack(&other)
		Expect(second).To(Return(0))
		Expect(second.AltStack()).To(Equal(stack))
		third := a.Sigaltstack(&actor.AltStack{Flags: actor.SS_DISABLE})
		Expect(third).To(Return(0))
		Expect(third.AltStack()).To(Equal(other))
		expectAltStack(a, noAltStack)
	})

	Clause("sigaltstack.null-old", func() {
		a := actor.New()
		stack := newAltStack(a)
		ss := a.Bytes(altStackBytes(stack))

		Expect(a.Raw(unix.SYS_SIGALTSTACK, ss, nil)).To(Return(0))
		Expect(ss.Copy()).To(Equal(altStackBytes(stack)))
		expectAltStack(a, stack)
	})

	Clause("sigaltstack.null-both", func() {
		a := actor.New()
		Expect(a.Raw(unix.SYS_SIGALTSTACK, nil, nil)).To(Return(0))
		expectAltStack(a, noAltStack)

		stack := setAltStack(a, 0)
		Expect(a.Raw(unix.SYS_SIGALTSTACK, nil, nil)).To(Return(0))
		expectAltStack(a, stack)
	})

	Clause("sigaltstack.replace", func() {
		a := actor.New()
		one := setAltStack(a, 0)
		Expect(onStack(catchOn(a, usr1, actor.SA_ONSTACK), one)).To(BeTrue())

		two := setAltStack(a, 0)
		expectAltStack(a, two)
		e := catchOn(a, usr1, actor.SA_ONSTACK)
		Expect(onStack(e, two)).To(BeTrue())
		Expect(onStack(e, one)).To(BeFalse())
	})

	Clause("sigaltstack.handler-on-stack", func() {
		a := actor.New()
		stack := setAltStack(a, 0)

		for range 3 {
			e := catchOn(a, usr1, actor.SA_ONSTACK)
			Expect(onStack(e, stack)).To(BeTrue())
			Expect(e.AltStack).To(Equal(stack))
			Expect(onStack(actor.Event{SP: e.OldSP}, stack)).To(BeFalse())
		}
	})

	Clause("sigaltstack.handler-off-stack", func() {
		a := actor.New()
		stack := setAltStack(a, 0)

		e := catchOn(a, usr1, 0)
		Expect(onStack(e, stack)).To(BeFalse())
		Expect(e.OldSP - e.SP).To(BeNumerically("<", altStackSize))
		Expect(onStack(catchOn(a, usr2, actor.SA_ONSTACK), stack)).To(BeTrue())
	})

	Clause("sigaltstack.any-memory", func() {
		a := actor.New()
		addr := Must(a.Mmap(0, altStackSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS, -1, 0))
		stack := actor.AltStack{SP: uint64(addr), Size: altStackSize}

		Expect(a.Sigaltstack(&stack)).To(Return(0))
		expectAltStack(a, stack)
		Expect(onStack(catchOn(a, usr1, actor.SA_ONSTACK), stack)).To(BeTrue())
	})

	for off := uint64(1); off <= 8; off += 7 {
		Clause("sigaltstack.misaligned-start", fmt.Sprintf("%d", off), func() {
			a := actor.New()
			stack := newAltStack(a)
			stack.SP += off
			stack.Size -= 2*off + 1

			Expect(a.Sigaltstack(&stack)).To(Return(0))
			expectAltStack(a, stack)
			e := catchOn(a, usr1, actor.SA_ONSTACK)
			Expect(onStack(e, stack)).To(BeTrue())
			Expect(alignedEntry(e)).To(BeTrue(), "stack pointer %#x", e.SP)
		})
	}

	Clause("sigaltstack.smallest", func() {
		a := actor.New()
		stack := newAltStack(a)
		stack.Size = max(minSigStackSize, auxiliary(a, atMinSigStackSize))

		Expect(a.Sigaltstack(&stack)).To(Return(0))
		expectAltStack(a, stack)
		Expect(onStack(catchOn(a, usr1, actor.SA_ONSTACK), stack)).To(BeTrue())
	})

	Clause("sigaltstack.too-small-enomem", func() {
		a := actor.New()
		stack := setAltStack(a, 0)

		for _, size := range []uint64{0, 1, 1024, minSigStackSize - 1} {
			small := newAltStack(a)
			small.Size = size
			Expect(a.Sigaltstack(&small)).To(FailWith(unix.ENOMEM))
			expectAltStack(a, stack)
		}
	})

	Clause("sigaltstack.disable", func() {
		a := actor.New()
		stack := setAltStack(a, 0)
		Expect(onStack(catchOn(a, usr1, actor.SA_ONSTACK), stack)).To(BeTrue())

		Expect(a.Sigaltstack(&actor.AltStack{Flags: actor.SS_DISABLE})).To(Return(0))
		expectAltStack(a, noAltStack)
		e := catchOn(a, usr1, actor.SA_ONSTACK)
		Expect(onStack(e, stack)).To(BeFalse())
		Expect(e.OldSP - e.SP).To(BeNumerically("<", altStackSize))
		Expect(e.AltStack.Flags).To(BeEquivalentTo(actor.SS_DISABLE))
	})

	Clause("sigaltstack.disable-ignores-fields", func() {
		a := actor.New()

		for _, ss := range []actor.AltStack{{}, {Size: 1}, {SP: a.Unmapped().Addr, Size: 1}, {SP: ^uint64(0), Size: ^uint64(0)}} {
			setAltStack(a, 0)
			ss.Flags = actor.SS_DISABLE
			Expect(a.Sigaltstack(&ss)).To(Return(0))
			expectAltStack(a, noAltStack)
		}
	})

	Clause("sigaltstack.disable-other-flags-einval", func() {
		a := actor.New()
		stack := setAltStack(a, 0)

		for _, other := range []int32{actor.SS_ONSTACK, 4, 1 << 30} {
			Expect(a.Sigaltstack(&actor.AltStack{Flags: actor.SS_DISABLE | other})).To(FailWith(unix.EINVAL))
			expectAltStack(a, stack)
		}
		Expect(a.Sigaltstack(&actor.AltStack{Flags: actor.SS_DISABLE | actor.SS_AUTODISARM})).To(Return(0))
		query := a.Sigaltstack(nil)
		Expect(query).To(Return(0))
		Expect(query.AltStack().Flags & actor.SS_DISABLE).To(BeEquivalentTo(actor.SS_DISABLE))
		Expect(onStack(catchOn(a, usr1, actor.SA_ONSTACK), stack)).To(BeFalse())
	})

	Clause("sigaltstack.disable-again", func() {
		a := actor.New()

		for range 2 {
			Expect(a.Sigaltstack(&actor.AltStack{Flags: actor.SS_DISABLE})).To(Return(0))
			expectAltStack(a, noAltStack)
		}
	})

	Clause("sigaltstack.invalid-flags-einval", func() {
		a := actor.New()
		stack := setAltStack(a, 0)

		for _, flags := range []int32{4, 8, 1 << 16, 1 << 30, 0x7fffffff} {
			other := newAltStack(a)
			other.Flags = flags
			Expect(a.Sigaltstack(&other)).To(FailWith(unix.EINVAL))
			expectAltStack(a, stack)
		}
	})

	Clause("sigaltstack.onstack-flag", func() {
		a := actor.New()
		stack := newAltStack(a)
		stack.Flags = actor.SS_ONSTACK

		Expect(a.Sigaltstack(&stack)).To(Return(0))
		expectAltStack(a, actor.AltStack{SP: stack.SP, Size: stack.Size})
		Expect(onStack(catchOn(a, usr1, actor.SA_ONSTACK), stack)).To(BeTrue())
	})

	for _, bad := range []string{"unmapped", "not readable", "half"} {
		Clause("sigaltstack.ss-efault", bad, func() {
			a := actor.New()
			stack := setAltStack(a, 0)
			var ss actor.Mem
			switch bad {
			case "unmapped":
				ss = a.Unmapped()
			case "not readable":
				ss = a.NoAccess()
			case "half":
				ss = a.PageEnd(12)
			}

			Expect(a.Raw(unix.SYS_SIGALTSTACK, ss, nil)).To(FailWith(unix.EFAULT))
			expectAltStack(a, stack)
		})
	}

	for _, bad := range []string{"unmapped", "read-only", "half"} {
		Clause("sigaltstack.old-efault", bad, func() {
			a := actor.New()
			stack := setAltStack(a, 0)
			var old actor.Mem
			switch bad {
			case "unmapped":
				old = a.Unmapped()
			case "read-only":
				old = a.ReadOnly(make([]byte, 24))
			case "half":
				old = a.PageEnd(12)
			}

			Expect(a.Raw(unix.SYS_SIGALTSTACK, nil, old)).To(FailWith(unix.EFAULT))
			expectAltStack(a, stack)
			other := a.Bytes(altStackBytes(newAltStack(a)))
			Expect(a.Raw(unix.SYS_SIGALTSTACK, other, old)).To(FailWith(unix.EFAULT))
		})
	}

	Clause("sigaltstack.on-stack-flag", func() {
		a, sender := actor.New(), actor.New()
		stack := setAltStack(a, 0)
		expectAltStack(a, stack)

		parkIn(a, sender, 1, usr1, actor.SA_ONSTACK)
		expectAltStack(a, actor.AltStack{SP: stack.SP, Flags: actor.SS_ONSTACK, Size: stack.Size})
		a.ReturnFromHandler()
		expectAltStack(a, stack)
		expectSent(a, sender, usr1)
	})

	Clause("sigaltstack.not-on-stack-in-other-handler", func() {
		a, sender := actor.New(), actor.New()
		stack := setAltStack(a, 0)

		parkIn(a, sender, 1, usr1, 0)
		expectAltStack(a, stack)
		other := setAltStack(a, 0)
		expectAltStack(a, other)
		a.ReturnFromHandler()
		expectSent(a, sender, usr1)
	})

	Clause("sigaltstack.active-eperm", func() {
		a, sender := actor.New(), actor.New()
		stack := setAltStack(a, 0)

		parkIn(a, sender, 1, usr1, actor.SA_ONSTACK)
		other := newAltStack(a)
		for _, ss := range []actor.AltStack{other, stack, {Flags: actor.SS_DISABLE}} {
			Expect(a.Sigaltstack(&ss)).To(FailWith(unix.EPERM))
			expectAltStack(a, actor.AltStack{SP: stack.SP, Flags: actor.SS_ONSTACK, Size: stack.Size})
		}
		a.ReturnFromHandler()
		expectAltStack(a, stack)
		expectSent(a, sender, usr1)
	})

	Clause("sigaltstack.active-query", func() {
		a, sender := actor.New(), actor.New()
		stack := setAltStack(a, 0)

		parkIn(a, sender, 1, usr1, actor.SA_ONSTACK)
		query := a.Sigaltstack(nil)
		Expect(query).To(Return(0))
		Expect(query.AltStack().SP).To(Equal(stack.SP))
		a.ReturnFromHandler()
		expectSent(a, sender, usr1)
	})

	Clause("sigaltstack.change-after-handler", func() {
		a, sender := actor.New(), actor.New()
		setAltStack(a, 0)

		parkIn(a, sender, 1, usr1, actor.SA_ONSTACK)
		a.ReturnFromHandler()
		other := setAltStack(a, 0)
		expectAltStack(a, other)
		Expect(a.Sigaltstack(&actor.AltStack{Flags: actor.SS_DISABLE})).To(Return(0))
		expectAltStack(a, noAltStack)
		expectSent(a, sender, usr1)
	})

	nested := func(flags uint64) {
		a, sender := actor.New(), actor.New()
		stack := setAltStack(a, 0)

		first := parkIn(a, sender, 1, usr1, actor.SA_ONSTACK)
		second := parkIn(a, sender, 2, usr2, flags)
		Expect(onStack(first, stack)).To(BeTrue())
		Expect(onStack(second, stack)).To(BeTrue())
		Expect(second.SP).To(BeNumerically("<", first.SP))
		Expect(second.OldSP).To(Equal(first.SP))
		expectAltStack(a, actor.AltStack{SP: stack.SP, Flags: actor.SS_ONSTACK, Size: stack.Size})
		a.ReturnFromHandler()
		expectAltStack(a, actor.AltStack{SP: stack.SP, Flags: actor.SS_ONSTACK, Size: stack.Size})
		a.ReturnFromHandler()
		expectAltStack(a, stack)
		expectSent(a, sender, usr1, usr2)
	}
	Clause("sigaltstack.nested-same-stack", func() { nested(actor.SA_ONSTACK) })
	Clause("sigaltstack.nested-without-onstack", func() { nested(0) })

	Clause("sigaltstack.autodisarm-flag", func() {
		a := actor.New()

		stack := setAltStack(a, actor.SS_AUTODISARM)
		expectAltStack(a, stack)
		disable := a.Sigaltstack(&actor.AltStack{Flags: actor.SS_DISABLE})
		Expect(disable).To(Return(0))
		Expect(disable.AltStack()).To(Equal(stack))
		expectAltStack(a, noAltStack)
	})

	Clause("sigaltstack.autodisarm-in-handler", func() {
		a, sender := actor.New(), actor.New()
		stack := setAltStack(a, actor.SS_AUTODISARM)

		e := parkIn(a, sender, 1, usr1, actor.SA_ONSTACK)
		Expect(onStack(e, stack)).To(BeTrue())
		Expect(e.AltStack).To(Equal(stack))
		expectAltStack(a, noAltStack)
		a.ReturnFromHandler()
		expectSent(a, sender, usr1)
	})

	Clause("sigaltstack.autodisarm-restored", func() {
		a, sender := actor.New(), actor.New()
		stack := setAltStack(a, actor.SS_AUTODISARM)

		for range 2 {
			Expect(onStack(parkIn(a, sender, 1, usr1, actor.SA_ONSTACK), stack)).To(BeTrue())
			expectAltStack(a, noAltStack)
			a.ReturnFromHandler()
			expectAltStack(a, stack)
		}
		expectSent(a, sender, usr1, usr1)
	})

	Clause("sigaltstack.autodisarm-other-stack", func() {
		a, sender := actor.New(), actor.New()
		stack := setAltStack(a, actor.SS_AUTODISARM)

		parkIn(a, sender, 1, usr1, actor.SA_ONSTACK)
		other := setAltStack(a, 0)
		expectAltStack(a, other)
		Expect(onStack(parkIn(a, sender, 2, usr2, actor.SA_ONSTACK), other)).To(BeTrue())
		expectAltStack(a, actor.AltStack{SP: other.SP, Flags: actor.SS_ONSTACK, Size: other.Size})
		a.ReturnFromHandler()
		expectAltStack(a, other)
		a.ReturnFromHandler()
		expectAltStack(a, stack)
		expectSent(a, sender, usr1, usr2)
	})

	Clause("sigaltstack.autodisarm-nested-reuses", func() {
		a, sender := actor.New(), actor.New()
		stack := setAltStack(a, actor.SS_AUTODISARM)

		first := parkIn(a, sender, 1, usr1, actor.SA_ONSTACK)
		second := parkIn(a, sender, 2, usr2, actor.SA_ONSTACK)
		Expect(onStack(second, stack)).To(BeTrue())
		Expect(second.OldSP).To(Equal(first.SP))
		Expect(second.SP).To(BeNumerically("<", first.SP))
		Expect(second.AltStack.Flags).To(BeEquivalentTo(actor.SS_DISABLE))
		a.ReturnFromHandler()
		expectAltStack(a, noAltStack)
		a.ReturnFromHandler()
		expectAltStack(a, stack)
		expectSent(a, sender, usr1, usr2)
	})

	Clause("sigaltstack.autodisarm-by-any-handler", func() {
		a, sender := actor.New(), actor.New()
		stack := setAltStack(a, actor.SS_AUTODISARM)

		Expect(onStack(parkIn(a, sender, 1, usr1, 0), stack)).To(BeFalse())
		expectAltStack(a, noAltStack)
		Expect(onStack(parkIn(a, sender, 2, usr2, actor.SA_ONSTACK), stack)).To(BeFalse())
		a.ReturnFromHandler()
		a.ReturnFromHandler()
		expectAltStack(a, stack)
		expectSent(a, sender, usr1, usr2)
	})

	// exhaust has the actor push on its stack without end. A small limit makes that end soon.
	exhaust := func(a *actor.Actor) *actor.Call {
		a.SetRlimit(unix.RLIMIT_STACK, 256<<10)
		return a.Execute(a.Executable(codeExhaustStack))
	}

	Clause("sigaltstack.stack-exhausted", func() {
		a := actor.New()
		stack := setAltStack(a, 0)
		Expect(a.Sigaction(unix.SIGSEGV, actor.SA_SIGINFO|actor.SA_ONSTACK, 0)).To(Return(0))

		Expect(exhaust(a)).To(FailWith(unix.EFAULT))
		Expect(a).To(Catch(unix.SIGSEGV))
		e := a.Events()[0]
		Expect(onStack(e, stack)).To(BeTrue())
		Expect(e.Info.Code()).To(Equal(segvMapErr))
		Expect(e.Info.Addr()).To(BeNumerically("~", e.OldSP, 16))
		Expect(e.Info.Addr()%8).To(BeZero(), "an address to which a word is pushed")
		expectAltStack(a, stack)
	})

	for _, handler := range []struct {
		name  string
		flags uint64
	}{{"", 0}, {"SA_ONSTACK", actor.SA_ONSTACK}} {
		Clause("sigaltstack.stack-exhausted-uncaught", handler.name, func() {
			a := actor.New()
			Expect(a.Sigaction(unix.SIGSEGV, actor.SA_SIGINFO|handler.flags, 0)).To(Return(0))
			Must(a.Kill(a.PID(), unix.SIGSEGV)) // the handler is there
			Expect(a).To(Catch(unix.SIGSEGV))
			Expect(a.Events()[0].Info.PID()).To(Equal(a.PID()))

			Expect(exhaust(a)).To(BeKilledBy(unix.SIGSEGV))
		})
	}

	Clause("sigaltstack.grows-down", func() {
		a, sender := actor.New(), actor.New()
		stack := setAltStack(a, 0)

		e := parkIn(a, sender, 1, usr1, actor.SA_ONSTACK)
		saved := stack.Size / 2 // what the kernel saves grows with the processor, and older kernels do not tell how much it is
		if told := auxiliary(a, atMinSigStackSize); told != 0 {
			saved = max(minSigStackSize, told)
		}
		Expect(e.SP).To(BeNumerically(">", stack.SP+stack.Size-saved))
		a.ReturnFromHandler()
		expectAltStack(a, stack)
		expectSent(a, sender, usr1)
	})

	Clause("sigaltstack.not-extended", func() {
		const page = 4096
		a, sender := actor.New(), actor.New()
		a.Handle(unix.SIGSEGV, 0)
		m := a.AllocAligned(2*altStackSize, altStackSize)
		Must(a.Munmap(m.Addr, altStackSize))
		stack := actor.AltStack{SP: m.Addr + altStackSize, Size: altStackSize}
		Expect(a.Sigaltstack(&stack)).To(Return(0))

		parkIn(a, sender, 1, usr1, actor.SA_ONSTACK)
		distances := []int{8, page, altStackSize}
		for _, below := range distances {
			Expect(a.Store(m.At(altStackSize-below), make([]byte, 8))).To(FailWith(unix.EFAULT))
		}
		a.ReturnFromHandler()
		Expect(a).To(Catch(usr1, unix.SIGSEGV, unix.SIGSEGV, unix.SIGSEGV))
		for i, e := range a.Events()[1:] {
			Expect(e.Info.Code()).To(Equal(segvMapErr))
			Expect(e.Info.Addr()).To(Equal(stack.SP - uint64(distances[i])))
		}
	})

	Clause("sigaltstack.thread-own", func() {
		a := actor.New()
		thread := a.Thread()

		stack := setAltStack(a, 0)
		expectAltStack(thread, noAltStack)
		other := setAltStack(thread, 0)
		expectAltStack(a, stack)
		expectAltStack(thread, other)
		Expect(a.Sigaltstack(&actor.AltStack{Flags: actor.SS_DISABLE})).To(Return(0))
		expectAltStack(thread, other)
		expectAltStack(a, noAltStack)
	})

	Clause("sigaltstack.fork-inherits", func() {
		a := actor.New()
		stack := setAltStack(a, 0)

		child := a.Fork()
		expectAltStack(child, stack)
		other := setAltStack(child, 0)
		expectAltStack(a, stack)
		Expect(a.Sigaltstack(&actor.AltStack{Flags: actor.SS_DISABLE})).To(Return(0))
		expectAltStack(child, other)
	})

	Clause("sigaltstack.fork-in-handler", func() {
		a, sender := actor.New(), actor.New()
		stack := setAltStack(a, 0)

		parkIn(a, sender, 1, usr1, actor.SA_ONSTACK)
		child := a.Fork()
		expectAltStack(child, actor.AltStack{SP: stack.SP, Flags: actor.SS_ONSTACK, Size: stack.Size})
		Expect(child.Sigaltstack(&actor.AltStack{Flags: actor.SS_DISABLE})).To(FailWith(unix.EPERM))
		expectAltStack(a, actor.AltStack{SP: stack.SP, Flags: actor.SS_ONSTACK, Size: stack.Size})
		a.ReturnFromHandler()
		expectSent(a, sender, usr1)
	})

	Clause("sigaltstack.thread-disabled", func() {
		a := actor.New()
		stack := setAltStack(a, 0)

		expectAltStack(a.Thread(), noAltStack)
		expectAltStack(a, stack)
	})

	Clause("sigaltstack.clone-vm-disabled", func() {
		a := actor.New()
		stack := setAltStack(a, 0)

		expectAltStack(a.Clone(unix.CLONE_VM|uint64(unix.SIGCHLD)), noAltStack)
		expectAltStack(a, stack)
	})

	Clause("sigaltstack.clone-vm-vfork-inherits", func() {
		a := actor.New()
		stack := setAltStack(a, 0)

		child := a.Clone(unix.CLONE_VM | unix.CLONE_VFORK | uint64(unix.SIGCHLD))
		expectAltStack(child, stack)
		child.Exit(0)
		if clone := a.Pending(); clone != nil {
			clone.Wait()
		}
		expectAltStack(a, stack)
	})

	Clause("sigaltstack.exec-removes", func() {
		a := actor.New()
		setAltStack(a, 0)

		a.Exec()
		expectAltStack(a, noAltStack)
	})

	Clause("sigaltstack.exec-removes-autodisarm", func() {
		a := actor.New()
		setAltStack(a, actor.SS_AUTODISARM)

		a.Exec()
		expectAltStack(a, noAltStack)
	})
})

// altStackBytes is stack_t as the kernel has it.
func altStackBytes(s actor.AltStack) []byte {
	b := binary.NativeEndian.AppendUint64(nil, s.SP)
	b = binary.NativeEndian.AppendUint32(b, uint32(s.Flags))
	b = binary.NativeEndian.AppendUint32(b, 0)
	return binary.NativeEndian.AppendUint64(b, s.Size)
}

const atMinSigStackSize = 51 // AT_MINSIGSTKSZ

// auxiliary looks a value up in an actor's auxiliary vector; 0 where it has none.
func auxiliary(a *actor.Actor, tag uint64) uint64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/auxv", a.PID()))
	if err != nil {
		return 0
	}
	for ; len(text) >= 16; text = text[16:] {
		if binary.NativeEndian.Uint64(text) == tag {
			return binary.NativeEndian.Uint64(text[8:])
		}
	}
	return 0
}
