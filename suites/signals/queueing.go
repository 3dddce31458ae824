package signals

import (
	"encoding/binary"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// allSignals, as the mask of a handler, keeps handlers from interrupting each other, so that they
// run in the order in which their signals are delivered.
const allSignals = ^uint64(0)

// handleInTurn has the actor catch signals one after the other.
func handleInTurn(a *actor.Actor, sigs ...unix.Signal) {
	for _, sig := range sigs {
		Must(a.Sigaction(sig, actor.SA_SIGINFO, allSignals))
	}
}

// sentValues returns the values of the signals that the actor has caught.
func sentValues(a *actor.Actor) []uint64 {
	var values []uint64
	for _, e := range a.Events() {
		values = append(values, e.Info.Value())
	}
	return values
}

// queue has one process send a signal with each of the values to another one.
func queue(sender, a *actor.Actor, sig unix.Signal, values ...uint64) {
	GinkgoHelper()
	for _, value := range values {
		Expect(sender.Sigqueue(a.PID(), sig, value)).To(Return(0))
	}
}

// unblockAll has the actor take all that is pending.
func unblockAll(a *actor.Actor) {
	GinkgoHelper()
	Expect(a.Sigprocmask(unix.SIG_SETMASK, uint64(0))).To(Return(0))
	expectMaskIs(a)
}

var _ = Describe("A standard signal that is pending", func() {
	for sig := unix.Signal(1); sig < firstRealTime; sig++ {
		if sig == unix.SIGKILL || sig == unix.SIGSTOP {
			continue
		}
		Clause("signal.standard-coalesces", actor.SignalName(sig), func() {
			a := actor.New()
			sender := a.Fork()
			a.Handle(sig, 0)
			blockSignals(a, sig)

			for range 3 {
				Expect(sender.Kill(a.PID(), sig)).To(Return(0))
			}
			expectPendingSet(a, sig)
			unblockAll(a)
			expectCaughtFrom(a, sender, sig)
			// One that comes later is another one.
			Expect(sender.Kill(a.PID(), sig)).To(Return(0))
			expectCaughtFrom(a, sender, sig, sig)
		})
	}

	Clause("signal.standard-coalesces-for-thread", func() {
		a := actor.New()
		sender := a.Fork()
		a.Handle(unix.SIGUSR1, 0)
		blockSignals(a, unix.SIGUSR1)

		for range 3 {
			Expect(sender.Tgkill(a.PID(), a.TID(), unix.SIGUSR1)).To(Return(0))
		}
		unblockAll(a)
		Expect(a).To(Catch(unix.SIGUSR1))
		Expect(a.Events()[0].Info.Code()).To(Equal(actor.SI_TKILL))
	})

	Clause("signal.standard-keeps-first-information", "sigqueue", func() {
		a := actor.New()
		sender := a.Fork()
		a.Handle(unix.SIGUSR1, 0)
		blockSignals(a, unix.SIGUSR1)

		queue(sender, a, unix.SIGUSR1, 11, 12, 13)
		unblockAll(a)
		Expect(a).To(Catch(unix.SIGUSR1))
		Expect(sentValues(a)).To(Equal([]uint64{11}))
		Expect(a.Events()[0].Info.Code()).To(Equal(actor.SI_QUEUE))
	})

	Clause("signal.standard-keeps-first-information", "two senders", func() {
		a := actor.New()
		first, second := a.Fork(), a.Fork()
		a.Handle(unix.SIGUSR1, 0)
		blockSignals(a, unix.SIGUSR1)

		Expect(first.Kill(a.PID(), unix.SIGUSR1)).To(Return(0))
		queue(second, a, unix.SIGUSR1, 12)
		unblockAll(a)
		expectCaughtFrom(a, first, unix.SIGUSR1)
	})

	Clause("signal.standard-again-while-handled", func() {
		a := actor.New()
		sender := a.Fork()
		a.HandleAndPark(unix.SIGUSR1, 0)

		Expect(sender.Kill(a.PID(), unix.SIGUSR1)).To(Return(0))
		a.AwaitPark(1)
		// It is not pending any more while its handler runs: of those that come now one is kept.
		expectPendingSet(a)
		for range 3 {
			Expect(sender.Kill(a.PID(), unix.SIGUSR1)).To(Return(0))
		}
		expectPendingSet(a, unix.SIGUSR1)
		a.Park(unix.SIGUSR1, false)
		a.ReturnFromHandler()
		expectCaughtFrom(a, sender, unix.SIGUSR1, unix.SIGUSR1)
		expectPendingSet(a)
	})

	Clause("signal.standard-all-delivered", func() {
		a := actor.New()
		sender := a.Fork()
		sigs := []unix.Signal{unix.SIGUSR2, unix.SIGHUP, unix.SIGTERM, unix.SIGUSR1, unix.SIGCHLD}
		handleInTurn(a, sigs...)
		blockSignals(a, sigs...)

		for _, sig := range sigs {
			Expect(sender.Kill(a.PID(), sig)).To(Return(0))
		}
		expectPendingSet(a, sigs...)
		unblockAll(a)
		var all []any
		for _, sig := range sigs {
			all = append(all, sig)
		}
		Expect(settledSignals(a)).To(ConsistOf(all...)) // in any order
		expectPendingSet(a)
	})
})

var _ = Describe("Real-time signals that are pending", func() {
	for _, sig := range []unix.Signal{firstRealTime, 40, lastRealTime} {
		Clause("signal.realtime-queues", actor.SignalName(sig), func() {
			a := actor.New()
			sender := a.Fork()
			a.Handle(sig, 0)
			blockSignals(a, sig)

			queue(sender, a, sig, 1, 1, 1, 1, 1)
			expectPendingSet(a, sig)
			Expect(a.Events()).To(BeEmpty())
			unblockAll(a)
			Expect(a).To(Catch(sig, sig, sig, sig, sig))
			Expect(sentValues(a)).To(Equal([]uint64{1, 1, 1, 1, 1}))
			expectPendingSet(a)
		})
	}

	Clause("signal.realtime-queues-for-thread", func() {
		a := actor.New()
		thread := a.Thread()
		sender := actor.New()
		a.Handle(40, 0)
		blockSignals(thread, 40)

		for value := range uint64(3) {
			info := actor.Queued(40, actor.SI_QUEUE, sender.PID(), 0, value)
			Expect(sender.RtTgsigqueueinfo(a.PID(), thread.TID(), 40, info)).To(Return(0))
		}
		unblockAll(thread)
		Expect(thread).To(Catch(40, 40, 40))
		Expect(sentValues(thread)).To(Equal([]uint64{0, 1, 2}))
		Expect(settledSignals(a)).To(BeEmpty())
	})

	Clause("signal.realtime-queues-by-kill", func() {
		a := actor.New()
		sender := a.Fork()
		a.Handle(40, 0)
		blockSignals(a, 40)

		for range 3 {
			Expect(sender.Kill(a.PID(), 40)).To(Return(0))
		}
		unblockAll(a)
		expectCaughtFrom(a, sender, 40, 40, 40)
	})

	Clause("signal.realtime-value", func() {
		a := actor.New()
		sender := a.Fork()
		a.Handle(40, 0)

		values := []uint64{0, 1, 1<<31 - 1, 1 << 31, 1<<32 - 1, 1 << 32, 1<<64 - 1}
		for n, value := range values {
			Expect(sender.Sigqueue(a.PID(), 40, value)).To(Return(0))
			Expect(a.AwaitEvents(n + 1)[n].Info.Value()).To(Equal(value))
			Expect(a.Events()[n].Signal).To(Equal(unix.Signal(40)))
			Expect(a.Events()[n].Info.Code()).To(Equal(actor.SI_QUEUE))
		}
		Expect(settledSignals(a)).To(HaveLen(len(values)))
	})

	Clause("signal.realtime-sender", func() {
		a := actor.New()
		first, second := a.Fork(), a.Fork()
		uid := Must(a.Getuid())
		a.Handle(40, 0)
		blockSignals(a, 40)

		queue(first, a, 40, 1)
		queue(second, a, 40, 2)
		Expect(first.Kill(a.PID(), 40)).To(Return(0))
		unblockAll(a)
		Expect(a).To(Catch(40, 40, 40))
		for n, sender := range []*actor.Actor{first, second, first} {
			Expect(a.Events()[n].Info.PID()).To(Equal(sender.PID()))
			Expect(a.Events()[n].Info.UID()).To(Equal(uid))
		}
	})

	Clause("signal.realtime-order-of-sending", func() {
		a := actor.New()
		sender := a.Fork()
		a.Handle(40, 0)
		blockSignals(a, 40)

		values := []uint64{5, 3, 9, 1, 7, 7, 2}
		queue(sender, a, 40, values...)
		unblockAll(a)
		Expect(a).To(Catch(40, 40, 40, 40, 40, 40, 40))
		Expect(sentValues(a)).To(Equal(values))
	})

	for _, way := range []string{"handlers", "sigtimedwait"} {
		Clause("signal.realtime-lowest-first", way, func() {
			a := actor.New()
			sender := a.Fork()
			handleInTurn(a, 34, 40, 50, 64)
			blockSignals(a, 34, 40, 50, 64)

			queue(sender, a, 50, 1)
			queue(sender, a, 40, 2)
			queue(sender, a, 64, 3)
			queue(sender, a, 34, 4)
			queue(sender, a, 40, 5)
			order, values := []unix.Signal{34, 40, 40, 50, 64}, []uint64{4, 2, 5, 1, 3}
			if way == "handlers" {
				unblockAll(a)
				Expect(a).To(Catch(order...))
				Expect(sentValues(a)).To(Equal(values))
				return
			}
			for n, sig := range order {
				wait := a.Sigtimedwait(actor.Mask(34, 40, 50, 64), 0)
				Expect(wait).To(Return(int(sig)))
				Expect(wait.Siginfo().Signo()).To(Equal(sig))
				Expect(wait.Siginfo().Value()).To(Equal(values[n]))
			}
			Expect(a.Sigtimedwait(actor.Mask(34, 40, 50, 64), 0)).To(FailWith(unix.EAGAIN))
		})

		Clause("signal.standard-before-realtime", way, func() {
			a := actor.New()
			sender := a.Fork()
			handleInTurn(a, unix.SIGUSR1, unix.SIGSYS, 32, 40)
			blockSignals(a, unix.SIGUSR1, unix.SIGSYS, 32, 40)

			for _, sig := range []unix.Signal{40, 32, unix.SIGUSR1, unix.SIGSYS} {
				Expect(sender.Kill(a.PID(), sig)).To(Return(0))
			}
			var got []unix.Signal
			if way == "handlers" {
				unblockAll(a)
				got = settledSignals(a)
			} else {
				for range 4 {
					wait := a.Sigtimedwait(actor.Mask(unix.SIGUSR1, unix.SIGSYS, 32, 40), 0)
					got = append(got, unix.Signal(wait.Value()))
					Expect(int(wait.Siginfo().Signo())).To(Equal(wait.Value()))
					Expect(wait.Siginfo().PID()).To(Equal(sender.PID()))
				}
			}
			Expect(got).To(HaveLen(4))
			Expect(got[:2]).To(ConsistOf(unix.SIGUSR1, unix.SIGSYS)) // in any order
			Expect(got[2:]).To(Equal([]unix.Signal{32, 40}))
		})
	}

	Clause("signal.realtime-range", func() {
		a := actor.New()
		sender := a.Fork()
		var all []unix.Signal
		for sig := firstRealTime; sig <= lastRealTime; sig++ {
			a.Handle(sig, 0)
			Expect(sender.Sigqueue(a.PID(), sig, uint64(sig))).To(Return(0))
			all = append(all, sig)
			Expect(a).To(Catch(all...))
		}
		Expect(sender.Sigqueue(a.PID(), lastRealTime+1, 0)).To(FailWith(unix.EINVAL))
		Expect(sender.Kill(a.PID(), lastRealTime+1)).To(FailWith(unix.EINVAL))
		Expect(settledSignals(a)).To(Equal(all))
	})

	Clause("signal.realtime-32-queued", func() {
		a := actor.New()
		sender := a.Fork()
		a.Handle(40, 0)
		blockSignals(a, 40)

		const most = 32 // _POSIX_SIGQUEUE_MAX
		var values []uint64
		for value := range uint64(most) {
			values = append(values, value)
		}
		queue(sender, a, 40, values...)
		unblockAll(a)
		Expect(a).To(Catch(slices.Repeat([]unix.Signal{40}, most)...))
		Expect(sentValues(a)).To(Equal(values))
	})
})

var _ = Describe("RLIMIT_SIGPENDING", func() {
	const limit = 5

	Clause("signal.queue-no-other-limit", func() {
		a := actor.New()
		sender := a.Fork()
		blockSignals(a, 40)

		soft, _ := a.Rlimit(unix.RLIMIT_SIGPENDING)
		const most = 100
		for value := range uint64(most) {
			call := sender.Sigqueue(a.PID(), 40, value)
			if value == soft { // the first beyond the limit: it matters only to a kernel that heeds it
				Presuppose(call.OK(), "RLIMIT_SIGPENDING of at least %d: raise the hard limit", most)
			}
			Expect(call).To(Return(0))
		}
		for value := range uint64(most) {
			wait := a.Sigtimedwait(actor.Mask(40), 0)
			Expect(wait).To(Return(40))
			Expect(wait.Siginfo().Value()).To(Equal(value))
		}
		Expect(a.Sigtimedwait(actor.Mask(40), 0)).To(FailWith(unix.EAGAIN))
	})

	Clause("signal.queue-limit-eagain", func() {
		a := actor.New()
		sender := a.Fork()
		handleInTurn(a, 40, 41)
		blockSignals(a, 40, 41)
		a.SetRlimit(unix.RLIMIT_SIGPENDING, limit)

		queue(sender, a, 40, 1, 2, 3, 4, 5)
		Expect(sender.Sigqueue(a.PID(), 40, 6)).To(FailWith(unix.EAGAIN))
		Expect(sender.Sigqueue(a.PID(), 41, 6)).To(FailWith(unix.EAGAIN))
		expectPendingSet(a, 40)
		unblockAll(a)
		Expect(a).To(Catch(40, 40, 40, 40, 40))
		Expect(sentValues(a)).To(Equal([]uint64{1, 2, 3, 4, 5}))
	})

	Clause("signal.queue-limit-room-again", func() {
		a := actor.New()
		sender := a.Fork()
		blockSignals(a, 40)
		a.SetRlimit(unix.RLIMIT_SIGPENDING, limit)
		queue(sender, a, 40, 1, 2, 3, 4, 5)
		Expect(sender.Sigqueue(a.PID(), 40, 6)).To(FailWith(unix.EAGAIN))

		// Each one that is taken makes room for one.
		Expect(a.Sigtimedwait(actor.Mask(40), 0)).To(Return(40))
		queue(sender, a, 40, 7)
		Expect(sender.Sigqueue(a.PID(), 40, 8)).To(FailWith(unix.EAGAIN))
		for _, value := range []uint64{2, 3, 4, 5, 7} {
			wait := a.Sigtimedwait(actor.Mask(40), 0)
			Expect(wait).To(Return(40))
			Expect(wait.Siginfo().Signo()).To(Equal(unix.Signal(40)))
			Expect(wait.Siginfo().Value()).To(Equal(value))
		}
		Expect(a.Sigtimedwait(actor.Mask(40), 0)).To(FailWith(unix.EAGAIN))
	})

	Clause("signal.queue-limit-kill-works", func() {
		a := actor.New()
		sender := a.Fork()
		handleInTurn(a, unix.SIGUSR1, 40, 41)
		blockSignals(a, unix.SIGUSR1, 40, 41)
		a.SetRlimit(unix.RLIMIT_SIGPENDING, limit)
		queue(sender, a, 40, 1, 2, 3, 4, 5)

		Expect(sender.Kill(a.PID(), 41)).To(Return(0))
		Expect(sender.Kill(a.PID(), unix.SIGUSR1)).To(Return(0))
		expectPendingSet(a, unix.SIGUSR1, 40, 41)
		unblockAll(a)
		Expect(settledSignals(a)).To(Equal([]unix.Signal{unix.SIGUSR1, 40, 40, 40, 40, 40, 41}))
		for i, e := range a.Events()[1:6] {
			Expect(e.Info.Value()).To(BeEquivalentTo(i + 1))
		}
	})

	Clause("signal.queue-limit-per-user", func() {
		a := actor.New()
		other := a.Fork()
		sender := a.Fork()
		blockSignals(a, 40)
		blockSignals(other, 40)
		a.SetRlimit(unix.RLIMIT_SIGPENDING, limit)

		// What is queued for another process of the user counts.
		queue(sender, other, 40, 1, 2, 3)
		queue(sender, a, 40, 1, 2)
		Expect(sender.Sigqueue(a.PID(), 40, 3)).To(FailWith(unix.EAGAIN))
		Expect(other.Sigtimedwait(actor.Mask(40), 0)).To(Return(40))
		queue(sender, a, 40, 4)
		Expect(sender.Sigqueue(a.PID(), 40, 5)).To(FailWith(unix.EAGAIN))
		other.Exit(0)
		Must(a.Wait4(other.PID(), 0)) // until then there is still a zombie of it
		queue(sender, a, 40, 6, 7)
		Expect(sender.Sigqueue(a.PID(), 40, 8)).To(FailWith(unix.EAGAIN))
	})

	Clause("signal.queue-limit-not-of-other-users", func() {
		a := actor.New()
		other := a.Fork()
		blockSignals(a, 40)
		blockSignals(other, 40)
		other.BecomeUser(FreshUser())
		a.SetRlimit(unix.RLIMIT_SIGPENDING, limit)
		other.SetRlimit(unix.RLIMIT_SIGPENDING, limit)

		queue(a, a, 40, 1, 2, 3, 4, 5)
		Expect(a.Sigqueue(a.PID(), 40, 6)).To(FailWith(unix.EAGAIN))
		queue(other, other, 40, 1, 2, 3, 4, 5)
		Expect(other.Sigqueue(other.PID(), 40, 6)).To(FailWith(unix.EAGAIN))
	})

	Clause("signal.queue-limit-zero", func() {
		a := actor.New()
		sender := a.Fork()
		a.Handle(40, 0)
		a.SetRlimit(unix.RLIMIT_SIGPENDING, 0)

		blockSignals(a, 40)
		Expect(sender.Sigqueue(a.PID(), 40, 1)).To(FailWith(unix.EAGAIN))
		expectPendingSet(a)
		Expect(sender.Kill(a.PID(), 40)).To(Return(0))
		expectPendingSet(a, 40)
		unblockAll(a)
		Expect(a).To(Catch(40))
	})

	Clause("signal.queue-limit-soft-limit-decides", func() {
		a := actor.New()
		sender := a.Fork()
		blockSignals(a, 40)
		limits := func(soft, hard uint64) []byte {
			return binary.NativeEndian.AppendUint64(binary.NativeEndian.AppendUint64(nil, soft), hard)
		}
		soft, hard := a.Rlimit(unix.RLIMIT_SIGPENDING)
		lower := a.Prlimit(unix.RLIMIT_SIGPENDING, 1, hard)
		Must(lower)
		Expect(lower.Data()).To(Equal(limits(soft, hard)), "the old limits")
		queue(sender, a, 40, 1)
		Expect(sender.Sigqueue(a.PID(), 40, 2)).To(FailWith(unix.EAGAIN))

		raise := a.Prlimit(unix.RLIMIT_SIGPENDING, 2, hard)
		Expect(raise).To(Return(0))
		Expect(raise.Data()).To(Equal(limits(1, hard)), "the old limits")
		queue(sender, a, 40, 3)
		Expect(sender.Sigqueue(a.PID(), 40, 4)).To(FailWith(unix.EAGAIN))
	})

	for _, file := range []string{"rtsig-max", "rtsig-nr"} {
		Clause("signal.rtsig-sysctls-gone", file, func() {
			a := actor.New()
			Must(a.Stat("/proc/sys/kernel"))

			Expect(a.Open("/proc/sys/kernel/"+file, unix.O_RDONLY, 0)).To(FailWith(unix.ENOENT))
		})
	}
})
