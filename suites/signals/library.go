package signals

import (
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// What the C library makes of these system calls for signal(2), siginterrupt(3), sigsetops(3),
// raise(3) and abort(3) is the library's; that the kernel lets it is what is checked here.

// The two meanings of signal(2), as the flags that the C library sets for them.
const (
	bsdSignal     = actor.SA_RESTART
	systemVSignal = actor.SA_RESETHAND | actor.SA_NODEFER
)

var _ = Describe("signal", func() {
	Clause("signal2.returns-previous", func() {
		a := actor.New()
		old := a.Alloc(32)
		set := func(handler byte) int {
			action := append([]byte{handler}, make([]byte, 31)...)
			Expect(a.Raw(unix.SYS_RT_SIGACTION, unix.SIGUSR1, action, old, 8)).To(Return(0))
			return int(old.Uint64(0))
		}

		Expect(set(isIgnored)).To(Equal(isDefault))
		Expect(set(isDefault)).To(Equal(isIgnored))
		Expect(a.Sigaction(unix.SIGUSR1, 0, 0)).To(Return(0))
		handler := dispositionOf(a, unix.SIGUSR1)
		Expect(handler).To(BeNumerically(">", isIgnored))
		Expect(set(isIgnored)).To(Equal(handler))
		Expect(set(isDefault)).To(Equal(isIgnored))
	})

	for _, sig := range []struct {
		name string
		sig  int
	}{{"0", 0}, {"65", 65}, {"-1", -1}, {"1000", 1000}} {
		Clause("signal2.einval", sig.name, func() {
			a := actor.New()
			for _, handler := range []byte{isDefault, isIgnored} {
				action := append([]byte{handler}, make([]byte, 31)...)
				Expect(a.Raw(unix.SYS_RT_SIGACTION, sig.sig, action, nil, 8)).To(FailWith(unix.EINVAL))
			}
			Expect(a.Sigaction(unix.Signal(sig.sig), 0, 0)).To(FailWith(unix.EINVAL))
		})
	}

	Clause("signal2.handler-argument", func() {
		a := actor.New()
		sender := a.Fork()
		for _, sig := range []unix.Signal{unix.SIGUSR1, unix.SIGTERM, 40} {
			Expect(a.Sigaction(sig, actor.SA_SIGINFO, 0)).To(Return(0))
			Expect(sender.Kill(a.PID(), sig)).To(Return(0))
		}
		expectCaughtFrom(a, sender, unix.SIGUSR1, unix.SIGTERM, 40)
	})

	Clause("signal2.bsd-blocks-and-stays", func() {
		a := actor.New()
		sender := a.Fork()
		a.Park(unix.SIGUSR1, true)
		Expect(a.Sigaction(unix.SIGUSR1, bsdSignal|actor.SA_SIGINFO, 0)).To(Return(0))

		inHandler(a, sender, 1)
		Expect(actionOf(a, unix.SIGUSR1)).To(Equal(recordingSiginfo(bsdSignal)))
		Expect(sender.Kill(a.PID(), unix.SIGUSR1)).To(Return(0))
		expectPendingSet(a, unix.SIGUSR1)
		a.Park(unix.SIGUSR1, false)
		a.ReturnFromHandler()
		expectCaughtFrom(a, sender, unix.SIGUSR1, unix.SIGUSR1)
		Expect(actionOf(a, unix.SIGUSR1)).To(Equal(recordingSiginfo(bsdSignal)))
	})

	Clause("signal2.system-v-resets", func() {
		a := actor.New()
		sender := a.Fork()
		a.Park(unix.SIGUSR1, true)
		Expect(a.Sigaction(unix.SIGUSR1, systemVSignal|actor.SA_SIGINFO, 0)).To(Return(0))

		inHandler(a, sender, 1)
		Expect(dispositionOf(a, unix.SIGUSR1)).To(Equal(isDefault))
		expectMaskIs(a)
		// The next one finds the default action, though the handler still runs.
		Expect(sender.Kill(a.PID(), unix.SIGUSR1)).To(Return(0))
		Expect(a).To(BeKilledBy(unix.SIGUSR1))
	})

	Clause("signal2.system-v-recursive", func() {
		a := actor.New()
		sender := a.Fork()
		a.Park(unix.SIGUSR1, true)
		Expect(a.Sigaction(unix.SIGUSR1, systemVSignal|actor.SA_SIGINFO, 0)).To(Return(0))

		// The handler sets itself again, as such handlers do, and is called while it runs.
		for depth := 1; depth <= 3; depth++ {
			inHandler(a, sender, depth)
			Expect(dispositionOf(a, unix.SIGUSR1)).To(Equal(isDefault))
			expectMaskIs(a)
			Expect(a.Sigaction(unix.SIGUSR1, systemVSignal|actor.SA_SIGINFO, 0)).To(Return(0))
			Expect(actionOf(a, unix.SIGUSR1)).To(Equal(recordingSiginfo(systemVSignal)))
		}
		for range 3 {
			a.ReturnFromHandler()
		}
		expectCaughtFrom(a, sender, unix.SIGUSR1, unix.SIGUSR1, unix.SIGUSR1)
	})

	Clause("signal2.system-v-interrupts", func() {
		a := actor.New()
		s := readsPipe(func(by actor.Caller, fd int) *actor.Call { return by.Read(fd, 10) })(a)
		expectSleepInterrupted(a, s, systemVSignal)
	})

	Clause("signal2.ignored-fault-kills", func() {
		parent := actor.New()
		child := parent.Fork()
		keepCoresAway(child)
		Expect(setDisposition(child, unix.SIGSEGV, isIgnored)).To(Return(0))

		child.Load(child.Unmapped(), 1)
		Expect(waitStatus(parent, child, 0)).To(Equal(killedBy(unix.SIGSEGV)))
	})
})

// setRestart makes what siginterrupt(3) makes: it sets or clears SA_RESTART of the handler that is
// there, and leaves the rest as it is.
func setRestart(a *actor.Actor, sig unix.Signal, on bool) {
	GinkgoHelper()
	const flags = 8 // sa_flags
	action := a.Alloc(32)
	Expect(a.Raw(unix.SYS_RT_SIGACTION, sig, nil, action, 8)).To(Return(0))
	was := action.Uint64(flags)
	Expect(was&actor.SA_RESTART != 0).To(Equal(!on), "SA_RESTART before")
	v := was &^ actor.SA_RESTART
	if on {
		v |= actor.SA_RESTART
	}
	action.PutUint64(flags, v)
	Expect(a.Raw(unix.SYS_RT_SIGACTION, sig, action, nil, 8)).To(Return(0))
}

var _ = Describe("siginterrupt", func() {
	Clause("siginterrupt.changes-restart", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		sender := a.Fork()
		a.Handle(unix.SIGUSR1, actor.SA_RESTART)
		for n := range 2 {
			setRestart(a, unix.SIGUSR1, false)
			read := a.Begin().Read(r, 10)
			Expect(read).To(Block())
			Must(sender.Kill(a.PID(), unix.SIGUSR1))
			Expect(read).To(FailWith(unix.EINTR))

			setRestart(a, unix.SIGUSR1, true)
			read = a.Begin().Read(r, 10)
			Expect(read).To(Block())
			Must(sender.Kill(a.PID(), unix.SIGUSR1))
			a.AwaitEvents(2*n + 2)
			Expect(read).To(Block())
			Must(sender.Write(w, aMoment))
			Expect(read).To(ReturnData(aMoment))
		}
		expectCaughtFrom(a, sender, unix.SIGUSR1, unix.SIGUSR1, unix.SIGUSR1, unix.SIGUSR1)
	})

	Clause("siginterrupt.for-that-signal-only", func() {
		a := actor.New()
		r, _ := a.Pipe(0)
		sender := a.Fork()
		a.Handle(unix.SIGUSR1, actor.SA_RESTART)
		a.Handle(unix.SIGUSR2, actor.SA_RESTART)
		setRestart(a, unix.SIGUSR2, false)

		read := a.Begin().Read(r, 10)
		Expect(read).To(Block())
		Must(sender.Kill(a.PID(), unix.SIGUSR1))
		a.AwaitEvents(1)
		Expect(read).To(Block())
		Must(sender.Kill(a.PID(), unix.SIGUSR2))
		Expect(read).To(FailWith(unix.EINTR))
		expectCaughtFrom(a, sender, unix.SIGUSR1, unix.SIGUSR2)
	})

	Clause("siginterrupt.while-it-sleeps", func() {
		a := actor.New()
		thread := a.Thread()
		r, _ := a.Pipe(0)
		sender := actor.New()
		a.Handle(unix.SIGUSR1, actor.SA_RESTART)

		// What counts is the flag when the signal comes, not when the call began.
		read := thread.Begin().Read(r, 10)
		Expect(read).To(Block())
		setRestart(a, unix.SIGUSR1, false)
		Must(sender.Tgkill(a.PID(), thread.TID(), unix.SIGUSR1))
		Expect(read).To(FailWith(unix.EINTR))
		Expect(thread).To(Catch(unix.SIGUSR1))
	})

	Clause("siginterrupt.partial-transfer", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		room := Must(a.Fcntl(w, unix.F_GETPIPE_SZ, 0))
		sender := a.Fork()
		a.Handle(unix.SIGUSR1, actor.SA_RESTART)
		setRestart(a, unix.SIGUSR1, false)

		write := a.Begin().Write(w, make([]byte, room+100))
		Expect(write).To(Block())
		Must(sender.Kill(a.PID(), unix.SIGUSR1))
		Expect(write).To(Return(room))
		expectCaughtFrom(a, sender, unix.SIGUSR1)
		Expect(sender.Read(r, room+100)).To(Return(room))
	})

	for _, sig := range []struct {
		name string
		sig  int
	}{{"0", 0}, {"65", 65}, {"-1", -1}} {
		Clause("siginterrupt.einval", sig.name, func() {
			a := actor.New()
			Expect(a.Raw(unix.SYS_RT_SIGACTION, sig.sig, nil, a.Alloc(32), 8)).To(FailWith(unix.EINVAL))
		})
	}
})

