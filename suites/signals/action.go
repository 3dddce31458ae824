package signals

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// actionOf asks for the action of a signal.
func actionOf(a *actor.Actor, sig unix.Signal) actor.Disposition {
	GinkgoHelper()
	query := a.RtSigaction(sig, nil)
	Expect(query).To(Return(0))
	return query.Disposition()
}

// setAction sets an action and checks what it was.
func setAction(a *actor.Actor, sig unix.Signal, action, was actor.Disposition) {
	GinkgoHelper()
	call := a.RtSigaction(sig, action)
	Expect(call).To(Return(0))
	Expect(call.Disposition()).To(Equal(was), "the old action")
}

// recordingSiginfo is the action of the recording handler with SA_SIGINFO and other flags.
func recordingSiginfo(flags uint64, mask ...unix.Signal) actor.Disposition {
	return actor.Recording(flags|actor.SA_SIGINFO, actor.Mask(mask...))
}

// noAction is the action of a process that has set none.
var noAction = actor.Disposition{}

// handlerFlags are the flags that are about handlers.
var handlerFlags = []struct {
	name string
	flag uint64
}{
	{"SA_SIGINFO", actor.SA_SIGINFO}, {"SA_ONSTACK", actor.SA_ONSTACK}, {"SA_RESTART", actor.SA_RESTART},
	{"SA_NODEFER", actor.SA_NODEFER}, {"SA_RESETHAND", actor.SA_RESETHAND},
}

// unknownFlags are bits of sa_flags that mean nothing on any architecture.
const unknownFlags = 1<<40 | 1<<21

