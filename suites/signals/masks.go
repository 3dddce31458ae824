package signals

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// unblockable are the two signals that no mask holds.
const unblockable = 1<<(unix.SIGKILL-1) | 1<<(unix.SIGSTOP-1)

// maskOf asks for the actor's mask.
func maskOf(a *actor.Actor) uint64 {
	GinkgoHelper()
	call := a.Sigprocmask(unix.SIG_BLOCK, nil)
	Expect(call).To(Return(0))
	return call.Word()
}

// changeMask changes an actor's mask, and checks what it was.
func changeMask(a *actor.Actor, how int, set, was uint64) {
	GinkgoHelper()
	call := a.Sigprocmask(how, set)
	Expect(call).To(Return(0))
	Expect(call.Word()).To(Equal(was), "the old mask")
}

// expectSent checks that the actor has caught exactly these signals, each sent by the other actor
// with kill, tkill or tgkill.
func expectSent(a, sender *actor.Actor, sigs ...unix.Signal) {
	GinkgoHelper()
	Expect(a).To(Catch(sigs...))
	for _, e := range a.Events() {
		Expect(e.Info.Code()).To(BeElementOf(actor.SI_USER, actor.SI_TKILL), "si_code")
		Expect(e.Info.PID()).To(Equal(sender.PID()), "si_pid")
		Expect(e.Info.UID()).To(Equal(Must(sender.Getuid())), "si_uid")
	}
}

// maskHows are the values of sigprocmask's how.
var maskHows = []struct {
	name string
	how  int
}{{"SIG_BLOCK", unix.SIG_BLOCK}, {"SIG_UNBLOCK", unix.SIG_UNBLOCK}, {"SIG_SETMASK", unix.SIG_SETMASK}}