var _ = Describe("raise", func() {
	Clause("raise.single-thread-like-kill", func() {
		a := actor.New()
		Expect(a.Sigaction(unix.SIGUSR1, actor.SA_SIGINFO, 0)).To(Return(0))

		Expect(a.Kill(a.PID(), unix.SIGUSR1)).To(Return(0))
		Expect(a.Tgkill(a.PID(), a.TID(), unix.SIGUSR1)).To(Return(0))
		Expect(a).To(Catch(unix.SIGUSR1, unix.SIGUSR1))
		Expect(a.Events()[0].Info.Code()).To(Equal(actor.SI_USER))
		Expect(a.Events()[1].Info.Code()).To(Equal(actor.SI_TKILL))
		for _, e := range a.Events() {
			Expect(e.Info.PID()).To(Equal(a.PID()))
		}
	})

	Clause("raise.calling-thread-only", func() {
		a := actor.New()
		threads := []*actor.Actor{a.Thread(), a.Thread(), a}
		Expect(a.Sigaction(unix.SIGUSR1, actor.SA_SIGINFO, 0)).To(Return(0))

		for n, thread := range threads {
			Expect(thread.Tgkill(a.PID(), thread.TID(), unix.SIGUSR1)).To(Return(0))
			Expect(thread).To(Catch(unix.SIGUSR1))
			for _, other := range threads[n+1:] {
				Expect(settledSignals(other)).To(BeEmpty())
			}
		}
	})

	Clause("raise.returns-after-handler", func() {
		a := actor.New()
		a.Park(unix.SIGUSR1, true)
		Expect(a.Sigaction(unix.SIGUSR1, actor.SA_SIGINFO, 0)).To(Return(0))

		raise := a.Begin().Tgkill(a.PID(), a.TID(), unix.SIGUSR1)
		a.AwaitPark(1)
		Must(a.Getpid())
		Expect(raise.Done()).To(BeFalse())
		a.ReturnFromHandler()
		Expect(raise).To(Return(0))
		Expect(a).To(Catch(unix.SIGUSR1))
	})

	Clause("raise.takes-effect-at-once", "terminated", func() {
		parent := actor.New()
		child := parent.Fork()
		Expect(child.Tgkill(child.PID(), child.TID(), unix.SIGTERM)).To(BeKilledBy(unix.SIGTERM))
		Expect(waitStatus(parent, child, 0)).To(Equal(killedBy(unix.SIGTERM)))
	})

	Clause("raise.takes-effect-at-once", "stopped", func() {
		parent, child, _ := familyOf()
		raise := child.Begin().Tgkill(child.PID(), child.TID(), unix.SIGTSTP)
		Expect(waitStatus(parent, child, unix.WUNTRACED)).To(Equal(stoppedBy(unix.SIGTSTP)))
		Expect(raise.Done()).To(BeFalse())
		Must(parent.Kill(child.PID(), unix.SIGCONT))
		Expect(raise).To(Return(0))
	})

	Clause("raise.blocked-is-pending", func() {
		a := actor.New()
		Expect(a.Sigaction(unix.SIGUSR1, actor.SA_SIGINFO, 0)).To(Return(0))
		blockSignals(a, unix.SIGUSR1)

		Expect(a.Tgkill(a.PID(), a.TID(), unix.SIGUSR1)).To(Return(0))
		expectPendingSet(a, unix.SIGUSR1)
		Expect(a.Events()).To(BeEmpty())
		unblockSignals(a, unix.SIGUSR1)
		Expect(a).To(Catch(unix.SIGUSR1))
	})

	Clause("raise.einval", func() {
		a := actor.New()
		for _, sig := range []int{65, -1} {
			Expect(a.Tgkill(a.PID(), a.TID(), unix.Signal(sig))).To(FailWith(unix.EINVAL))
		}
		Expect(a.Getpid()).To(Return(a.PID()))
	})
})