var _ = Describe("sigaction", func() {
	const usr1, usr2 = unix.SIGUSR1, unix.SIGUSR2

	Clause("sigaction.installs-handler", func() {
		a, sender := actor.New(), actor.New()

		Expect(a.RtSigaction(usr1, recordingSiginfo(0))).To(Return(0))
		for range 3 {
			Must(sender.Kill(a.PID(), usr1))
			Must(a.Getpid())
		}
		expectSent(a, sender, usr1, usr1, usr1)
		Must(sender.Kill(a.PID(), usr2))
		Expect(a).To(BeKilledBy(usr2))
	})

	Clause("sigaction.replaces-handler", func() {
		a, sender := actor.New(), actor.New()
		first, second := recordingSiginfo(actor.SA_NODEFER, rtSignal), recordingSiginfo(0, usr2)
		setAction(a, usr1, first, noAction)

		setAction(a, usr1, second, first)
		Expect(actionOf(a, usr1)).To(Equal(second))
		a.Park(usr1, true)
		Must(sender.Kill(a.PID(), usr1))
		a.AwaitPark(1)
		Expect(maskOf(a)).To(Equal(actor.Mask(usr1, usr2)))
		a.ReturnFromHandler()
		expectSent(a, sender, usr1)
	})

	Clause("sigaction.old-action", func() {
		a := actor.New()
		was := noAction

		for _, action := range []actor.Disposition{
			recordingSiginfo(actor.SA_RESTART, usr2, rtSignal), {Handler: actor.SIG_IGN}, recordingSiginfo(actor.SA_NODEFER | actor.SA_ONSTACK), {},
		} {
			setAction(a, usr1, action, was)
			was = action
		}
	})

	Clause("sigaction.default-at-first", func() {
		a := actor.New()

		for sig := unix.Signal(1); sig <= 64; sig++ {
			Expect(actionOf(a, sig)).To(Equal(noAction))
		}
	})

	Clause("sigaction.null-act-queries", func() {
		a, sender := actor.New(), actor.New()
		action := recordingSiginfo(actor.SA_RESTART, usr2)
		setAction(a, usr1, action, noAction)

		for range 3 {
			query := a.RtSigaction(usr1, nil)
			Expect(query).To(Return(0))
			Expect(query.Disposition()).To(Equal(action))
		}
		Must(sender.Kill(a.PID(), usr1))
		expectSent(a, sender, usr1)
	})

	Clause("sigaction.null-old", func() {
		a, sender := actor.New(), actor.New()

		Expect(a.Sigaction(usr1, actor.SA_SIGINFO, 0)).To(Return(0))
		Expect(actionOf(a, usr1)).To(Equal(recordingSiginfo(0)))
		Must(sender.Kill(a.PID(), usr1))
		expectSent(a, sender, usr1)
	})

	Clause("sigaction.null-both-valid", func() {
		a := actor.New()
		Expect(a.RtSigaction(usr1, recordingSiginfo(0))).To(Return(0))

		for sig := unix.Signal(1); sig <= 64; sig++ {
			Expect(a.Raw(unix.SYS_RT_SIGACTION, sig, nil, nil, 8)).To(Return(0))
		}
		Expect(actionOf(a, usr1)).To(Equal(recordingSiginfo(0)))
	})

	Clause("sigaction.null-both-invalid", func() {
		a := actor.New()

		for _, sig := range invalidSignals {
			Expect(a.Raw(unix.SYS_RT_SIGACTION, sig, nil, nil, 8)).To(FailWith(unix.EINVAL))
		}
		Expect(a.Raw(unix.SYS_RT_SIGACTION, 0, nil, nil, 8)).To(FailWith(unix.EINVAL))
	})

	for _, was := range []struct {
		name   string
		action actor.Disposition
	}{{"caught", recordingSiginfo(0)}, {"ignored", actor.Disposition{Handler: actor.SIG_IGN}}} {
		Clause("sigaction.default", was.name, func() {
			a, sender := actor.New(), actor.New()
			setAction(a, usr1, was.action, noAction)
			Must(sender.Kill(a.PID(), usr1))
			Expect(a.Getpid()).To(Return(a.PID()))

			setAction(a, usr1, noAction, was.action)
			Must(sender.Kill(a.PID(), usr1))
			Expect(a).To(BeKilledBy(usr1))
		})
	}

	Clause("sigaction.ignore", func() {
		a, sender := actor.New(), actor.New()
		Expect(a.RtSigaction(usr2, recordingSiginfo(0))).To(Return(0))
		setAction(a, usr1, actor.Disposition{Handler: actor.SIG_IGN}, noAction)

		pause := beginPause(a)
		Must(sender.Kill(a.PID(), usr1))
		Expect(pause).To(Block())
		Must(sender.Kill(a.PID(), usr2))
		Expect(pause).To(FailWith(unix.EINTR))
		expectSent(a, sender, usr2)
		Expect(a.PendingSignals()).To(BeZero())
	})

	Clause("sigaction.every-signal", func() {
		a, sender := actor.New(), actor.New()

		var all []unix.Signal
		for sig := unix.Signal(1); sig <= 64; sig++ {
			if actor.Bit(sig)&unblockable != 0 {
				continue
			}
			setAction(a, sig, recordingSiginfo(0), noAction)
			Must(sender.Kill(a.PID(), sig))
			Must(a.Getpid())
			all = append(all, sig)
		}
		expectSent(a, sender, all...)
	})

	for _, sig := range []unix.Signal{unix.SIGKILL, unix.SIGSTOP} {
		Clause("sigaction.kill-stop-einval", actor.SignalName(sig), func() {
			a, sender := actor.New(), actor.New()

			for _, action := range []actor.Disposition{recordingSiginfo(0), {Handler: actor.SIG_IGN}, {}} {
				Expect(a.RtSigaction(sig, action)).To(FailWith(unix.EINVAL))
				Expect(actionOf(a, sig)).To(Equal(noAction))
			}
			Must(sender.Kill(a.PID(), sig))
			if sig == unix.SIGKILL {
				Expect(a).To(BeKilledBy(sig))
			} else {
				Expect(a.AwaitStopped()).To(BeTrue())
			}
		})
	}

	Clause("sigaction.kill-stop-query", func() {
		a := actor.New()

		for _, sig := range []unix.Signal{unix.SIGKILL, unix.SIGSTOP} {
			Expect(actionOf(a, sig)).To(Equal(noAction))
		}
	})

	Clause("sigaction.invalid-signal-einval", func() {
		a := actor.New()
		Expect(a.RtSigaction(lastSignal, recordingSiginfo(0))).To(Return(0))
		Expect(a.RtSigaction(1, recordingSiginfo(0))).To(Return(0))

		for _, sig := range append([]unix.Signal{0}, invalidSignals...) {
			Expect(a.RtSigaction(sig, actor.Disposition{Handler: actor.SIG_IGN})).To(FailWith(unix.EINVAL))
			Expect(a.RtSigaction(sig, nil)).To(FailWith(unix.EINVAL))
		}
		Expect(actionOf(a, lastSignal)).To(Equal(recordingSiginfo(0)))
		Expect(actionOf(a, 1)).To(Equal(recordingSiginfo(0)))
	})

	for _, bad := range []string{"unmapped", "not readable", "half"} {
		Clause("sigaction.act-efault", bad, func() {
			a := actor.New()
			setAction(a, usr1, recordingSiginfo(0), noAction)
			var act actor.Mem
			switch bad {
			case "unmapped":
				act = a.Unmapped()
			case "not readable":
				act = a.NoAccess()
			case "half":
				act = a.PageEnd(16)
			}

			Expect(a.Raw(unix.SYS_RT_SIGACTION, usr1, act, nil, 8)).To(FailWith(unix.EFAULT))
			Expect(actionOf(a, usr1)).To(Equal(recordingSiginfo(0)))
		})
	}

	for _, bad := range []string{"unmapped", "read-only", "half"} {
		Clause("sigaction.old-efault", bad, func() {
			a := actor.New()
			setAction(a, usr1, recordingSiginfo(0), noAction)
			var old actor.Mem
			switch bad {
			case "unmapped":
				old = a.Unmapped()
			case "read-only":
				old = a.ReadOnly(make([]byte, 32))
			case "half":
				old = a.PageEnd(16)
			}

			Expect(a.Raw(unix.SYS_RT_SIGACTION, usr1, nil, old, 8)).To(FailWith(unix.EFAULT))
			Expect(actionOf(a, usr1)).To(Equal(recordingSiginfo(0)))
		})
	}

	Clause("sigaction.size-einval", func() {
		a := actor.New()
		setAction(a, usr1, recordingSiginfo(0), noAction)
		ignore := a.Alloc(32)
		ignore.PutUint64(0, actor.SIG_IGN)

		for _, size := range []int{0, 4, 7, 9, 16, 128, -1} {
			Expect(a.Raw(unix.SYS_RT_SIGACTION, usr1, ignore, nil, size)).To(FailWith(unix.EINVAL))
			Expect(actionOf(a, usr1)).To(Equal(recordingSiginfo(0)))
		}
	})

	Clause("sigaction.returns-zero", func() {
		a := actor.New()

		for _, action := range []actor.Disposition{recordingSiginfo(0), {Handler: actor.SIG_IGN}, {}, recordingSiginfo(actor.SA_RESTART, usr2)} {
			Expect(a.RtSigaction(usr1, action)).To(Return(0))
			Expect(actionOf(a, usr1)).To(Equal(action))
		}
	})

	Clause("sigaction.process-wide", func() {
		a, sender := actor.New(), actor.New()
		thread := a.Thread()

		setAction(thread, usr1, recordingSiginfo(0), noAction)
		Expect(actionOf(a, usr1)).To(Equal(recordingSiginfo(0)))
		Expect(actionOf(a.Thread(), usr1)).To(Equal(recordingSiginfo(0)))
		Must(sender.Tgkill(a.PID(), a.TID(), usr1))
		expectSent(a, sender, usr1)
		setAction(a, usr1, actor.Disposition{Handler: actor.SIG_IGN}, recordingSiginfo(0))
		Expect(actionOf(thread, usr1).Handler).To(BeEquivalentTo(actor.SIG_IGN))
	})

	Clause("sigaction.fork-inherits", func() {
		a, sender := actor.New(), actor.New()
		setAction(a, usr1, recordingSiginfo(actor.SA_RESTART, rtSignal), noAction)
		setAction(a, usr2, actor.Disposition{Handler: actor.SIG_IGN}, noAction)

		child := a.Fork()
		Expect(actionOf(child, usr1)).To(Equal(recordingSiginfo(actor.SA_RESTART, rtSignal)))
		Expect(actionOf(child, usr2).Handler).To(BeEquivalentTo(actor.SIG_IGN))
		Must(sender.Kill(child.PID(), usr1))
		expectSent(child, sender, usr1)
		setAction(child, usr1, noAction, recordingSiginfo(actor.SA_RESTART, rtSignal))
		Expect(actionOf(a, usr1)).To(Equal(recordingSiginfo(actor.SA_RESTART, rtSignal)))
		setAction(a, usr2, noAction, actor.Disposition{Handler: actor.SIG_IGN})
		Expect(actionOf(child, usr2).Handler).To(BeEquivalentTo(actor.SIG_IGN))
	})

	Clause("sigaction.exec-resets-handled", func() {
		a := actor.New()
		for _, sig := range []unix.Signal{usr1, unix.SIGCHLD, unix.SIGURG, rtSignal} {
			setAction(a, sig, recordingSiginfo(0), noAction)
			Expect(actionOf(a, sig)).To(Equal(recordingSiginfo(0)))
		}

		a.Exec()
		for _, sig := range []unix.Signal{usr1, unix.SIGCHLD, unix.SIGURG, rtSignal} {
			Expect(actionOf(a, sig).Handler).To(BeEquivalentTo(actor.SIG_DFL))
		}
		Expect(a.Kill(a.PID(), usr1)).To(BeKilledBy(usr1))
	})

	Clause("sigaction.exec-keeps-ignored", func() {
		a := actor.New()
		for _, sig := range []unix.Signal{usr1, rtSignal} {
			setAction(a, sig, actor.Disposition{Handler: actor.SIG_IGN}, noAction)
		}
		setAction(a, unix.SIGHUP, recordingSiginfo(0), noAction)

		a.Exec()
		for _, sig := range []unix.Signal{usr1, rtSignal} {
			Expect(actionOf(a, sig).Handler).To(BeEquivalentTo(actor.SIG_IGN))
			Expect(a.Kill(a.PID(), sig)).To(Return(0))
		}
		Expect(actionOf(a, usr2).Handler).To(BeEquivalentTo(actor.SIG_DFL))
		Expect(a.Kill(a.PID(), unix.SIGHUP)).To(BeKilledBy(unix.SIGHUP))
	})

	Clause("sigaction.signal-number", func() {
		a, sender := actor.New(), actor.New()

		sigs := []unix.Signal{1, usr1, unix.SIGCHLD, 32, rtSignal, 64}
		for i, sig := range sigs {
			Expect(a.Sigaction(sig, 0, 0)).To(Return(0))
			Must(sender.Kill(a.PID(), sig))
			Must(a.Getpid())
			events := a.AwaitEvents(i + 1)
			Expect(events).To(HaveLen(i + 1))
			Expect(events[i].Signal).To(Equal(sig))
		}
	})

	Clause("sigaction.three-arguments", func() {
		a, sender := actor.New(), actor.New()
		a.SetMask(unix.SIGTERM)

		sigs := []unix.Signal{1, usr1, unix.SIGCHLD, 32, rtSignal, 64}
		for i, sig := range sigs {
			setAction(a, sig, recordingSiginfo(0), noAction)
			Must(sender.Kill(a.PID(), sig))
			Must(a.Getpid())
			e := a.AwaitEvents(i + 1)[i]
			Expect(e.Signal).To(Equal(sig))
			Expect(e.Info.Signo()).To(Equal(sig))
			Expect(e.Mask).To(Equal(actor.Mask(unix.SIGTERM)))
		}
		expectSent(a, sender, sigs...)
	})

	Clause("sigaction.context", func() {
		a, sender := actor.New(), actor.New()
		stack := setAltStack(a, 0)
		a.SetMask(usr2)

		e := parkIn(a, sender, 1, usr1, actor.SA_ONSTACK)
		saved := a.SavedContext(e)
		Expect(onStack(actor.Event{SP: saved.PC.Addr}, stack)).To(BeTrue())
		Expect(saved.PC.Uint64(0)).To(Equal(e.PC))
		Expect(saved.SP.Uint64(0)).To(Equal(e.OldSP))
		Expect(saved.Mask.Uint64(0)).To(Equal(actor.Mask(usr2)))
		Expect(saved.Stack.Uint64(0)).To(Equal(stack.SP))
		a.ReturnFromHandler()
		expectSent(a, sender, usr1)
	})
})

