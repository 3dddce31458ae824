package signals

import (
	"math"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

const queuedValue = uint64(0x1122334455667788)

// queueTarget is an actor that handles SIGUSR1 and a real-time signal; those it forks do as well.
func queueTarget() *actor.Actor {
	a := actor.New()
	a.Handle(unix.SIGUSR1, 0)
	a.Handle(rtSignal, 0)
	return a
}

// expectQueued judges what the actor has caught so far: rtSignal with SI_QUEUE and these values.
func expectQueued(a *actor.Actor, values ...uint64) {
	Must(a.Getpid())
	events := a.AwaitEvents(len(values))
	ExpectWithOffset(1, events).To(HaveLen(len(values)))
	for i, e := range events {
		ExpectWithOffset(1, e.Signal).To(Equal(rtSignal))
		ExpectWithOffset(1, e.Info.Code()).To(Equal(actor.SI_QUEUE))
		ExpectWithOffset(1, e.Info.Value()).To(Equal(values[i]))
	}
}

// expectTaken has the actor take a pending rtSignal that carries the value.
func expectTaken(a *actor.Actor, value uint64) {
	taken := a.Sigtimedwait(actor.Bit(rtSignal), 0)
	Must(taken)
	ExpectWithOffset(1, taken.Siginfo().Value()).To(Equal(value))
}

func expectNoneToTake(a *actor.Actor) {
	ExpectWithOffset(1, a.Sigtimedwait(actor.Bit(rtSignal), 0)).To(FailWith(unix.EAGAIN))
}

// noCapacity is a queueTarget to which no real-time signal can be queued.
func noCapacity() *actor.Actor {
	a := queueTarget()
	a.SetMask(rtSignal)
	a.SetRlimit(unix.RLIMIT_SIGPENDING, 0)
	return a
}

var _ = Describe("sigqueue", func() {
	Clause("sigqueue.to-process", func() {
		a := queueTarget()
		child, sibling := a.Fork(), a.Fork()

		Expect(a.Sigqueue(child.PID(), rtSignal, 1)).To(Return(0))
		expectQueued(child, 1)
		expectNoKills(a, sibling)
	})

	Clause("sigqueue.value", func() {
		a, sender := queueTarget(), actor.New()
		var sent []uint64
		for _, value := range []uint64{0, 1, queuedValue, math.MaxUint64} {
			Expect(sender.Sigqueue(a.PID(), rtSignal, value)).To(Return(0))
			sent = append(sent, value)
			expectQueued(a, sent...)
		}
	})

	Clause("sigqueue.code-and-sender", func() {
		a, sender := queueTarget(), actor.New()

		Expect(sender.Sigqueue(a.PID(), rtSignal, queuedValue)).To(Return(0))
		expectQueued(a, queuedValue)
		info := a.Events()[0].Info
		Expect(info.PID()).To(Equal(sender.PID()))
		Expect(info.UID()).To(Equal(Must(sender.Getuid())))
	})

	Clause("sigqueue.value-of-standard-signal", func() {
		a, sender := queueTarget(), actor.New()

		Expect(sender.Sigqueue(a.PID(), unix.SIGUSR1, queuedValue)).To(Return(0))
		expectKillsAs(a, actor.SI_QUEUE, unix.SIGUSR1)
		Expect(a.Events()[0].Info.Value()).To(Equal(queuedValue))
	})

	Clause("sigqueue.value-by-sigwaitinfo", func() {
		a, sender := actor.New(), actor.New()
		a.SetMask(rtSignal)

		wait := a.Begin().Sigtimedwait(actor.Bit(rtSignal), -1)
		Expect(wait).To(Block())
		Expect(sender.Sigqueue(a.PID(), rtSignal, queuedValue)).To(Return(0))
		Expect(wait).To(Return(int(rtSignal)))
		info := wait.Siginfo()
		Expect(info.Signo()).To(Equal(rtSignal))
		Expect(info.Value()).To(Equal(queuedValue))
		Expect(info.Code()).To(Equal(actor.SI_QUEUE))
		Expect(info.PID()).To(Equal(sender.PID()))
		Expect(info.UID()).To(Equal(Must(sender.Getuid())))
		expectNoneToTake(a)
	})

	Clause("sigqueue.each-is-queued", func() {
		a, sender := queueTarget(), actor.New()
		a.SetMask(rtSignal)
		values := []uint64{5, 3, 3, 9}

		for _, value := range values {
			Expect(sender.Sigqueue(a.PID(), rtSignal, value)).To(Return(0))
		}
		expectQueued(a)
		a.SetMask()
		expectQueued(a, values...)
	})

	Clause("sigqueue.null-signal", func() {
		a, sender := actor.New(), actor.New()
		gone := deadAndReaped(sender, false)

		Expect(sender.Sigqueue(a.PID(), 0, 1)).To(Return(0))
		Must(a.Getpid())
		Expect(sender.Sigqueue(gone, 0, 1)).To(FailWith(unix.ESRCH))
	})

	Clause("sigqueue.self-before-return", func() {
		a := queueTarget()
		for _, value := range []uint64{1, 2, 3} {
			Expect(a.Sigqueue(a.PID(), rtSignal, value)).To(Return(0))
			Expect(a.Events()).To(HaveLen(int(value)))
		}
		expectQueued(a, 1, 2, 3)
	})

	Clause("sigqueue.eperm", func() {
		target, sender := queueTarget(), actor.New()
		target.BecomeUser(FreshUser())
		sender.BecomeUser(FreshUser())

		for _, sig := range []unix.Signal{0, unix.SIGUSR1, rtSignal, unix.SIGKILL} {
			Expect(sender.Sigqueue(target.PID(), sig, 1)).To(FailWith(unix.EPERM))
		}
		expectNoKills(target)
	})

	Clause("sigqueue.permitted-ids", func() {
		same := FreshUser()
		other := FreshUser
		senders := []*actor.Actor{withUserIDs(same, other(), other()), withUserIDs(other(), same, other())}
		for _, sender := range senders {
			for _, target := range []*actor.Actor{withUserIDs(same, other(), other()), withUserIDs(other(), other(), same)} {
				Expect(sender.Sigqueue(target.PID(), unix.SIGUSR1, 1)).To(Return(0))
				expectKillsAs(target, actor.SI_QUEUE, unix.SIGUSR1)
			}
			target := withUserIDs(other(), same, other())
			Expect(sender.Sigqueue(target.PID(), unix.SIGUSR1, 1)).To(FailWith(unix.EPERM))
			expectNoKills(target)
		}
	})

	Clause("sigqueue.sigcont-same-session", func() {
		sender, target := sameSession()
		elsewhere := actor.New()
		elsewhere.BecomeUser(FreshUser())

		Expect(sender.Sigqueue(target.PID(), unix.SIGCONT, 1)).To(Return(0))
		expectKillsAs(target, actor.SI_QUEUE, unix.SIGCONT)
		Expect(sender.Sigqueue(target.PID(), unix.SIGUSR1, 1)).To(FailWith(unix.EPERM))
		Expect(elsewhere.Sigqueue(target.PID(), unix.SIGCONT, 1)).To(FailWith(unix.EPERM))
		expectKillsAs(target, actor.SI_QUEUE, unix.SIGCONT)
	})

	Clause("sigqueue.eagain", func() {
		a, sender := noCapacity(), actor.New()

		Expect(sender.Sigqueue(a.PID(), rtSignal, 1)).To(FailWith(unix.EAGAIN))
		Expect(a.PendingSignals()).To(BeZero())
		expectNoneToTake(a)
	})

	Clause("sigqueue.eagain-after-limit", func() {
		const most = 3
		a, sender := actor.New(), actor.New()
		a.SetMask(rtSignal)
		a.SetRlimit(unix.RLIMIT_SIGPENDING, most)

		for n := range most {
			Expect(sender.Sigqueue(a.PID(), rtSignal, uint64(n))).To(Return(0))
		}
		Expect(sender.Sigqueue(a.PID(), rtSignal, 7)).To(FailWith(unix.EAGAIN))
		expectTaken(a, 0)
		Expect(sender.Sigqueue(a.PID(), rtSignal, 8)).To(Return(0))
		Expect(sender.Sigqueue(a.PID(), rtSignal, 9)).To(FailWith(unix.EAGAIN))
		for _, value := range []uint64{1, 2, 8} {
			expectTaken(a, value)
		}
		expectNoneToTake(a)
	})

	Clause("sigqueue.einval", func() {
		a, sender := queueTarget(), actor.New()
		for _, sig := range invalidSignals {
			Expect(sender.Sigqueue(a.PID(), sig, 1)).To(FailWith(unix.EINVAL))
		}
		expectNoKills(a)
	})

	Clause("sigqueue.esrch", func() {
		a := actor.New()
		gone := deadAndReaped(a, false)
		for _, sig := range []unix.Signal{unix.SIGUSR1, rtSignal} {
			Expect(a.Sigqueue(gone, sig, 1)).To(FailWith(unix.ESRCH))
		}
	})
})

var (
	// What a process may claim of a signal that it sends to another one.
	userCodes = []int{actor.SI_QUEUE, actor.SI_TIMER, actor.SI_MESGQ, actor.SI_ASYNCIO, actor.SI_SIGIO}
	// What is the kernel's to say.
	kernelCodes = []int{actor.SI_USER, 1, 2, actor.SI_KERNEL - 1, actor.SI_KERNEL, math.MaxInt32}
)

var _ = Describe("rt_sigqueueinfo", func() {
	Clause("rt-sigqueueinfo.data", func() {
		a, sender := queueTarget(), actor.New()

		Expect(sender.RtSigqueueinfo(a.PID(), rtSignal, actor.Queued(rtSignal, actor.SI_QUEUE, 4711, 815, queuedValue))).To(Return(0))
		expectQueued(a, queuedValue)
		info := a.Events()[0].Info
		Expect(info.Signo()).To(Equal(rtSignal))
		Expect(info.PID()).To(Equal(4711))
		Expect(info.UID()).To(Equal(815))
	})

	Clause("rt-sigqueueinfo.user-codes", func() {
		a, sender := queueTarget(), actor.New()
		for i, code := range userCodes {
			Expect(sender.RtSigqueueinfo(a.PID(), rtSignal, actor.Queued(rtSignal, code, 1, 2, 3))).To(Return(0))
			Must(a.Getpid())
			Expect(a.AwaitEvents(i + 1)).To(HaveLen(i + 1))
			Expect(a.Events()[i].Signal).To(Equal(rtSignal))
			Expect(a.Events()[i].Info.Code()).To(Equal(code))
		}
	})

	Clause("rt-sigqueueinfo.signo-from-argument", func() {
		a, sender := queueTarget(), actor.New()
		var sent []unix.Signal
		for _, given := range []unix.Signal{0, unix.SIGTERM, rtSignal, lastSignal + 1, -1} {
			Expect(sender.RtSigqueueinfo(a.PID(), rtSignal, actor.Queued(given, actor.SI_QUEUE, 1, 2, 3))).To(Return(0))
			sent = append(sent, rtSignal)
			expectKillsAs(a, actor.SI_QUEUE, sent...)
		}
	})

	Clause("rt-sigqueueinfo.any-thread", func() {
		a, sender := queueTarget(), actor.New()
		thread := a.Thread()
		a.SetMask(rtSignal)

		Expect(sender.RtSigqueueinfo(a.PID(), rtSignal, actor.Queued(rtSignal, actor.SI_QUEUE, 1, 2, 3))).To(Return(0))
		expectQueued(thread, 3)
		expectNoKills(a)
	})

	Clause("rt-sigqueueinfo.kernel-codes-refused", func() {
		a, sender := queueTarget(), actor.New()
		for _, sig := range []unix.Signal{0, unix.SIGUSR1, rtSignal} {
			for _, code := range kernelCodes {
				Expect(sender.RtSigqueueinfo(a.PID(), sig, actor.Queued(sig, code, 1, 2, 3))).To(FailWith(unix.EPERM))
			}
		}
		expectNoKills(a)
	})

	Clause("rt-sigqueueinfo.tkill-code-refused", func() {
		a, sender := queueTarget(), actor.New()
		for _, sig := range []unix.Signal{0, unix.SIGUSR1, rtSignal} {
			Expect(sender.RtSigqueueinfo(a.PID(), sig, actor.Queued(sig, actor.SI_TKILL, 1, 2, 3))).To(FailWith(unix.EPERM))
		}
		expectNoKills(a)
	})

	Clause("rt-sigqueueinfo.self-any-code", func() {
		a := queueTarget()
		for i, code := range []int{actor.SI_USER, actor.SI_KERNEL, actor.SI_TKILL, actor.SI_QUEUE} {
			Expect(a.RtSigqueueinfo(a.PID(), rtSignal, actor.Queued(rtSignal, code, 1, 2, 3))).To(Return(0))
			Expect(a.AwaitEvents(i + 1)).To(HaveLen(i + 1))
			Expect(a.Events()[i].Signal).To(Equal(rtSignal))
			Expect(a.Events()[i].Info.Code()).To(Equal(code))
		}
	})

	Clause("rt-sigqueueinfo.own-process-from-thread", func() {
		a := queueTarget()
		thread := a.Thread()
		for _, code := range []int{actor.SI_USER, actor.SI_TKILL} {
			Expect(thread.RtSigqueueinfo(a.PID(), rtSignal, actor.Queued(rtSignal, code, 1, 2, 3))).To(FailWith(unix.EPERM))
		}
		expectNoKills(a, thread)
	})

	Clause("rt-sigqueueinfo.null-signal", func() {
		a, sender := actor.New(), actor.New()
		gone := deadAndReaped(sender, false)
		info := actor.Queued(0, actor.SI_QUEUE, 1, 2, 3)

		Expect(sender.RtSigqueueinfo(a.PID(), 0, info)).To(Return(0))
		Must(a.Getpid())
		Expect(sender.RtSigqueueinfo(gone, 0, info)).To(FailWith(unix.ESRCH))
	})

	Clause("rt-sigqueueinfo.eagain", func() {
		a, sender := noCapacity(), actor.New()
		Expect(sender.RtSigqueueinfo(a.PID(), rtSignal, actor.Queued(rtSignal, actor.SI_QUEUE, 1, 2, 3))).To(FailWith(unix.EAGAIN))
		expectNoneToTake(a)
	})

	Clause("rt-sigqueueinfo.einval", func() {
		a, sender := queueTarget(), actor.New()
		for _, sig := range invalidSignals {
			Expect(sender.RtSigqueueinfo(a.PID(), sig, actor.Queued(rtSignal, actor.SI_QUEUE, 1, 2, 3))).To(FailWith(unix.EINVAL))
		}
		expectNoKills(a)
	})

	Clause("rt-sigqueueinfo.not-a-group", func() {
		a := killTarget()
		leader, member, group := killGroup(a)

		for _, id := range []int{0, -group, math.MinInt32} {
			for _, sig := range []unix.Signal{unix.SIGUSR1, 0} {
				Expect(member.RtSigqueueinfo(id, sig, actor.Queued(sig, actor.SI_QUEUE, 1, 2, 3))).To(FailWith(unix.ESRCH, unix.EINVAL))
			}
		}
		expectNoKills(leader, member, a)
	})

	Clause("rt-sigqueueinfo.eperm", func() {
		target, sender := queueTarget(), actor.New()
		target.BecomeUser(FreshUser())
		sender.BecomeUser(FreshUser())

		Expect(sender.RtSigqueueinfo(target.PID(), rtSignal, actor.Queued(rtSignal, actor.SI_QUEUE, 1, 2, 3))).To(FailWith(unix.EPERM))
		expectNoKills(target)
	})

	Clause("rt-sigqueueinfo.esrch", func() {
		a := actor.New()
		gone := deadAndReaped(a, false)
		Expect(a.RtSigqueueinfo(gone, rtSignal, actor.Queued(rtSignal, actor.SI_QUEUE, 1, 2, 3))).To(FailWith(unix.ESRCH))
	})
})

var _ = Describe("rt_tgsigqueueinfo", func() {
	queued := func(code int) []byte { return actor.Queued(rtSignal, code, 4711, 815, queuedValue) }

	Clause("rt-tgsigqueueinfo.that-thread", func() {
		a, sender := queueTarget(), actor.New()
		thread := a.Thread()

		for _, target := range []*actor.Actor{thread, a} {
			expectNoKills(target)
			Expect(sender.RtTgsigqueueinfo(a.PID(), target.TID(), rtSignal, queued(actor.SI_QUEUE))).To(Return(0))
			expectQueued(target, queuedValue)
			info := target.Events()[0].Info
			Expect(info.PID()).To(Equal(4711))
			Expect(info.UID()).To(Equal(815))
		}
		expectQueued(thread, queuedValue)
	})

	Clause("rt-tgsigqueueinfo.signo-from-argument", func() {
		a, sender := queueTarget(), actor.New()
		var sent []unix.Signal
		for _, given := range []unix.Signal{0, unix.SIGTERM, -1} {
			Expect(sender.RtTgsigqueueinfo(a.PID(), a.TID(), rtSignal, actor.Queued(given, actor.SI_QUEUE, 1, 2, 3))).To(Return(0))
			sent = append(sent, rtSignal)
			expectKillsAs(a, actor.SI_QUEUE, sent...)
		}
	})

	Clause("rt-tgsigqueueinfo.codes-refused", func() {
		a, sender := queueTarget(), actor.New()
		for _, code := range append([]int{actor.SI_TKILL}, kernelCodes...) {
			Expect(sender.RtTgsigqueueinfo(a.PID(), a.TID(), rtSignal, queued(code))).To(FailWith(unix.EPERM))
		}
		expectNoKills(a)
	})

	Clause("rt-tgsigqueueinfo.self-any-code", func() {
		a := queueTarget()
		for _, self := range []*actor.Actor{a, a.Thread()} {
			for i, code := range []int{actor.SI_USER, actor.SI_KERNEL, actor.SI_TKILL, actor.SI_QUEUE} {
				Expect(self.RtTgsigqueueinfo(a.PID(), self.TID(), rtSignal, queued(code))).To(Return(0))
				Expect(self.AwaitEvents(i + 1)).To(HaveLen(i + 1))
				Expect(self.Events()[i].Signal).To(Equal(rtSignal))
				Expect(self.Events()[i].Info.Code()).To(Equal(code))
			}
		}
	})

	Clause("rt-tgsigqueueinfo.sibling-codes-refused", func() {
		a := queueTarget()
		thread := a.Thread()
		for _, code := range []int{actor.SI_USER, actor.SI_KERNEL, actor.SI_TKILL} {
			Expect(a.RtTgsigqueueinfo(a.PID(), thread.TID(), rtSignal, queued(code))).To(FailWith(unix.EPERM))
			Expect(thread.RtTgsigqueueinfo(a.PID(), a.TID(), rtSignal, queued(code))).To(FailWith(unix.EPERM))
		}
		expectNoKills(a, thread)
	})

	Clause("rt-tgsigqueueinfo.einval", func() {
		a, sender := queueTarget(), actor.New()
		for _, sig := range invalidSignals {
			Expect(sender.RtTgsigqueueinfo(a.PID(), a.TID(), sig, queued(actor.SI_QUEUE))).To(FailWith(unix.EINVAL))
		}
		for _, id := range []int{0, -1, -a.PID(), math.MinInt32} {
			Expect(sender.RtTgsigqueueinfo(id, a.TID(), rtSignal, queued(actor.SI_QUEUE))).To(FailWith(unix.EINVAL))
			Expect(sender.RtTgsigqueueinfo(a.PID(), id, rtSignal, queued(actor.SI_QUEUE))).To(FailWith(unix.EINVAL))
		}
		expectNoKills(a)
	})

	Clause("rt-tgsigqueueinfo.eagain", func() {
		a, sender := noCapacity(), actor.New()
		Expect(sender.RtTgsigqueueinfo(a.PID(), a.TID(), rtSignal, queued(actor.SI_QUEUE))).To(FailWith(unix.EAGAIN))
		expectNoneToTake(a)
	})

	Clause("rt-tgsigqueueinfo.eperm", func() {
		target, sender := queueTarget(), actor.New()
		target.BecomeUser(FreshUser())
		sender.BecomeUser(FreshUser())

		Expect(sender.RtTgsigqueueinfo(target.PID(), target.TID(), rtSignal, queued(actor.SI_QUEUE))).To(FailWith(unix.EPERM))
		expectNoKills(target)
	})

	Clause("rt-tgsigqueueinfo.esrch", func() {
		a, other := queueTarget(), queueTarget()
		thread := a.Thread()

		Expect(a.RtTgsigqueueinfo(other.PID(), thread.TID(), rtSignal, queued(actor.SI_QUEUE))).To(FailWith(unix.ESRCH))
		Expect(a.RtTgsigqueueinfo(thread.TID(), thread.TID(), rtSignal, queued(actor.SI_QUEUE))).To(FailWith(unix.ESRCH))
		expectNoKills(a, thread, other)
		endThread(thread)
		Expect(a.RtTgsigqueueinfo(a.PID(), thread.TID(), rtSignal, queued(actor.SI_QUEUE))).To(FailWith(unix.ESRCH))
	})

	Clause("rt-tgsigqueueinfo.null-signal", func() {
		a, sender := actor.New(), actor.New()
		thread := a.Thread()
		for _, target := range []*actor.Actor{a, thread} {
			Expect(sender.RtTgsigqueueinfo(a.PID(), target.TID(), 0, queued(actor.SI_QUEUE))).To(Return(0))
			Must(target.Getpid())
		}
		Expect(sender.RtTgsigqueueinfo(sender.PID(), thread.TID(), 0, queued(actor.SI_QUEUE))).To(FailWith(unix.ESRCH))
	})
})

var _ = Describe("pthread_sigqueue", func() {
	// sends queues a signal as the C library does.
	sends := func(by, to *actor.Actor, sig unix.Signal, value uint64) *actor.Call {
		info := actor.Queued(sig, actor.SI_QUEUE, by.PID(), Must(by.Getuid()), value)
		return by.RtTgsigqueueinfo(by.PID(), to.TID(), sig, info)
	}

	Clause("pthread-sigqueue.sibling", func() {
		first := queueTarget()
		second, third := first.Thread(), first.Thread()

		Expect(sends(second, third, rtSignal, queuedValue)).To(Return(0))
		expectQueued(third, queuedValue)
		Expect(third.Events()[0].Info.PID()).To(Equal(first.PID()))
		expectNoKills(first, second)
	})

	Clause("pthread-sigqueue.queues", func() {
		first := queueTarget()
		second := first.Thread()
		second.SetMask(rtSignal)
		values := []uint64{5, 3, 3, 9}

		for _, value := range values {
			Expect(sends(first, second, rtSignal, value)).To(Return(0))
		}
		expectQueued(second)
		second.SetMask()
		expectQueued(second, values...)
		expectNoKills(first)
	})

	Clause("pthread-sigqueue.not-for-others", func() {
		first := actor.New()
		first.SetMask(rtSignal)
		second, third := first.Thread(), first.Thread()

		Expect(sends(first, second, rtSignal, queuedValue)).To(Return(0))
		expectNoneToTake(first)
		expectNoneToTake(third)
		expectTaken(second, queuedValue)
		expectNoneToTake(second)
	})

	Clause("pthread-sigqueue.eagain", func() {
		first := noCapacity()
		second := first.Thread()
		Expect(sends(first, second, rtSignal, 1)).To(FailWith(unix.EAGAIN))
		expectNoneToTake(second)
	})

	Clause("pthread-sigqueue.einval", func() {
		first := queueTarget()
		second := first.Thread()
		for _, sig := range invalidSignals {
			Expect(sends(first, second, sig, 1)).To(FailWith(unix.EINVAL))
		}
		expectNoKills(first, second)
	})

	Clause("pthread-sigqueue.esrch", func() {
		first := queueTarget()
		second := first.Thread()
		endThread(second)
		Expect(sends(first, second, rtSignal, 1)).To(FailWith(unix.ESRCH))
		expectNoKills(first)
	})
})