var _ = Describe("abort", func() {
	// A process that is about to abort, and its parent.
	aborting := func() (parent, a *actor.Actor) {
		parent = actor.New()
		a = parent.Fork()
		keepCoresAway(a)
		return parent, a
	}
	raise := func(a *actor.Actor) *actor.Call { return a.Begin().Tgkill(a.PID(), a.TID(), unix.SIGABRT) }

	Clause("abort.unblocks-and-raises", func() {
		parent, a := aborting()
		blockSignals(a, unix.SIGABRT)
		unblockSignals(a, unix.SIGABRT)

		Expect(raise(a)).To(BeKilledBy(unix.SIGABRT))
		Expect(waitStatus(parent, a, 0)).To(Equal(killedBy(unix.SIGABRT)))
	})

	Clause("abort.unblocks-and-raises", "pending already", func() {
		parent, a := aborting()
		blockSignals(a, unix.SIGABRT)
		Expect(raise(a)).To(Return(0))
		expectPendingSet(a, unix.SIGABRT)

		Expect(a.Begin().Sigprocmask(unix.SIG_UNBLOCK, actor.Mask(unix.SIGABRT))).To(BeKilledBy(unix.SIGABRT))
		Expect(waitStatus(parent, a, 0)).To(Equal(killedBy(unix.SIGABRT)))
	})

	Clause("abort.ignored", func() {
		parent, a := aborting()
		Expect(setDisposition(a, unix.SIGABRT, isIgnored)).To(Return(0))
		Expect(raise(a)).To(Return(0))

		// It is still there, and so goes the second way.
		Expect(setDisposition(a, unix.SIGABRT, isDefault)).To(Return(0))
		Expect(raise(a)).To(BeKilledBy(unix.SIGABRT))
		Expect(waitStatus(parent, a, 0)).To(Equal(killedBy(unix.SIGABRT)))
	})

	Clause("abort.handler-returns", func() {
		parent, a := aborting()
		Expect(a.Sigaction(unix.SIGABRT, actor.SA_SIGINFO, 0)).To(Return(0))
		Expect(raise(a)).To(Return(0))
		Expect(a).To(Catch(unix.SIGABRT))
		Expect(a.Events()[0].Info.Code()).To(Equal(actor.SI_TKILL))

		Expect(setDisposition(a, unix.SIGABRT, isDefault)).To(Return(0))
		Expect(raise(a)).To(BeKilledBy(unix.SIGABRT))
		Expect(a.Events()).To(HaveLen(1))
		Expect(waitStatus(parent, a, 0)).To(Equal(killedBy(unix.SIGABRT)))
	})

	Clause("abort.handler-does-not-return", func() {
		parent, a := aborting()
		a.Park(unix.SIGABRT, true)
		Expect(a.Sigaction(unix.SIGABRT, actor.SA_SIGINFO, 0)).To(Return(0))
		abort := raise(a)
		a.AwaitPark(1)

		// As long as the handler does not return, the process lives and abort goes no further.
		Expect(a.Getpid()).To(Return(a.PID()))
		Expect(parent.Wait4(a.PID(), unix.WNOHANG)).To(Return(0))
		Expect(abort.Done()).To(BeFalse())
		Expect(a).To(Catch(unix.SIGABRT))
		Expect(a.Events()[0].Info.Code()).To(Equal(actor.SI_TKILL))
		executeProgram(a) // by which the handler never returns
		Expect(a.Getpid()).To(Return(a.PID()))
		expectMaskIs(a, unix.SIGABRT)
	})

	Clause("abort.whole-process", func() {
		parent, a := aborting()
		thread := a.Thread()
		sleeping := beginPause(a)

		raise(thread)
		Expect(sleeping).To(BeKilledBy(unix.SIGABRT))
		Expect(waitStatus(parent, a, 0)).To(Equal(killedBy(unix.SIGABRT)))
		Expect(thread.Gone()).To(BeTrue())
	})
})