var _ = Describe("The mask of an action", func() {
	const usr1, usr2 = unix.SIGUSR1, unix.SIGUSR2

	Clause("sigaction.mask-in-handler", func() {
		a, sender := actor.New(), actor.New()
		a.SetMask(unix.SIGTERM)
		a.Park(usr1, true)
		setAction(a, usr1, recordingSiginfo(0, usr2, rtSignal), noAction)

		Must(sender.Kill(a.PID(), usr1))
		a.AwaitPark(1)
		Expect(maskOf(a)).To(Equal(actor.Mask(usr1, usr2, rtSignal, unix.SIGTERM)))
		a.ReturnFromHandler()
		Expect(maskOf(a)).To(Equal(actor.Mask(unix.SIGTERM)))
		expectSent(a, sender, usr1)
	})

	Clause("sigaction.mask-signals-wait", func() {
		a, sender := actor.New(), actor.New()
		a.Park(usr1, true)
		setAction(a, usr1, recordingSiginfo(0, usr2), noAction)
		a.Handle(usr2, 0)
		a.Handle(unix.SIGHUP, 0)

		Must(sender.Kill(a.PID(), usr1))
		a.AwaitPark(1)
		Must(sender.Kill(a.PID(), usr2))
		Must(sender.Kill(a.PID(), unix.SIGHUP))
		Must(a.Getpid())
		expectSent(a, sender, usr1, unix.SIGHUP)
		Expect(a.PendingSignals()).To(Equal(actor.Mask(usr2)))
		a.ReturnFromHandler()
		expectSent(a, sender, usr1, unix.SIGHUP, usr2)
		Expect(a.Events()[2].Depth).To(BeZero())
	})

	Clause("sigaction.mask-per-signal", func() {
		a, sender := actor.New(), actor.New()
		a.Park(usr1, true)
		a.Park(usr2, true)
		setAction(a, usr1, recordingSiginfo(0, rtSignal), noAction)
		setAction(a, usr2, recordingSiginfo(0, unix.SIGHUP), noAction)

		for _, c := range []struct{ sig, blocked unix.Signal }{{usr1, rtSignal}, {usr2, unix.SIGHUP}} {
			Must(sender.Kill(a.PID(), c.sig))
			a.AwaitPark(1)
			Expect(maskOf(a)).To(Equal(actor.Mask(c.sig, c.blocked)))
			a.ReturnFromHandler()
			Must(a.Getpid())
		}
		expectSent(a, sender, usr1, usr2)
	})

	Clause("sigaction.mask-only-this-thread", func() {
		a, sender := actor.New(), actor.New()
		thread := a.Thread()
		a.Park(usr1, true)
		setAction(a, usr1, recordingSiginfo(0, usr2), noAction)

		Must(sender.Tgkill(a.PID(), a.TID(), usr1))
		a.AwaitPark(1)
		Expect(maskOf(a)).To(Equal(actor.Mask(usr1, usr2)))
		Expect(maskOf(thread)).To(BeZero())
		a.ReturnFromHandler()
		expectSent(a, sender, usr1)
	})

	Clause("sigaction.itself-blocked", func() {
		a, sender := actor.New(), actor.New()
		a.Park(usr1, true)
		setAction(a, usr1, recordingSiginfo(0), noAction)

		Must(sender.Kill(a.PID(), usr1))
		a.AwaitPark(1)
		Must(sender.Kill(a.PID(), usr1))
		Must(a.Getpid())
		Expect(maskOf(a)).To(Equal(actor.Mask(usr1)))
		expectSent(a, sender, usr1)
		a.ReturnFromHandler()
		a.AwaitEvents(2)
		Expect(a.AwaitPark(1).Mask).To(BeZero())
		a.ReturnFromHandler()
		expectSent(a, sender, usr1, usr1)
	})

	for _, sig := range []unix.Signal{unix.SIGKILL, unix.SIGSTOP} {
		Clause("sigaction.mask-kill-stop", actor.SignalName(sig), func() {
			a, sender := actor.New(), actor.New()
			a.Park(usr1, true)
			setAction(a, usr1, recordingSiginfo(0, sig, usr2), noAction)
			Expect(actionOf(a, usr1)).To(Equal(recordingSiginfo(0, usr2)))

			Must(sender.Kill(a.PID(), usr1))
			a.AwaitPark(1)
			Expect(maskOf(a)).To(Equal(actor.Mask(usr1, usr2)))
			expectSent(a, sender, usr1)
			Must(sender.Kill(a.PID(), sig))
			if sig == unix.SIGKILL {
				Expect(a).To(BeKilledBy(sig))
			} else {
				Expect(a.AwaitStopped()).To(BeTrue())
			}
		})
	}
})