var _ = Describe("sigprocmask", func() {
	usr1, usr2, rt := actor.Bit(unix.SIGUSR1), actor.Bit(unix.SIGUSR2), actor.Bit(rtSignal)

	Clause("sigprocmask.block-adds", func() {
		a := actor.New()

		Expect(a.Sigprocmask(unix.SIG_BLOCK, usr1)).To(Return(0))
		Expect(maskOf(a)).To(Equal(usr1))
		Expect(a.Sigprocmask(unix.SIG_BLOCK, usr2|rt)).To(Return(0))
		Expect(maskOf(a)).To(Equal(usr1 | usr2 | rt))
		Expect(a.Sigprocmask(unix.SIG_BLOCK, uint64(0))).To(Return(0))
		Expect(maskOf(a)).To(Equal(usr1 | usr2 | rt))
	})

	Clause("sigprocmask.block-blocked", func() {
		a := actor.New()
		Expect(a.Sigprocmask(unix.SIG_BLOCK, usr1|usr2)).To(Return(0))

		again := a.Sigprocmask(unix.SIG_BLOCK, usr1)
		Expect(again).To(Return(0))
		Expect(again.Word()).To(Equal(usr1 | usr2))
		Expect(maskOf(a)).To(Equal(usr1 | usr2))
		Expect(a.Sigprocmask(unix.SIG_UNBLOCK, usr1)).To(Return(0))
		Expect(maskOf(a)).To(Equal(usr2))
	})

	Clause("sigprocmask.unblock-removes", func() {
		a := actor.New()
		Expect(a.Sigprocmask(unix.SIG_SETMASK, usr1|usr2|rt)).To(Return(0))

		Expect(a.Sigprocmask(unix.SIG_UNBLOCK, usr2)).To(Return(0))
		Expect(maskOf(a)).To(Equal(usr1 | rt))
		Expect(a.Sigprocmask(unix.SIG_UNBLOCK, usr1|rt)).To(Return(0))
		Expect(maskOf(a)).To(BeZero())
	})

	Clause("sigprocmask.unblock-unblocked", func() {
		a := actor.New()
		Expect(a.Sigprocmask(unix.SIG_UNBLOCK, ^uint64(0))).To(Return(0))
		Expect(maskOf(a)).To(BeZero())

		Expect(a.Sigprocmask(unix.SIG_SETMASK, usr1)).To(Return(0))
		call := a.Sigprocmask(unix.SIG_UNBLOCK, usr2|rt)
		Expect(call).To(Return(0))
		Expect(call.Word()).To(Equal(usr1))
		Expect(maskOf(a)).To(Equal(usr1))
	})

	Clause("sigprocmask.setmask-replaces", func() {
		a := actor.New()

		for _, mask := range []uint64{usr1, usr2 | rt, usr1 | usr2} {
			Expect(a.Sigprocmask(unix.SIG_SETMASK, mask)).To(Return(0))
			Expect(maskOf(a)).To(Equal(mask))
		}
	})

	Clause("sigprocmask.setmask-empty", func() {
		a := actor.New()
		Expect(a.Sigprocmask(unix.SIG_BLOCK, ^uint64(0))).To(Return(0))

		Expect(a.Sigprocmask(unix.SIG_SETMASK, uint64(0))).To(Return(0))
		Expect(maskOf(a)).To(BeZero())
	})

	Clause("sigprocmask.every-signal", func() {
		a := actor.New()

		for sig := unix.Signal(1); sig <= 64; sig++ {
			if actor.Bit(sig)&unblockable != 0 {
				continue
			}
			Expect(a.Sigprocmask(unix.SIG_BLOCK, actor.Bit(sig))).To(Return(0))
			Expect(a.Kill(a.PID(), sig)).To(Return(0)) // it would end or stop the actor, or do nothing
			Expect(maskOf(a)).To(Equal(actor.Bit(sig)))
			Expect(a.PendingSignals()).To(Equal(actor.Bit(sig)))
			Expect(a.Sigtimedwait(actor.Bit(sig), 0)).To(Return(int(sig)))
			Expect(a.Sigprocmask(unix.SIG_SETMASK, uint64(0))).To(Return(0))
		}
	})

	Clause("sigprocmask.returns-zero", func() {
		a := actor.New()

		for _, h := range maskHows {
			for _, set := range []uint64{usr1, usr1, 0, ^uint64(0)} {
				Expect(a.Sigprocmask(h.how, set)).To(Return(0))
			}
		}
		Expect(maskOf(a)).To(Equal(^uint64(unblockable)))
	})

	for _, h := range maskHows {
		Clause("sigprocmask.old-set", h.name, func() {
			a := actor.New()
			Expect(a.Sigprocmask(unix.SIG_SETMASK, usr1|rt)).To(Return(0))

			call := a.Sigprocmask(h.how, usr1|usr2)
			Expect(call).To(Return(0))
			Expect(call.Word()).To(Equal(usr1 | rt))
			want := map[int]uint64{unix.SIG_BLOCK: usr1 | usr2 | rt, unix.SIG_UNBLOCK: rt, unix.SIG_SETMASK: usr1 | usr2}[h.how]
			Expect(maskOf(a)).To(Equal(want))
		})
	}

	Clause("sigprocmask.old-set-exact-size", func() {
		a := actor.New()
		Expect(a.Sigprocmask(unix.SIG_SETMASK, usr1)).To(Return(0))
		m := a.Alloc(24)
		for off := 0; off < 24; off += 8 {
			m.PutUint64(off, ^uint64(0))
		}

		Expect(a.Raw(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, nil, m.Sub(8, 8), 8)).To(Return(0))
		Expect([]uint64{m.Uint64(0), m.Uint64(8), m.Uint64(16)}).To(Equal([]uint64{^uint64(0), usr1, ^uint64(0)}))
	})

	Clause("sigprocmask.set-exact-size", func() {
		a := actor.New()
		end := a.PageEnd(8)
		end.PutUint64(0, usr2)

		Expect(a.Sigprocmask(unix.SIG_SETMASK, end)).To(Return(0))
		Expect(maskOf(a)).To(Equal(usr2))
	})

	for _, h := range maskHows {
		Clause("sigprocmask.null-set-queries", h.name, func() {
			a := actor.New()
			Expect(a.Sigprocmask(unix.SIG_SETMASK, usr1|rt)).To(Return(0))

			for range 2 {
				query := a.Sigprocmask(h.how, nil)
				Expect(query).To(Return(0))
				Expect(query.Word()).To(Equal(usr1 | rt))
			}
		})
	}

	Clause("sigprocmask.null-set-any-how", func() {
		a := actor.New()
		Expect(a.Sigprocmask(unix.SIG_SETMASK, usr1)).To(Return(0))

		for _, how := range []int{-1, 3, 4711} {
			query := a.Sigprocmask(how, nil)
			Expect(query).To(Return(0))
			Expect(query.Word()).To(Equal(usr1))
		}
	})

	Clause("sigprocmask.null-old-set", func() {
		a := actor.New()

		for _, h := range maskHows {
			Expect(a.Raw(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, a.Sigset(rtSignal, unix.SIGUSR2), nil, 8)).To(Return(0))
			Expect(a.Raw(unix.SYS_RT_SIGPROCMASK, h.how, a.Sigset(unix.SIGUSR1, unix.SIGUSR2), nil, 8)).To(Return(0))
			want := map[int]uint64{unix.SIG_BLOCK: usr1 | usr2 | rt, unix.SIG_UNBLOCK: rt, unix.SIG_SETMASK: usr1 | usr2}[h.how]
			Expect(maskOf(a)).To(Equal(want))
		}
	})

	Clause("sigprocmask.both-null", func() {
		a := actor.New()
		Expect(a.Sigprocmask(unix.SIG_SETMASK, usr1)).To(Return(0))

		for _, h := range maskHows {
			Expect(a.Raw(unix.SYS_RT_SIGPROCMASK, h.how, nil, nil, 8)).To(Return(0))
			Expect(maskOf(a)).To(Equal(usr1))
		}
	})

	Clause("sigprocmask.blocked-is-not-delivered", func() {
		a, sender := actor.New(), actor.New()
		a.Handle(unix.SIGUSR1, 0)
		a.Handle(unix.SIGUSR2, 0)

		Expect(a.Sigprocmask(unix.SIG_BLOCK, usr1)).To(Return(0))
		Must(sender.Kill(a.PID(), unix.SIGUSR1))
		Must(sender.Kill(a.PID(), unix.SIGUSR2))
		expectSent(a, sender, unix.SIGUSR2)
		Expect(a.PendingSignals()).To(Equal(usr1))
	})

	Clause("sigprocmask.unblock-delivers", func() {
		a, sender := actor.New(), actor.New()
		a.Handle(unix.SIGUSR1, 0)
		Expect(a.Sigprocmask(unix.SIG_BLOCK, usr1|usr2)).To(Return(0))
		Must(sender.Kill(a.PID(), unix.SIGUSR1))
		Expect(a.Events()).To(BeEmpty())

		Expect(a.Sigprocmask(unix.SIG_UNBLOCK, usr1)).To(Return(0))
		events := a.Events() // no waiting: it has come
		Expect(events).To(HaveLen(1))
		Expect(events[0].InCall).To(BeTrue())
		Expect(events[0].Mask).To(Equal(usr2))
		expectSent(a, sender, unix.SIGUSR1)
	})

	for _, how := range maskHows[1:] {
		Clause("sigprocmask.unblock-terminates", how.name, func() {
			a, sender := actor.New(), actor.New()
			Expect(a.Sigprocmask(unix.SIG_BLOCK, usr1|usr2)).To(Return(0))
			Must(sender.Kill(a.PID(), unix.SIGUSR1))
			Must(sender.Kill(a.PID(), unix.SIGUSR2))
			Expect(a.Getpid()).To(Return(a.PID()))

			// The other one, with the lower number, stays blocked.
			set := map[int]uint64{unix.SIG_UNBLOCK: usr2, unix.SIG_SETMASK: usr1}[how.how]
			Expect(a.Sigprocmask(how.how, set)).To(BeKilledBy(unix.SIGUSR2))
		})
	}

	Clause("sigprocmask.setmask-delivers", func() {
		a, sender := actor.New(), actor.New()
		for _, sig := range []unix.Signal{unix.SIGUSR1, unix.SIGUSR2, rtSignal} {
			a.Handle(sig, 0)
		}
		Expect(a.Sigprocmask(unix.SIG_SETMASK, usr1|usr2|rt)).To(Return(0))
		for _, sig := range []unix.Signal{unix.SIGUSR1, unix.SIGUSR2, rtSignal} {
			Must(sender.Kill(a.PID(), sig))
		}

		Expect(a.Sigprocmask(unix.SIG_SETMASK, usr1|rt)).To(Return(0))
		Expect(a.Events()).To(HaveLen(1))
		expectSent(a, sender, unix.SIGUSR2)
		Expect(a.PendingSignals()).To(Equal(usr1 | rt))
		Expect(a.Sigprocmask(unix.SIG_SETMASK, rt)).To(Return(0))
		expectSent(a, sender, unix.SIGUSR2, unix.SIGUSR1)
	})

	for _, how := range []int{0, 2} {
		name := maskHows[how].name
		Clause("sigprocmask.kill-is-not-blocked", name, func() {
			a, sender := actor.New(), actor.New()

			Expect(a.Sigprocmask(how, actor.Mask(unix.SIGKILL, unix.SIGUSR1))).To(Return(0))
			Expect(maskOf(a)).To(Equal(usr1))
			Must(sender.Kill(a.PID(), unix.SIGUSR1))
			Expect(a.Getpid()).To(Return(a.PID()))
			Must(sender.Kill(a.PID(), unix.SIGKILL))
			Expect(a).To(BeKilledBy(unix.SIGKILL))
		})

		Clause("sigprocmask.stop-is-not-blocked", name, func() {
			a, sender := actor.New(), actor.New()

			Expect(a.Sigprocmask(how, actor.Mask(unix.SIGSTOP, unix.SIGUSR1))).To(Return(0))
			Expect(maskOf(a)).To(Equal(usr1))
			Must(sender.Kill(a.PID(), unix.SIGUSR1))
			Expect(a.Getpid()).To(Return(a.PID()))
			Must(sender.Kill(a.PID(), unix.SIGSTOP))
			Expect(a.AwaitStopped()).To(BeTrue())
			Must(sender.Kill(a.PID(), unix.SIGCONT))
			Expect(maskOf(a)).To(Equal(usr1))
		})
	}

	Clause("sigprocmask.full-set", func() {
		a := actor.New()

		Expect(a.Sigprocmask(unix.SIG_BLOCK, ^uint64(0))).To(Return(0))
		Expect(maskOf(a)).To(Equal(^uint64(unblockable)))
	})

	Clause("sigprocmask.invalid-how-einval", func() {
		a := actor.New()
		Expect(a.Sigprocmask(unix.SIG_SETMASK, usr1)).To(Return(0))

		for _, how := range []int{-1, 3, 4, 1 << 30} {
			Expect(a.Sigprocmask(how, usr2)).To(FailWith(unix.EINVAL))
			Expect(maskOf(a)).To(Equal(usr1))
		}
	})

	Clause("sigprocmask.size-einval", func() {
		a := actor.New()
		Expect(a.Sigprocmask(unix.SIG_SETMASK, usr1)).To(Return(0))
		old := a.Alloc(128)

		for _, size := range []int{0, 4, 7, 9, 16, 128, -1} {
			Expect(a.Raw(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, a.Sigset(unix.SIGUSR2), old, size)).To(FailWith(unix.EINVAL))
			Expect(a.Raw(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, nil, nil, size)).To(FailWith(unix.EINVAL))
			Expect(maskOf(a)).To(Equal(usr1))
		}
		Expect(old.Copy()).To(Equal(make([]byte, 128)))
	})

	for _, bad := range []string{"unmapped", "not readable", "half"} {
		Clause("sigprocmask.set-efault", bad, func() {
			a := actor.New()
			Expect(a.Sigprocmask(unix.SIG_SETMASK, usr1)).To(Return(0))
			var set actor.Mem
			switch bad {
			case "unmapped":
				set = a.Unmapped()
			case "not readable":
				set = a.NoAccess()
			case "half":
				set = a.PageEnd(4)
			}

			for _, h := range maskHows {
				Expect(a.Sigprocmask(h.how, set)).To(FailWith(unix.EFAULT))
				Expect(maskOf(a)).To(Equal(usr1))
			}
		})
	}

	for _, bad := range []string{"unmapped", "read-only", "half"} {
		Clause("sigprocmask.old-set-efault", bad, func() {
			a := actor.New()
			Expect(a.Sigprocmask(unix.SIG_SETMASK, usr1)).To(Return(0))
			var old actor.Mem
			switch bad {
			case "unmapped":
				old = a.Unmapped()
			case "read-only":
				old = a.ReadOnly(make([]byte, 8))
			case "half":
				old = a.PageEnd(4)
			}

			Expect(a.Raw(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, nil, old, 8)).To(FailWith(unix.EFAULT))
			Expect(maskOf(a)).To(Equal(usr1))
			Expect(a.Raw(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, a.Sigset(unix.SIGUSR2), old, 8)).To(FailWith(unix.EFAULT))
		})
	}

	Clause("sigprocmask.thread-own-mask", func() {
		a := actor.New()
		thread, other := a.Thread(), a.Thread()

		Expect(thread.Sigprocmask(unix.SIG_BLOCK, usr1)).To(Return(0))
		Expect(maskOf(a)).To(BeZero())
		Expect(maskOf(other)).To(BeZero())
		Expect(a.Sigprocmask(unix.SIG_BLOCK, usr2)).To(Return(0))
		Expect(maskOf(thread)).To(Equal(usr1))
		Expect(maskOf(a)).To(Equal(usr2))
		Expect(maskOf(other)).To(BeZero())
	})

	Clause("sigprocmask.thread-mask-decides", func() {
		a, sender := actor.New(), actor.New()
		a.Handle(unix.SIGUSR1, 0)
		thread := a.Thread()

		changeMask(a, unix.SIG_BLOCK, usr1, 0)
		Must(sender.Kill(a.PID(), unix.SIGUSR1))
		expectSent(thread, sender, unix.SIGUSR1)
		changeMask(thread, unix.SIG_BLOCK, usr1, 0)
		Must(sender.Kill(a.PID(), unix.SIGUSR1))
		Must(thread.Getpid())
		Expect(thread.Events()).To(HaveLen(1))
		Expect(a.PendingSignals()).To(Equal(usr1))
		changeMask(a, unix.SIG_UNBLOCK, usr1, usr1)
		expectSent(a, sender, unix.SIGUSR1)
		Expect(thread.Events()).To(HaveLen(1))
	})

	Clause("sigprocmask.fork-inherits", func() {
		a := actor.New()
		Expect(a.Sigprocmask(unix.SIG_SETMASK, usr1|rt)).To(Return(0))

		child := a.Fork()
		Expect(maskOf(child)).To(Equal(usr1 | rt))
		Expect(child.Sigprocmask(unix.SIG_BLOCK, usr2)).To(Return(0))
		Expect(maskOf(a)).To(Equal(usr1 | rt))
		Expect(a.Sigprocmask(unix.SIG_SETMASK, uint64(0))).To(Return(0))
		Expect(maskOf(child)).To(Equal(usr1 | usr2 | rt))
	})

	Clause("sigprocmask.exec-preserves", func() {
		a := actor.New()
		a.Handle(unix.SIGUSR2, 0)
		Expect(a.Sigprocmask(unix.SIG_SETMASK, usr1|rt)).To(Return(0))

		a.Exec()
		Expect(maskOf(a)).To(Equal(usr1 | rt))
		Expect(a.Kill(a.PID(), unix.SIGUSR2)).To(BeKilledBy(unix.SIGUSR2), "a new program has no handlers")
	})

	for _, sig := range []unix.Signal{unix.SIGBUS, unix.SIGFPE, unix.SIGILL, unix.SIGSEGV} {
		Clause("sigprocmask.sent-fault-signals-blocked", actor.SignalName(sig), func() {
			a, sender := actor.New(), actor.New()
			a.Handle(sig, 0)
			changeMask(a, unix.SIG_BLOCK, actor.Bit(sig), 0)

			Must(sender.Kill(a.PID(), sig))
			Expect(a.Getpid()).To(Return(a.PID()))
			Expect(a.PendingSignals()).To(Equal(actor.Bit(sig)))
			Expect(a.Events()).To(BeEmpty())
			changeMask(a, unix.SIG_UNBLOCK, actor.Bit(sig), actor.Bit(sig))
			expectSent(a, sender, sig)

			changeMask(a, unix.SIG_BLOCK, actor.Bit(sig), 0)
			Must(sender.Sigqueue(a.PID(), sig, 0x1234))
			Expect(a.Getpid()).To(Return(a.PID()))
			Expect(a.Events()).To(HaveLen(1))
			changeMask(a, unix.SIG_UNBLOCK, actor.Bit(sig), actor.Bit(sig))
			Expect(a).To(Catch(sig, sig))
			Expect(a.Events()[1].Info.Value()).To(BeEquivalentTo(0x1234))
		})
	}
})