var _ = Describe("A set of signals", func() {
	Clause("sigset.empty", func() {
		a := actor.New()
		sender := actor.New()
		Expect(a.Sigaction(unix.SIGUSR1, actor.SA_SIGINFO, 0)).To(Return(0))
		blockSignals(a, unix.SIGUSR1, 40)

		Expect(a.Sigprocmask(unix.SIG_BLOCK, uint64(0))).To(Return(0))
		expectMaskIs(a, unix.SIGUSR1, 40)
		Expect(a.Sigprocmask(unix.SIG_UNBLOCK, uint64(0))).To(Return(0))
		expectMaskIs(a, unix.SIGUSR1, 40)
		Expect(a.Sigprocmask(unix.SIG_SETMASK, uint64(0))).To(Return(0))
		expectMaskIs(a)
		Expect(sender.Kill(a.PID(), unix.SIGUSR1)).To(Return(0))
		expectCaughtFrom(a, sender, unix.SIGUSR1)
	})

	Clause("sigset.full", func() {
		a := actor.New()
		sender := actor.New()
		Expect(a.Sigprocmask(unix.SIG_SETMASK, allSignals)).To(Return(0))

		var all []unix.Signal
		for sig := unix.Signal(1); sig <= lastRealTime; sig++ {
			if sig == unix.SIGKILL || sig == unix.SIGSTOP {
				continue
			}
			a.Handle(sig, 0) // so that none is discarded
			all = append(all, sig)
		}
		expectMaskIs(a, all...)
		for _, sig := range all {
			if sig != unix.SIGCONT { // which would discard the others that stop
				Expect(sender.Kill(a.PID(), sig)).To(Return(0))
			}
		}
		expectPendingSet(a, slicesWithout(all, unix.SIGCONT)...)
		Expect(a.Events()).To(BeEmpty())
	})

	Clause("sigset.one-by-one", func() {
		a := actor.New()
		var members []unix.Signal
		for sig := unix.Signal(1); sig <= lastRealTime; sig++ {
			if sig == unix.SIGKILL || sig == unix.SIGSTOP {
				continue
			}
			Expect(a.Sigprocmask(unix.SIG_BLOCK, actor.Mask(sig))).To(Return(0))
			members = append(members, sig)
			expectMaskIs(a, members...)
		}
		for len(members) > 0 {
			Expect(a.Sigprocmask(unix.SIG_UNBLOCK, actor.Mask(members[0]))).To(Return(0))
			members = members[1:]
			expectMaskIs(a, members...)
		}
	})

	Clause("sigset.member-is-awaited", func() {
		a := actor.New()
		sender := actor.New()
		blockSignals(a, unix.SIGUSR1, unix.SIGUSR2)
		Must(sender.Kill(a.PID(), unix.SIGUSR1))

		Expect(a.Sigtimedwait(actor.Mask(unix.SIGUSR2), 0)).To(FailWith(unix.EAGAIN))
		Expect(a.Sigtimedwait(uint64(0), 0)).To(FailWith(unix.EAGAIN))
		expectPendingSet(a, unix.SIGUSR1)
		wait := a.Sigtimedwait(actor.Mask(unix.SIGUSR1, unix.SIGUSR2), 0)
		Expect(wait).To(Return(int(unix.SIGUSR1)))
		Expect(wait.Siginfo().Signo()).To(Equal(unix.SIGUSR1))
		Expect(wait.Siginfo().PID()).To(Equal(sender.PID()))
	})

	Clause("sigset.library-signals-blockable", func() {
		a := actor.New()
		sender := actor.New()
		handleInTurn(a, 32, 33)
		// The C library leaves them out of its full set; the kernel does not mind.
		blockSignals(a, 32, 33)

		Expect(sender.Kill(a.PID(), 33)).To(Return(0))
		Expect(sender.Kill(a.PID(), 32)).To(Return(0))
		expectPendingSet(a, 32, 33)
		unblockAll(a)
		expectCaughtFrom(a, sender, 32, 33)
	})
})

// slicesWithout returns a list without one of its members.
func slicesWithout(list []unix.Signal, not unix.Signal) []unix.Signal {
	return slices.DeleteFunc(slices.Clone(list), func(sig unix.Signal) bool { return sig == not })
}