var _ = Describe("The flags of an action", func() {
	const usr1, usr2 = unix.SIGUSR1, unix.SIGUSR2

	Clause("sigaction.flags-told", func() {
		a := actor.New()
		var all uint64

		for _, f := range append(handlerFlags[:len(handlerFlags):len(handlerFlags)], struct {
			name string
			flag uint64
		}{"SA_NOCLDSTOP", actor.SA_NOCLDSTOP}, struct {
			name string
			flag uint64
		}{"SA_NOCLDWAIT", actor.SA_NOCLDWAIT}) {
			all |= f.flag
			for _, flags := range []uint64{f.flag, all} {
				Expect(a.RtSigaction(usr1, actor.Recording(flags, 0))).To(Return(0))
				Expect(actionOf(a, usr1).Flags).To(Equal(flags|actor.SA_RESTORER), f.name)
			}
		}
	})

	Clause("sigaction.nodefer", func() {
		a, sender := actor.New(), actor.New()
		a.Park(usr1, true)
		setAction(a, usr1, recordingSiginfo(actor.SA_NODEFER, usr2), noAction)

		Must(sender.Kill(a.PID(), usr1))
		a.AwaitPark(1)
		Expect(maskOf(a)).To(Equal(actor.Mask(usr2)))
		a.ReturnFromHandler()
		expectSent(a, sender, usr1)
	})

	Clause("sigaction.nodefer-nested", func() {
		a, sender := actor.New(), actor.New()
		a.Park(usr1, true)
		setAction(a, usr1, recordingSiginfo(actor.SA_NODEFER), noAction)

		for depth := 1; depth <= 3; depth++ {
			Must(sender.Kill(a.PID(), usr1))
			Expect(a.AwaitPark(depth).Depth).To(Equal(depth - 1))
		}
		for range 3 {
			a.ReturnFromHandler()
		}
		expectSent(a, sender, usr1, usr1, usr1)
	})

	Clause("sigaction.nodefer-in-mask", func() {
		a, sender := actor.New(), actor.New()
		a.Park(usr1, true)
		setAction(a, usr1, recordingSiginfo(actor.SA_NODEFER, usr1), noAction)

		Must(sender.Kill(a.PID(), usr1))
		a.AwaitPark(1)
		Expect(maskOf(a)).To(Equal(actor.Mask(usr1)))
		Expect(actionOf(a, usr1)).To(Equal(recordingSiginfo(actor.SA_NODEFER, usr1)))
		a.ReturnFromHandler()
		expectSent(a, sender, usr1)
	})

	Clause("sigaction.resethand", func() {
		a, sender := actor.New(), actor.New()
		a.Park(usr1, true)
		setAction(a, usr1, recordingSiginfo(actor.SA_RESETHAND), noAction)

		Must(sender.Kill(a.PID(), usr1))
		a.AwaitPark(1)
		Expect(actionOf(a, usr1).Handler).To(BeEquivalentTo(actor.SIG_DFL))
		a.ReturnFromHandler()
		expectSent(a, sender, usr1)
		Must(sender.Kill(a.PID(), usr1))
		Expect(a).To(BeKilledBy(usr1))
	})

	Clause("sigaction.resethand-blocked", func() {
		a, sender := actor.New(), actor.New()
		a.Park(usr1, true)
		setAction(a, usr1, recordingSiginfo(actor.SA_RESETHAND), noAction)

		Must(sender.Kill(a.PID(), usr1))
		a.AwaitPark(1)
		Must(sender.Kill(a.PID(), usr1))
		Expect(maskOf(a)).To(Equal(actor.Mask(usr1)))
		expectSent(a, sender, usr1)
		a.ReturnFromHandler()
		Expect(a).To(BeKilledBy(usr1))
	})

	Clause("sigaction.resethand-nodefer", func() {
		a, sender := actor.New(), actor.New()
		a.Park(usr1, true)
		setAction(a, usr1, recordingSiginfo(actor.SA_RESETHAND|actor.SA_NODEFER), noAction)

		Must(sender.Kill(a.PID(), usr1))
		a.AwaitPark(1)
		Expect(maskOf(a)).To(BeZero())
		expectSent(a, sender, usr1)
		Must(sender.Kill(a.PID(), usr1))
		Expect(a).To(BeKilledBy(usr1))
	})

	Clause("sigaction.resethand-other-signals", func() {
		a, sender := actor.New(), actor.New()
		setAction(a, usr1, recordingSiginfo(actor.SA_RESETHAND), noAction)
		setAction(a, usr2, recordingSiginfo(actor.SA_RESETHAND), noAction)

		Must(sender.Kill(a.PID(), usr1))
		Must(a.Getpid())
		Expect(actionOf(a, usr1).Handler).To(BeEquivalentTo(actor.SIG_DFL))
		Expect(actionOf(a, usr2)).To(Equal(recordingSiginfo(actor.SA_RESETHAND)))
		Must(sender.Kill(a.PID(), usr2))
		expectSent(a, sender, usr1, usr2)
		Expect(actionOf(a, usr2).Handler).To(BeEquivalentTo(actor.SIG_DFL))
	})

	Clause("sigaction.restart", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		sender := a.Fork()
		setAction(a, usr1, recordingSiginfo(actor.SA_RESTART), noAction)
		setAction(a, usr2, recordingSiginfo(0), noAction)

		read := a.Begin().Read(r, 10)
		Expect(read).To(Block())
		Must(sender.Kill(a.PID(), usr1))
		a.AwaitEvents(1)
		Expect(read).To(Block())
		Must(sender.Write(w, []byte("hello")))
		Expect(read).To(ReturnData("hello"))

		read = a.Begin().Read(r, 10)
		Expect(read).To(Block())
		Must(sender.Kill(a.PID(), usr2))
		Expect(read).To(FailWith(unix.EINTR))
		expectSent(a, sender, usr1, usr2)
	})

	Clause("sigaction.onstack", func() {
		a := actor.New()
		stack := setAltStack(a, 0)

		Expect(onStack(catchOn(a, usr1, actor.SA_ONSTACK), stack)).To(BeTrue())
		Expect(onStack(catchOn(a, usr1, 0), stack)).To(BeFalse())
	})

	Clause("sigaction.onstack-without-stack", func() {
		a := actor.New()

		with := catchOn(a, usr1, actor.SA_ONSTACK)
		without := catchOn(a, usr2, 0)
		Expect(with.SP).To(Equal(without.SP))
		Expect(with.SP).To(BeNumerically("<", with.OldSP))
		Expect(actionOf(a, usr1)).To(Equal(recordingSiginfo(actor.SA_ONSTACK)))
	})

	Clause("sigaction.all-flags", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		sender := a.Fork()
		stack := setAltStack(a, 0)
		a.Park(usr1, true)
		setAction(a, usr1, recordingSiginfo(actor.SA_ONSTACK|actor.SA_NODEFER|actor.SA_RESETHAND|actor.SA_RESTART), noAction)

		read := a.Begin().Read(r, 10)
		Expect(read).To(Block())
		Must(sender.Kill(a.PID(), usr1))
		Expect(onStack(a.AwaitPark(1), stack)).To(BeTrue())
		Expect(maskOf(a)).To(BeZero())
		Expect(actionOf(a, usr1).Handler).To(BeEquivalentTo(actor.SIG_DFL))
		a.ReturnFromHandler()
		Expect(read).To(Block())
		Must(sender.Write(w, []byte("hello")))
		Expect(read).To(ReturnData("hello"))
		expectSent(a, sender, usr1)
	})

	for _, f := range handlerFlags {
		Clause("sigaction.flags-with-ignore", f.name, func() {
			a, sender := actor.New(), actor.New()
			ignore := actor.Disposition{Handler: actor.SIG_IGN, Flags: f.flag}
			setAction(a, usr1, ignore, noAction)

			for range 2 {
				Must(sender.Kill(a.PID(), usr1))
				Expect(a.Getpid()).To(Return(a.PID()))
				Expect(actionOf(a, usr1)).To(Equal(ignore))
			}
		})

		Clause("sigaction.flags-with-default", f.name, func() {
			a, sender := actor.New(), actor.New()
			setAction(a, usr1, actor.Disposition{Flags: f.flag}, noAction)
			Expect(actionOf(a, usr1)).To(Equal(actor.Disposition{Flags: f.flag}))

			Must(sender.Kill(a.PID(), usr1))
			Expect(a).To(BeKilledBy(usr1))
		})
	}

	Clause("sigaction.unknown-flags", func() {
		a, sender := actor.New(), actor.New()
		a.Park(usr1, true)
		Expect(a.RtSigaction(usr1, recordingSiginfo(unknownFlags))).To(Return(0))

		for range 2 {
			Must(sender.Kill(a.PID(), usr1))
			a.AwaitPark(1)
			Expect(maskOf(a)).To(Equal(actor.Mask(usr1)))
			a.ReturnFromHandler()
			Must(a.Getpid())
		}
		expectSent(a, sender, usr1, usr1)
		Expect(actionOf(a, usr1).Handler).To(Equal(recordingSiginfo(0).Handler))
	})

	Clause("sigaction.probe-unsupported", func() {
		a := actor.New()
		const known = actor.SA_SIGINFO | actor.SA_RESTART | actor.SA_NODEFER | actor.SA_ONSTACK

		for _, flags := range []uint64{actor.SA_UNSUPPORTED, unknownFlags, actor.SA_UNSUPPORTED | unknownFlags} {
			Expect(a.RtSigaction(usr1, actor.Recording(flags|known, 0))).To(Return(0))
			Expect(actionOf(a, usr1).Flags).To(BeEquivalentTo(known | actor.SA_RESTORER))
			Expect(a.RtSigaction(usr1, noAction)).To(Return(0))
		}
	})

	Clause("sigaction.probe-tagbits", func() {
		a := actor.New()

		Expect(a.RtSigaction(unix.SIGSEGV, recordingSiginfo(actor.SA_UNSUPPORTED|actor.SA_EXPOSE_TAGBITS))).To(Return(0))
		Expect(actionOf(a, unix.SIGSEGV)).To(Equal(recordingSiginfo(actor.SA_EXPOSE_TAGBITS)))
	})

	Clause("sigaction.tagbits-without-tag", func() {
		a := actor.New()
		nowhere := a.Unmapped()

		for i, flags := range []uint64{actor.SA_EXPOSE_TAGBITS, 0} {
			Expect(a.RtSigaction(unix.SIGSEGV, recordingSiginfo(flags))).To(Return(0))
			Expect(a.Store(nowhere, []byte{1})).To(FailWith(unix.EFAULT))
			e := a.AwaitEvents(i + 1)[i]
			Expect(e.Info.Addr()).To(Equal(nowhere.Addr))
			Expect(e.Info.Code()).To(Equal(segvMapErr))
		}
		Expect(a).To(Catch(unix.SIGSEGV, unix.SIGSEGV))
	})

	Clause("sigaction.restorer", func() {
		a := actor.New()
		action := recordingSiginfo(0)
		setAction(a, usr1, action, noAction)
		Expect(action.Flags & actor.SA_RESTORER).To(BeEquivalentTo(actor.SA_RESTORER))
		Expect(actionOf(a, usr1)).To(Equal(action))
		action.Restorer = 0x123450
		Expect(a.RtSigaction(usr1, action)).To(Return(0))
		Expect(actionOf(a, usr1)).To(Equal(action))
	})
})
