package signals

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// beginSuspend has the actor call sigsuspend and sees it asleep there.
func beginSuspend(a *actor.Actor, mask uint64) *actor.Call {
	suspend := a.Begin().Sigsuspend(mask)
	ExpectWithOffset(1, suspend).To(Block())
	return suspend
}

var _ = Describe("sigsuspend", func() {
	const usr1, usr2 = unix.SIGUSR1, unix.SIGUSR2

	Clause("sigsuspend.sleeps", func() {
		a, sender := actor.New(), actor.New()
		a.Handle(usr1, 0)

		suspend := beginSuspend(a, 0)
		Must(sender.Kill(a.PID(), usr1))
		Expect(suspend).To(FailWith(unix.EINTR))
		expectSent(a, sender, usr1)
		Expect(a.Events()[0].InCall).To(BeTrue())
	})

	Clause("sigsuspend.eintr-despite-restart", func() {
		a, sender := actor.New(), actor.New()
		a.Handle(usr1, actor.SA_RESTART)

		suspend := beginSuspend(a, 0)
		Must(sender.Kill(a.PID(), usr1))
		Expect(suspend).To(FailWith(unix.EINTR))
		expectSent(a, sender, usr1)
	})

	Clause("sigsuspend.after-handler", func() {
		a, sender := actor.New(), actor.New()
		a.HandleAndPark(usr1, 0)

		suspend := beginSuspend(a, 0)
		Must(sender.Kill(a.PID(), usr1))
		a.AwaitPark(1)
		Must(a.Getpid())
		Expect(suspend.Done()).To(BeFalse())
		a.ReturnFromHandler()
		Expect(suspend).To(FailWith(unix.EINTR))
		expectSent(a, sender, usr1)
	})

	Clause("sigsuspend.mask-replaced", func() {
		a, sender := actor.New(), actor.New()
		a.Handle(usr1, 0)
		a.Handle(usr2, 0)
		a.SetMask(usr1)

		suspend := beginSuspend(a, actor.Bit(usr2))
		Must(sender.Kill(a.PID(), usr2))
		Expect(suspend).To(Block())
		Must(sender.Kill(a.PID(), usr1))
		Expect(suspend).To(FailWith(unix.EINTR))
		// The other one could come only with the old mask, which does not block it.
		expectSent(a, sender, usr1, usr2)
		Expect(a.PendingSignals()).To(BeZero())
	})

	Clause("sigsuspend.mask-in-handler", func() {
		a, sender := actor.New(), actor.New()
		a.Park(usr1, true)
		Must(a.RtSigaction(usr1, actor.Recording(actor.SA_SIGINFO, actor.Bit(rtSignal))))
		a.SetMask(usr1, unix.SIGTERM)

		suspend := beginSuspend(a, actor.Mask(usr2, unix.SIGHUP))
		Must(sender.Kill(a.PID(), usr1))
		e := a.AwaitPark(1)
		Expect(e.Mask).To(Equal(actor.Mask(usr1, unix.SIGTERM)))
		Expect(maskOf(a)).To(Equal(actor.Mask(usr2, unix.SIGHUP, usr1, rtSignal)))
		a.ReturnFromHandler()
		Expect(suspend).To(FailWith(unix.EINTR))
		expectSent(a, sender, usr1)
	})

	Clause("sigsuspend.mask-restored", func() {
		a, sender := actor.New(), actor.New()
		a.Handle(usr1, 0)

		for _, c := range []struct{ own, given []unix.Signal }{
			{nil, []unix.Signal{usr2}}, {[]unix.Signal{usr1, usr2}, nil}, {[]unix.Signal{usr1, rtSignal}, []unix.Signal{usr2, rtSignal}},
		} {
			before := len(a.Events())
			a.SetMask(c.own...)
			suspend := beginSuspend(a, actor.Mask(c.given...))
			Must(sender.Kill(a.PID(), usr1))
			Expect(suspend).To(FailWith(unix.EINTR))
			Expect(maskOf(a)).To(Equal(actor.Mask(c.own...)))
			Expect(a.Events()).To(HaveLen(before + 1))
		}
		expectSent(a, sender, usr1, usr1, usr1)
	})

	Clause("sigsuspend.blocked-again", func() {
		a, sender := actor.New(), actor.New()
		a.Handle(usr1, 0)
		a.Handle(usr2, 0)
		a.SetMask(usr1)

		suspend := beginSuspend(a, 0)
		Must(sender.Kill(a.PID(), usr1))
		Expect(suspend).To(FailWith(unix.EINTR))
		Must(sender.Kill(a.PID(), usr1))
		Must(sender.Kill(a.PID(), usr2))
		expectSent(a, sender, usr1, usr2)
		Expect(a.PendingSignals()).To(Equal(actor.Bit(usr1)))
	})

	Clause("sigsuspend.pending-at-call", func() {
		a, sender := actor.New(), actor.New()
		a.Handle(usr1, 0)
		a.SetMask(usr1, usr2)
		Must(sender.Kill(a.PID(), usr1))
		Must(sender.Kill(a.PID(), usr2))
		Expect(a.Events()).To(BeEmpty())

		Expect(a.Sigsuspend(actor.Bit(usr2))).To(FailWith(unix.EINTR))
		Expect(a.Events()).To(HaveLen(1))
		expectSent(a, sender, usr1)
		Expect(a.PendingSignals()).To(Equal(actor.Bit(usr2)))
	})

	Clause("sigsuspend.critical-section", func() {
		a, sender := actor.New(), actor.New()
		a.Handle(usr1, 0)

		enter := a.Sigprocmask(unix.SIG_BLOCK, actor.Bit(usr1))
		Expect(enter).To(Return(0))
		Must(sender.Kill(a.PID(), usr1))
		Must(a.Getpid())
		Expect(a.Events()).To(BeEmpty())
		Expect(a.Sigsuspend(enter.Word())).To(FailWith(unix.EINTR))
		expectSent(a, sender, usr1)
		Expect(a.Events()[0].InCall).To(BeTrue())
		leave := a.Sigprocmask(unix.SIG_SETMASK, enter.Word())
		Expect(leave).To(Return(0))
		Expect(leave.Word()).To(Equal(actor.Bit(usr1)))
		Expect(maskOf(a)).To(BeZero())
	})

	Clause("sigsuspend.blocked-signal-waits", func() {
		a, sender := actor.New(), actor.New()
		a.Handle(usr1, 0)
		a.SetMask(usr1, usr2)

		suspend := beginSuspend(a, actor.Bit(usr2))
		Must(sender.Kill(a.PID(), usr2))
		Expect(suspend).To(Block())
		Must(sender.Kill(a.PID(), usr1))
		Expect(suspend).To(FailWith(unix.EINTR))
		expectSent(a, sender, usr1)
		Expect(a.PendingSignals()).To(Equal(actor.Bit(usr2)))
	})

	for _, c := range []struct {
		name string
		own  []unix.Signal
	}{{"", nil}, {"blocked before", []unix.Signal{usr1}}} {
		Clause("sigsuspend.terminating-signal", c.name, func() {
			a, sender := actor.New(), actor.New()
			a.SetMask(c.own...)

			suspend := beginSuspend(a, actor.Bit(usr2))
			Must(sender.Kill(a.PID(), usr2))
			Expect(suspend).To(Block())
			Must(sender.Kill(a.PID(), usr1))
			Expect(suspend).To(BeKilledBy(usr1))
		})
	}

	for _, c := range []struct {
		name   string
		sig    unix.Signal
		ignore bool
	}{{"ignored", usr2, true}, {"default", unix.SIGURG, false}} {
		Clause("sigsuspend.ignored-signal", c.name, func() {
			a, sender := actor.New(), actor.New()
			if c.ignore {
				a.Ignore(c.sig)
			}
			a.Handle(usr1, 0)

			suspend := beginSuspend(a, 0)
			Must(sender.Kill(a.PID(), c.sig))
			Expect(suspend).To(Block())
			Must(sender.Kill(a.PID(), usr1))
			Expect(suspend).To(FailWith(unix.EINTR))
			expectSent(a, sender, usr1)
		})
	}

	Clause("sigsuspend.stop-and-continue", func() {
		a, sender := actor.New(), actor.New()
		a.Handle(usr1, 0)
		a.Handle(usr2, 0)
		a.SetMask(usr1)

		suspend := beginSuspend(a, actor.Bit(usr2))
		Must(sender.Kill(a.PID(), unix.SIGSTOP))
		Expect(a.AwaitStopped()).To(BeTrue())
		Must(sender.Kill(a.PID(), unix.SIGCONT))
		Expect(suspend).To(Block())
		Must(sender.Kill(a.PID(), usr2))
		Expect(suspend).To(Block())
		Must(sender.Kill(a.PID(), usr1))
		Expect(suspend).To(FailWith(unix.EINTR))
		expectSent(a, sender, usr1, usr2)
	})

	Clause("sigsuspend.kill-in-mask", func() {
		a, sender := actor.New(), actor.New()

		suspend := beginSuspend(a, ^uint64(0))
		Must(sender.Kill(a.PID(), usr1))
		Expect(suspend).To(Block())
		Must(sender.Kill(a.PID(), unix.SIGKILL))
		Expect(suspend).To(BeKilledBy(unix.SIGKILL))
	})

	Clause("sigsuspend.stop-in-mask", func() {
		a, sender := actor.New(), actor.New()

		suspend := beginSuspend(a, ^uint64(0))
		Must(sender.Kill(a.PID(), unix.SIGSTOP))
		Expect(a.AwaitStopped()).To(BeTrue())
		Must(sender.Kill(a.PID(), unix.SIGCONT))
		Expect(suspend).To(Block())
	})

	Clause("sigsuspend.unblockable-not-in-mask", func() {
		a, sender := actor.New(), actor.New()
		a.HandleAndPark(usr1, actor.SA_NODEFER)

		suspend := beginSuspend(a, ^actor.Bit(usr1))
		Must(sender.Kill(a.PID(), usr1))
		a.AwaitPark(1)
		Expect(maskOf(a)).To(Equal(^(actor.Bit(usr1) | unblockable)))
		a.ReturnFromHandler()
		Expect(suspend).To(FailWith(unix.EINTR))
		expectSent(a, sender, usr1)
		Expect(maskOf(a)).To(BeZero())
	})

	Clause("sigsuspend.only-calling-thread", func() {
		a, sender := actor.New(), actor.New()
		a.Handle(usr1, 0)
		a.SetMask(usr1, usr2)
		thread := a.Thread()

		suspend := beginSuspend(thread, actor.Bit(rtSignal))
		Expect(maskOf(a)).To(Equal(actor.Mask(usr1, usr2)))
		Must(sender.Kill(a.PID(), usr1))
		Expect(suspend).To(FailWith(unix.EINTR))
		expectSent(thread, sender, usr1)
		Expect(a.Events()).To(BeEmpty())
		Expect(maskOf(thread)).To(Equal(actor.Mask(usr1, usr2)))
	})

	for _, bad := range []string{"null", "unmapped", "not readable", "half"} {
		Clause("sigsuspend.efault", bad, func() {
			a := actor.New()
			a.SetMask(usr1)
			mask := actor.Null
			switch bad {
			case "unmapped":
				mask = a.Unmapped()
			case "not readable":
				mask = a.NoAccess()
			case "half":
				mask = a.PageEnd(4)
			}

			Expect(a.Sigsuspend(mask)).To(FailWith(unix.EFAULT))
			Expect(maskOf(a)).To(Equal(actor.Bit(usr1)))
		})
	}

	Clause("sigsuspend.size-einval", func() {
		a := actor.New()
		a.SetMask(usr1)

		for _, size := range []int{0, 4, 7, 9, 16, 128, -1} {
			Expect(a.Raw(unix.SYS_RT_SIGSUSPEND, a.Sigset(usr2), size)).To(FailWith(unix.EINVAL))
			Expect(maskOf(a)).To(Equal(actor.Bit(usr1)))
		}
	})
})