var _ = Describe("The mask of a thread", func() {
	usr1, usr2, rt := actor.Bit(unix.SIGUSR1), actor.Bit(unix.SIGUSR2), actor.Bit(rtSignal)

	Clause("pthread-sigmask.thread-inherits", func() {
		a := actor.New()
		Expect(a.Sigprocmask(unix.SIG_SETMASK, usr1)).To(Return(0))
		thread := a.Thread()
		Expect(maskOf(thread)).To(Equal(usr1))

		Expect(thread.Sigprocmask(unix.SIG_SETMASK, usr2|rt)).To(Return(0))
		Expect(maskOf(thread.Thread())).To(Equal(usr2 | rt))
		Expect(maskOf(a.Thread())).To(Equal(usr1))
	})

	Clause("pthread-sigmask.thread-copy", func() {
		a := actor.New()
		Expect(a.Sigprocmask(unix.SIG_SETMASK, usr1)).To(Return(0))
		thread := a.Thread()

		Expect(a.Sigprocmask(unix.SIG_SETMASK, usr2)).To(Return(0))
		Expect(maskOf(thread)).To(Equal(usr1))
		Expect(thread.Sigprocmask(unix.SIG_BLOCK, rt)).To(Return(0))
		Expect(maskOf(thread)).To(Equal(usr1 | rt))
		Expect(maskOf(a)).To(Equal(usr2))
	})

	for _, h := range maskHows {
		Clause("pthread-sigmask.only-calling-thread", h.name, func() {
			a := actor.New()
			Expect(a.Sigprocmask(unix.SIG_SETMASK, usr1|rt)).To(Return(0))
			thread := a.Thread()

			call := thread.Sigprocmask(h.how, usr1|usr2)
			Expect(call).To(Return(0))
			Expect(call.Word()).To(Equal(usr1 | rt))
			want := map[int]uint64{unix.SIG_BLOCK: usr1 | usr2 | rt, unix.SIG_UNBLOCK: rt, unix.SIG_SETMASK: usr1 | usr2}[h.how]
			Expect(maskOf(thread)).To(Equal(want))
			Expect(maskOf(a)).To(Equal(usr1 | rt))
		})
	}

	Clause("pthread-sigmask.error", func() {
		a := actor.New()
		thread := a.Thread()
		changeMask(a, unix.SIG_SETMASK, usr1, 0)
		changeMask(thread, unix.SIG_SETMASK, usr2, 0)

		for _, how := range []int{-1, 3} {
			Expect(thread.Sigprocmask(how, rt)).To(FailWith(unix.EINVAL))
			Expect(maskOf(thread)).To(Equal(usr2))
			Expect(maskOf(a)).To(Equal(usr1))
		}
	})

	Clause("pthread-sigmask.pending-not-inherited", func() {
		a, sender := actor.New(), actor.New()
		Expect(a.Sigprocmask(unix.SIG_SETMASK, usr1|usr2)).To(Return(0))
		Must(sender.Tgkill(a.PID(), a.TID(), unix.SIGUSR1))
		Must(sender.Kill(a.PID(), unix.SIGUSR2))

		thread := a.Thread()
		Expect(maskOf(thread)).To(Equal(usr1 | usr2))
		Expect(thread.PendingSignals()).To(Equal(usr2))
		Expect(a.PendingSignals()).To(Equal(usr1 | usr2))
	})
})
