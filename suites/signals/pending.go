package signals

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// expectPending checks the set of an actor's pending signals.
func expectPending(a *actor.Actor, sigs ...unix.Signal) {
	GinkgoHelper()
	call := a.Sigpending()
	Expect(call).To(Return(0))
	Expect(call.Word()).To(Equal(actor.Mask(sigs...)), "the pending signals")
}

var _ = Describe("sigpending", func() {
	const usr1, usr2 = unix.SIGUSR1, unix.SIGUSR2

	Clause("sigpending.none", func() {
		a := actor.New()

		expectPending(a)
		Must(a.Sigprocmask(unix.SIG_BLOCK, ^uint64(0)))
		expectPending(a)
	})

	Clause("sigpending.raised-while-blocked", func() {
		a, sender := actor.New(), actor.New()
		Must(a.Sigprocmask(unix.SIG_BLOCK, ^uint64(0)))

		for sig := unix.Signal(1); sig <= 64; sig++ {
			if actor.Bit(sig)&unblockable != 0 {
				continue
			}
			Must(sender.Kill(a.PID(), sig))
			expectPending(a, sig)
			Must(a.Sigtimedwait(actor.Bit(sig), 0))
		}
		expectPending(a)
	})

	Clause("sigpending.several", func() {
		a, sender := actor.New(), actor.New()
		a.SetMask(usr1, usr2, rtSignal, unix.SIGTERM)

		Must(sender.Kill(a.PID(), rtSignal))
		expectPending(a, rtSignal)
		Must(sender.Kill(a.PID(), usr2))
		expectPending(a, usr2, rtSignal)
		Must(sender.Kill(a.PID(), usr1))
		expectPending(a, usr1, usr2, rtSignal)
	})

	for _, by := range []string{"kill", "tgkill", "tkill", "sigqueue", "itself"} {
		Clause("sigpending.every-sender", by, func() {
			a, sender := actor.New(), actor.New()
			a.SetMask(usr1)

			switch by {
			case "kill":
				Must(sender.Kill(a.PID(), usr1))
			case "tgkill":
				Must(sender.Tgkill(a.PID(), a.TID(), usr1))
			case "tkill":
				Must(sender.Tkill(a.TID(), usr1))
			case "sigqueue":
				Must(sender.Sigqueue(a.PID(), usr1, 1))
			case "itself":
				Must(a.Kill(a.PID(), usr1))
			}
			expectPending(a, usr1)
		})
	}

	Clause("sigpending.delivered-is-not-pending", func() {
		a, sender := actor.New(), actor.New()
		a.HandleAndPark(usr1, 0)

		Must(sender.Kill(a.PID(), usr1))
		a.AwaitPark(1)
		expectPending(a)
		a.ReturnFromHandler()
		expectPending(a)
		expectSent(a, sender, usr1)
	})

	Clause("sigpending.raised-in-handler", func() {
		a, sender := actor.New(), actor.New()
		a.HandleAndPark(usr1, 0)

		Must(sender.Kill(a.PID(), usr1))
		a.AwaitPark(1)
		Must(sender.Kill(a.PID(), usr1))
		expectPending(a, usr1)
		a.ReturnFromHandler()
		a.AwaitEvents(2)
		a.AwaitPark(1)
		expectPending(a)
		a.ReturnFromHandler()
		expectSent(a, sender, usr1, usr1)
	})

	Clause("sigpending.looking-takes-nothing", func() {
		a, sender := actor.New(), actor.New()
		a.Handle(usr1, 0)
		a.Handle(rtSignal, 0)
		a.SetMask(usr1, rtSignal)
		Must(sender.Kill(a.PID(), usr1))
		Must(sender.Kill(a.PID(), rtSignal))

		for range 3 {
			expectPending(a, usr1, rtSignal)
		}
		a.SetMask(rtSignal)
		expectPending(a, rtSignal)
		expectSent(a, sender, usr1)
		a.SetMask()
		expectSent(a, sender, usr1, rtSignal)
		expectPending(a)
	})

	Clause("sigpending.unblocked-leaves", func() {
		a, sender := actor.New(), actor.New()
		a.Handle(usr1, 0)
		a.SetMask(usr1, usr2)
		Must(sender.Kill(a.PID(), usr1))
		Must(sender.Kill(a.PID(), usr2))
		expectPending(a, usr1, usr2)

		Must(a.Sigprocmask(unix.SIG_UNBLOCK, actor.Bit(usr1)))
		expectPending(a, usr2)
		expectSent(a, sender, usr1)
	})

	Clause("sigpending.accepted-leaves", func() {
		a, sender := actor.New(), actor.New()
		a.SetMask(usr1, rtSignal)
		Must(sender.Kill(a.PID(), usr1))
		for i := range 2 {
			Must(sender.Sigqueue(a.PID(), rtSignal, uint64(i)))
		}
		expectPending(a, usr1, rtSignal)

		Must(a.Sigtimedwait(actor.Bit(usr1), 0))
		expectPending(a, rtSignal)
		Must(a.Sigtimedwait(actor.Bit(rtSignal), 0))
		expectPending(a, rtSignal)
		Must(a.Sigtimedwait(actor.Bit(rtSignal), 0))
		expectPending(a)
	})

	for _, c := range []struct {
		name   string
		sig    unix.Signal
		ignore bool
	}{{"ignored", usr1, true}, {"ignored real-time signal", rtSignal, true}, {"ignored by default", unix.SIGURG, false}, {"SIGCHLD by default", unix.SIGCHLD, false}} {
		Clause("sigpending.ignored-and-blocked", c.name, func() {
			a, sender := actor.New(), actor.New()
			if c.ignore {
				a.Ignore(c.sig)
			}
			a.SetMask(c.sig, usr2)

			Must(sender.Kill(a.PID(), c.sig))
			expectPending(a, c.sig)
			// When it is unblocked it goes as it would have without being blocked.
			a.SetMask(usr2)
			expectPending(a)
		})
	}

	for _, c := range []struct {
		name string
		sig  unix.Signal
		to   uint64
	}{{"SIG_IGN", usr1, actor.SIG_IGN}, {"SIG_IGN of a real-time signal", rtSignal, actor.SIG_IGN}, {"SIG_DFL that ignores", unix.SIGURG, actor.SIG_DFL}} {
		Clause("sigpending.ignoring-discards", c.name, func() {
			a, sender := actor.New(), actor.New()
			a.SetMask(c.sig, usr2)
			Must(sender.Kill(a.PID(), c.sig))
			Must(sender.Tgkill(a.PID(), a.TID(), c.sig))
			Must(sender.Kill(a.PID(), usr2))
			expectPending(a, c.sig, usr2)

			change := a.RtSigaction(c.sig, actor.Disposition{Handler: c.to})
			Expect(change).To(Return(0))
			Expect(change.Disposition().Handler).To(BeEquivalentTo(actor.SIG_DFL))
			expectPending(a, usr2)
			change = a.RtSigaction(c.sig, actor.Recording(actor.SA_SIGINFO, 0))
			Expect(change).To(Return(0))
			Expect(change.Disposition().Handler).To(Equal(c.to))
			a.SetMask(usr2)
			Expect(a.Events()).To(BeEmpty())
			Must(sender.Kill(a.PID(), c.sig))
			expectSent(a, sender, c.sig)
		})
	}

	Clause("sigpending.union", func() {
		a, sender := actor.New(), actor.New()
		a.SetMask(usr1, usr2, rtSignal)
		thread := a.Thread()

		Must(sender.Kill(a.PID(), usr1))
		expectPending(a, usr1)
		expectPending(thread, usr1)
		Must(sender.Tgkill(a.PID(), a.TID(), usr2))
		expectPending(a, usr1, usr2)
		Must(sender.Tgkill(a.PID(), thread.TID(), rtSignal))
		expectPending(thread, usr1, rtSignal)
		Must(sender.Tgkill(a.PID(), thread.TID(), usr1)) // in both sets
		expectPending(thread, usr1, rtSignal)
	})

	Clause("sigpending.not-other-threads", func() {
		a, sender := actor.New(), actor.New()
		a.SetMask(usr1, usr2)
		thread := a.Thread()

		Must(sender.Tgkill(a.PID(), thread.TID(), usr1))
		expectPending(a)
		expectPending(thread, usr1)
		Must(sender.Tgkill(a.PID(), a.TID(), usr2))
		expectPending(thread, usr1)
		expectPending(a, usr2)
	})

	Clause("sigpending.fork-empty", func() {
		a, sender := actor.New(), actor.New()
		a.SetMask(usr1, usr2, rtSignal)
		Must(sender.Kill(a.PID(), usr1))
		Must(sender.Tgkill(a.PID(), a.TID(), usr2))
		Must(sender.Sigqueue(a.PID(), rtSignal, 1))

		child := a.Fork()
		expectPending(child)
		expectPending(a, usr1, usr2, rtSignal)
		Must(sender.Kill(child.PID(), usr2))
		expectPending(child, usr2)
	})

	Clause("sigpending.exec-preserves", func() {
		a, sender := actor.New(), actor.New()
		a.SetMask(usr1, usr2, rtSignal)
		Must(sender.Kill(a.PID(), usr1))
		Must(sender.Tgkill(a.PID(), a.TID(), usr2))
		Must(sender.Sigqueue(a.PID(), rtSignal, 0x1234))

		a.Handle(unix.SIGHUP, 0)
		a.Exec()
		expectPending(a, usr1, usr2, rtSignal)
		queued := a.Sigtimedwait(actor.Bit(rtSignal), 0)
		Expect(queued).To(Return(int(rtSignal)))
		Expect(queued.Siginfo().Value()).To(BeEquivalentTo(0x1234))
		Expect(a.Kill(a.PID(), unix.SIGHUP)).To(BeKilledBy(unix.SIGHUP), "a new program has no handlers")
	})

	Clause("sigpending.exec-then-delivered", func() {
		a, sender := actor.New(), actor.New()
		a.Handle(usr1, 0)
		a.SetMask(usr1)
		Must(sender.Kill(a.PID(), usr1))

		a.Exec()
		expectPending(a, usr1)
		Expect(a.Sigprocmask(unix.SIG_UNBLOCK, actor.Bit(usr1))).To(BeKilledBy(usr1))
	})

	for _, bad := range []string{"null", "unmapped", "read-only", "half"} {
		Clause("sigpending.efault", bad, func() {
			a, sender := actor.New(), actor.New()
			a.SetMask(usr1)
			Must(sender.Kill(a.PID(), usr1))
			set := actor.Null
			switch bad {
			case "unmapped":
				set = a.Unmapped()
			case "read-only":
				set = a.ReadOnly(make([]byte, 8))
			case "half":
				set = a.PageEnd(4)
			}

			Expect(a.Raw(unix.SYS_RT_SIGPENDING, set, 8)).To(FailWith(unix.EFAULT))
			expectPending(a, usr1)
		})
	}

	Clause("sigpending.size-einval", func() {
		a := actor.New()
		set := a.Alloc(256)
		set.PutUint64(0, 0x5555)

		for _, size := range []int{9, 16, 128, -1} {
			Expect(a.Raw(unix.SYS_RT_SIGPENDING, set, size)).To(FailWith(unix.EINVAL))
			Expect(set.Uint64(0)).To(BeEquivalentTo(0x5555))
		}
	})

	Clause("sigpending.exact-size", func() {
		a, sender := actor.New(), actor.New()
		a.SetMask(usr1)
		Must(sender.Kill(a.PID(), usr1))
		m := a.Alloc(24)
		for off := 0; off < 24; off += 8 {
			m.PutUint64(off, ^uint64(0))
		}

		Expect(a.Raw(unix.SYS_RT_SIGPENDING, m.Sub(8, 8), 8)).To(Return(0))
		Expect([]uint64{m.Uint64(0), m.Uint64(8), m.Uint64(16)}).To(Equal([]uint64{^uint64(0), actor.Bit(usr1), ^uint64(0)}))
	})
})
