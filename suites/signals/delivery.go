package signals

import (
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// expectPendingSet checks what rt_sigpending tells a thread.
func expectPendingSet(a *actor.Actor, sigs ...unix.Signal) {
	GinkgoHelper()
	pending := a.Sigpending()
	Expect(pending).To(Return(0))
	Expect(pending.Word()).To(Equal(actor.Mask(sigs...)))
}

// expectMaskIs checks what a thread's signal mask is.
func expectMaskIs(a *actor.Actor, sigs ...unix.Signal) {
	GinkgoHelper()
	Expect(maskNow(a)).To(Equal(actor.Mask(sigs...)))
}

func maskNow(a *actor.Actor) uint64 {
	GinkgoHelper()
	mask := a.Sigprocmask(unix.SIG_BLOCK, nil)
	Expect(mask).To(Return(0))
	return mask.Word()
}

// blockSignals and unblockSignals change a thread's mask, and look that it is so and that nothing else
// has changed.
func blockSignals(a *actor.Actor, sigs ...unix.Signal) {
	GinkgoHelper()
	set := actor.Mask(sigs...)
	block := a.Sigprocmask(unix.SIG_BLOCK, set)
	Expect(block).To(Return(0))
	Expect(block.Word() & set).To(BeZero())
	Expect(maskNow(a)).To(Equal(block.Word() | set&^unblockableSignals))
}

func unblockSignals(a *actor.Actor, sigs ...unix.Signal) {
	GinkgoHelper()
	set := actor.Mask(sigs...)
	unblock := a.Sigprocmask(unix.SIG_UNBLOCK, set)
	Expect(unblock).To(Return(0))
	Expect(unblock.Word() & set).To(Equal(set &^ unblockableSignals))
	Expect(maskNow(a)).To(Equal(unblock.Word() &^ set))
}

var unblockableSignals = actor.Mask(unix.SIGKILL, unix.SIGSTOP)

// kinds of signals, of which all that is not about queues holds alike.
var standardAndRealTime = []unix.Signal{unix.SIGUSR1, 40}

var _ = Describe("A blocked signal", func() {
	for _, sig := range standardAndRealTime {
		Clause("signal.blocked-not-delivered", actor.SignalName(sig), func() {
			a := actor.New()
			sender := a.Fork()
			a.Handle(sig, 0)
			a.Handle(unix.SIGUSR2, 0)
			blockSignals(a, sig)

			sleeping := beginPause(a)
			Expect(sender.Kill(a.PID(), sig)).To(Return(0))
			Expect(sleeping).To(Block())
			Must(sender.Kill(a.PID(), unix.SIGUSR2))
			Expect(sleeping).To(FailWith(unix.EINTR))
			expectCaughtFrom(a, sender, unix.SIGUSR2)
			expectPendingSet(a, sig)
		})

		Clause("signal.pending-until-delivered", actor.SignalName(sig), func() {
			a := actor.New()
			sender := a.Fork()
			a.Handle(sig, 0)
			blockSignals(a, sig)
			expectPendingSet(a)

			Expect(sender.Kill(a.PID(), sig)).To(Return(0))
			expectPendingSet(a, sig)
			Expect(a.Events()).To(BeEmpty())
			unblockSignals(a, sig)
			expectCaughtFrom(a, sender, sig)
			expectPendingSet(a)
		})

		Clause("signal.delivered-when-unblocked", actor.SignalName(sig), func() {
			a := actor.New()
			sender := a.Fork()
			a.Handle(sig, 0)
			blockSignals(a, sig)
			Must(sender.Kill(a.PID(), sig))

			// It is there when the call that unblocks it has returned.
			unblockSignals(a, sig)
			Expect(a.Events()).To(HaveLen(1))
			expectCaughtFrom(a, sender, sig)
		})

		Clause("signal.default-when-unblocked", actor.SignalName(sig), func() {
			a := actor.New()
			sender := actor.New()
			blockSignals(a, sig)
			Expect(sender.Kill(a.PID(), sig)).To(Return(0))
			expectPendingSet(a, sig)

			Expect(a.Sigprocmask(unix.SIG_UNBLOCK, actor.Mask(sig))).To(BeKilledBy(sig))
		})
	}

	Clause("signal.ignored-while-pending", func() {
		a := actor.New()
		sender := a.Fork()
		blockSignals(a, unix.SIGUSR1)
		Must(sender.Kill(a.PID(), unix.SIGUSR1))
		expectPendingSet(a, unix.SIGUSR1)

		a.Ignore(unix.SIGUSR1)
		expectPendingSet(a)
		a.Handle(unix.SIGUSR1, 0)
		unblockSignals(a, unix.SIGUSR1)
		Expect(settledSignals(a)).To(BeEmpty())
	})
})

var _ = Describe("The mask of a thread", func() {
	Clause("signal.mask-per-thread", func() {
		a := actor.New()
		thread := a.Thread()

		blockSignals(thread, unix.SIGUSR1, 40)
		expectMaskIs(thread, unix.SIGUSR1, 40)
		expectMaskIs(a)
		blockSignals(a, unix.SIGUSR2)
		expectMaskIs(a, unix.SIGUSR2)
		expectMaskIs(thread, unix.SIGUSR1, 40)
	})

	Clause("signal.mask-inherited-by-thread", func() {
		a := actor.New()
		blockSignals(a, unix.SIGUSR1, 40)

		thread := a.Thread()
		expectMaskIs(thread, unix.SIGUSR1, 40)
		unblockSignals(thread, 40)
		expectMaskIs(a, unix.SIGUSR1, 40)
	})

	Clause("signal.mask-by-sigprocmask", func() {
		a := actor.New()
		sender := a.Fork()
		a.Handle(unix.SIGUSR1, 0)
		a.Handle(unix.SIGUSR2, 0)

		Expect(a.Sigprocmask(unix.SIG_SETMASK, actor.Mask(unix.SIGUSR1))).To(Return(0))
		Must(sender.Kill(a.PID(), unix.SIGUSR1))
		expectPendingSet(a, unix.SIGUSR1)
		Expect(a.Sigprocmask(unix.SIG_SETMASK, actor.Mask(unix.SIGUSR2))).To(Return(0))
		expectCaughtFrom(a, sender, unix.SIGUSR1)
		expectMaskIs(a, unix.SIGUSR2)
	})
})

var _ = Describe("A process-directed signal", func() {
	Clause("signal.process-directed-pending-for-all", func() {
		a := actor.New()
		blockSignals(a, unix.SIGUSR1)
		thread := a.Thread()
		sender := actor.New()

		Expect(sender.Kill(a.PID(), unix.SIGUSR1)).To(Return(0))
		expectPendingSet(a, unix.SIGUSR1)
		expectPendingSet(thread, unix.SIGUSR1)
	})

	for _, way := range []struct {
		name string
		send func(by *actor.Actor, pid int) *actor.Call
	}{
		{"kill", func(by *actor.Actor, pid int) *actor.Call { return by.Kill(pid, unix.SIGUSR1) }},
		{"sigqueue", func(by *actor.Actor, pid int) *actor.Call { return by.Sigqueue(pid, unix.SIGUSR1, 1) }},
		{"pidfd_send_signal", func(by *actor.Actor, pid int) *actor.Call {
			return by.PidfdSendSignal(Must(by.PidfdOpen(pid, 0)), unix.SIGUSR1, nil, 0)
		}},
	} {
		Clause("signal.process-directed-to-who-takes-it", way.name, func() {
			a := actor.New()
			first, second := a.Thread(), a.Thread()
			sender := actor.New()
			a.Handle(unix.SIGUSR1, 0)
			// Whichever single thread does not block it gets it, the one that was asleep, too.
			for n, taker := range []*actor.Actor{first, a, second} {
				for _, other := range []*actor.Actor{a, first, second} {
					if other != taker {
						other.SetMask(unix.SIGUSR1)
						expectMaskIs(other, unix.SIGUSR1)
					}
				}
				taker.SetMask()
				expectMaskIs(taker)
				sleeping := beginPause(taker)
				Expect(way.send(sender, a.PID())).To(Return(0))
				Expect(sleeping).To(FailWith(unix.EINTR))
				Expect(taker).To(Catch(unix.SIGUSR1))
				total := 0
				for _, thread := range []*actor.Actor{a, first, second} {
					total += len(settledSignals(thread))
				}
				Expect(total).To(Equal(n + 1))
			}
		})
	}

	Clause("signal.process-directed-delivered-once", func() {
		a := actor.New()
		threads := []*actor.Actor{a, a.Thread(), a.Thread(), a.Thread()}
		sender := actor.New()
		a.Handle(40, 0)

		const times = 20
		for n := range times {
			Expect(sender.Sigqueue(a.PID(), 40, uint64(n))).To(Return(0))
		}
		var values []uint64
		for _, thread := range threads {
			Must(thread.Getpid())
			var its []uint64
			for _, e := range thread.Events() {
				Expect(e.Signal).To(Equal(unix.Signal(40)))
				its = append(its, e.Info.Value())
			}
			Expect(slices.IsSorted(its)).To(BeTrue(), "%v: what a thread takes comes in the order in which it was sent", its)
			values = append(values, its...)
		}
		var all []any
		for n := range times {
			all = append(all, uint64(n))
		}
		Expect(values).To(ConsistOf(all...))
	})

	Clause("signal.process-directed-waits-for-taker", func() {
		a := actor.New()
		blockSignals(a, unix.SIGUSR1)
		thread, last := a.Thread(), a.Thread()
		sender := actor.New()
		a.Handle(unix.SIGUSR1, 0)

		Expect(sender.Kill(a.PID(), unix.SIGUSR1)).To(Return(0))
		for _, t := range []*actor.Actor{a, thread, last} {
			expectPendingSet(t, unix.SIGUSR1)
			Expect(t.Events()).To(BeEmpty())
		}
		unblockSignals(thread, unix.SIGUSR1)
		Expect(thread).To(Catch(unix.SIGUSR1))
		for _, t := range []*actor.Actor{a, last} {
			unblockSignals(t, unix.SIGUSR1)
			expectPendingSet(t)
			Expect(t.Events()).To(BeEmpty())
		}
	})

	Clause("signal.timer-is-process-directed", func() {
		a := actor.New()
		thread := a.Thread()
		a.Handle(unix.SIGALRM, 0)
		blockSignals(a, unix.SIGALRM)

		setTimer(a, unix.ITIMER_REAL)
		Expect(thread).To(Catch(unix.SIGALRM))
		Expect(settledSignals(a)).To(BeEmpty())
	})

	Clause("signal.sigchld-is-process-directed", func() {
		a := actor.New()
		thread := a.Thread()
		child := a.Fork()
		a.Handle(unix.SIGCHLD, 0)
		blockSignals(a, unix.SIGCHLD)

		child.Exit(0)
		Expect(thread).To(Catch(unix.SIGCHLD))
		Expect(settledSignals(a)).To(BeEmpty())
	})
})

var _ = Describe("A thread-directed signal", func() {
	for _, way := range []struct {
		name string
		send func(by *actor.Actor, pid, tid int) *actor.Call
	}{
		{"tgkill", func(by *actor.Actor, pid, tid int) *actor.Call { return by.Tgkill(pid, tid, unix.SIGUSR1) }},
		{"tkill", func(by *actor.Actor, _, tid int) *actor.Call { return by.Tkill(tid, unix.SIGUSR1) }},
		{"rt_tgsigqueueinfo", func(by *actor.Actor, pid, tid int) *actor.Call {
			return by.RtTgsigqueueinfo(pid, tid, unix.SIGUSR1, actor.Queued(unix.SIGUSR1, actor.SI_QUEUE, by.PID(), 0, 1))
		}},
	} {
		Clause("signal.thread-directed-to-that-thread", way.name, func() {
			a := actor.New()
			first, second := a.Thread(), a.Thread()
			sender := actor.New()
			a.Handle(unix.SIGUSR1, 0)

			for _, target := range []*actor.Actor{second, a, first} {
				before := map[*actor.Actor]int{}
				for _, t := range []*actor.Actor{a, first, second} {
					before[t] = len(settledSignals(t))
				}
				Expect(way.send(sender, a.PID(), target.TID())).To(Return(0))
				before[target]++
				for _, t := range []*actor.Actor{a, first, second} {
					caught := settledSignals(t)
					Expect(caught).To(HaveLen(before[t]))
					for _, sig := range caught {
						Expect(sig).To(Equal(unix.SIGUSR1))
					}
				}
			}
		})

		Clause("signal.thread-directed-pending-for-it-alone", way.name, func() {
			a := actor.New()
			thread := a.Thread()
			sender := actor.New()
			a.Handle(unix.SIGUSR1, 0)
			blockSignals(thread, unix.SIGUSR1)

			// The other one would take it, but it is not sent to that.
			Expect(way.send(sender, a.PID(), thread.TID())).To(Return(0))
			expectPendingSet(thread, unix.SIGUSR1)
			expectPendingSet(a)
			Expect(settledSignals(a)).To(BeEmpty())
			unblockSignals(thread, unix.SIGUSR1)
			Expect(thread).To(Catch(unix.SIGUSR1))
			Expect(settledSignals(a)).To(BeEmpty())
		})
	}

	Clause("signal.pending-set-is-union", func() {
		a := actor.New()
		blockSignals(a, unix.SIGUSR1, unix.SIGUSR2, 40)
		thread := a.Thread()
		sender := actor.New()

		Expect(sender.Kill(a.PID(), unix.SIGUSR1)).To(Return(0))
		Expect(sender.Tgkill(a.PID(), a.TID(), unix.SIGUSR2)).To(Return(0))
		Expect(sender.Tgkill(a.PID(), thread.TID(), 40)).To(Return(0))
		expectPendingSet(a, unix.SIGUSR1, unix.SIGUSR2)
		expectPendingSet(thread, unix.SIGUSR1, 40)
	})

	Clause("signal.both-pending-sets", func() {
		a := actor.New()
		sender := a.Fork()
		a.Handle(unix.SIGUSR1, 0)
		blockSignals(a, unix.SIGUSR1)

		// One instance is pending for the thread, another one for the process.
		Expect(sender.Kill(a.PID(), unix.SIGUSR1)).To(Return(0))
		Expect(sender.Tgkill(a.PID(), a.TID(), unix.SIGUSR1)).To(Return(0))
		expectPendingSet(a, unix.SIGUSR1)
		unblockSignals(a, unix.SIGUSR1)
		Expect(a).To(Catch(unix.SIGUSR1, unix.SIGUSR1))
		var codes []int
		for _, e := range a.Events() {
			codes = append(codes, e.Info.Code())
		}
		Expect(codes).To(ConsistOf(actor.SI_USER, actor.SI_TKILL))
		expectPendingSet(a)
	})
})

var _ = Describe("Sending a signal", func() {
	Clause("signal.raise-is-for-caller", func() {
		a := actor.New()
		thread := a.Thread()
		a.Handle(unix.SIGUSR1, 0)

		Expect(thread.Tgkill(a.PID(), thread.TID(), unix.SIGUSR1)).To(Return(0))
		Expect(thread).To(Catch(unix.SIGUSR1))
		Expect(settledSignals(a)).To(BeEmpty())
	})

	Clause("signal.kill-one-process", func() {
		a := actor.New()
		parent := a.Fork()
		for _, p := range []*actor.Actor{a, parent} {
			p.Handle(unix.SIGUSR1, 0)
		}
		child := parent.Fork()

		Expect(a.Kill(parent.PID(), unix.SIGUSR1)).To(Return(0))
		expectCaughtFrom(parent, a, unix.SIGUSR1)
		Expect(settledSignals(a)).To(BeEmpty())
		Expect(settledSignals(child)).To(BeEmpty())
	})

	for _, way := range []string{"kill", "killpg"} {
		Clause("signal."+way+"-group", func() {
			a := actor.New()
			a.Handle(unix.SIGUSR1, 0)
			leader, member, outsider := a.Fork(), a.Fork(), a.Fork()
			Must(leader.Setpgid(0, 0))
			Must(member.Setpgid(0, leader.PID()))
			by := outsider
			target := -leader.PID()
			if way == "killpg" { // of the caller's own group, as killpg(0)
				by, target = member, 0
			}

			Expect(by.Kill(target, unix.SIGUSR1)).To(Return(0))
			expectCaughtFrom(leader, by, unix.SIGUSR1)
			expectCaughtFrom(member, by, unix.SIGUSR1)
			Expect(settledSignals(outsider)).To(BeEmpty())
			Expect(settledSignals(a)).To(BeEmpty())
		})
	}

	Clause("signal.kill-everybody", func() {
		a := actor.New() // in a PID namespace of its own
		a.Handle(unix.SIGUSR1, 0)
		b := a.Fork()
		c := b.Fork()

		Expect(b.Kill(-1, unix.SIGUSR1)).To(Return(0))
		Expect(a).To(Catch(unix.SIGUSR1))
		Expect(c).To(Catch(unix.SIGUSR1))
		Expect(settledSignals(b)).To(BeEmpty())
	})

	Clause("signal.pidfd-send", func() {
		a := actor.New()
		sender := a.Fork()
		a.Handle(unix.SIGUSR1, 0)
		pidfd := Must(sender.PidfdOpen(a.PID(), 0))

		Expect(sender.PidfdSendSignal(pidfd, unix.SIGUSR1, nil, 0)).To(Return(0))
		expectCaughtFrom(a, sender, unix.SIGUSR1)
	})
})

var _ = Describe("Accepting a signal", func() {
	Clause("signal.wait-returns-information", func() {
		a := actor.New()
		sender := a.Fork()
		blockSignals(a, unix.SIGUSR1, unix.SIGUSR2, 40)
		for _, timeout := range []int64{-1, longTime} {
			wait := a.Begin().Sigtimedwait(actor.Mask(unix.SIGUSR1, 40), timeout)
			Expect(wait).To(Block())
			Must(sender.Kill(a.PID(), unix.SIGUSR2)) // which is not in the set
			Expect(wait).To(Block())
			Must(sender.Sigqueue(a.PID(), 40, 4711))
			Expect(wait).To(Return(40))
			info := wait.Siginfo()
			Expect(info.Signo()).To(Equal(unix.Signal(40)))
			Expect(info.Code()).To(Equal(actor.SI_QUEUE))
			Expect(info.PID()).To(Equal(sender.PID()))
			Expect(info.Value()).To(Equal(uint64(4711)))
			expectPendingSet(a, unix.SIGUSR2)
		}
	})

	Clause("signal.signalfd-returns-information", func() {
		a := actor.New()
		sender := a.Fork()
		blockSignals(a, unix.SIGUSR1, unix.SIGUSR2, 40)
		fd := a.Signalfd4(-1, actor.Mask(unix.SIGUSR1, 40), 0)
		Expect(fd).To(ReturnFD())

		read := beginReadSignals(a, fd.Value(), 1)
		Must(sender.Kill(a.PID(), unix.SIGUSR2)) // which is not in the set
		Expect(read).To(Block())
		Must(sender.Sigqueue(a.PID(), 40, 4711))
		info := toldSignal(read, 40)
		Expect(info.Code()).To(Equal(actor.SI_QUEUE))
		Expect(info.PID()).To(Equal(sender.PID()))
		Expect(info.Int()).To(Equal(4711))
		expectPendingSet(a, unix.SIGUSR2)
	})

	Clause("signal.suspend-swaps-mask", func() {
		a := actor.New()
		sender := a.Fork()
		a.Handle(unix.SIGUSR1, 0)
		a.Handle(unix.SIGUSR2, 0)
		blockSignals(a, unix.SIGUSR1)

		suspend := a.Begin().Sigsuspend(actor.Mask(unix.SIGUSR2))
		Expect(suspend).To(Block())
		Must(sender.Kill(a.PID(), unix.SIGUSR2))
		Expect(suspend).To(Block())
		Must(sender.Kill(a.PID(), unix.SIGUSR1))
		Expect(suspend).To(FailWith(unix.EINTR))
		// With its own mask back, the thread takes what had to wait.
		Expect(a).To(Catch(unix.SIGUSR1, unix.SIGUSR2))
		expectMaskIs(a, unix.SIGUSR1)
	})
})

var _ = Describe("pause", func() {
	Clause("signal.pause-any-signal", func() {
		a := actor.New()
		sender := a.Fork()
		var caught []unix.Signal
		for sig := unix.Signal(1); sig <= lastRealTime; sig++ {
			if sig == unix.SIGKILL || sig == unix.SIGSTOP {
				continue
			}
			a.Handle(sig, 0)
			sleeping := beginPause(a)
			Must(sender.Kill(a.PID(), sig))
			Expect(sleeping).To(FailWith(unix.EINTR))
			caught = append(caught, sig)
		}
		expectCaughtFrom(a, sender, caught...)
	})
})

var _ = Describe("The kernel's signal set", func() {
	for _, call := range []struct {
		name string
		make func(a *actor.Actor, size int) *actor.Call
		want int // with 8 bytes
	}{
		{"rt_sigaction", func(a *actor.Actor, size int) *actor.Call {
			return a.Raw(unix.SYS_RT_SIGACTION, unix.SIGUSR1, ignoring, nil, size)
		}, 0},
		{"rt_sigprocmask", func(a *actor.Actor, size int) *actor.Call {
			return a.Raw(unix.SYS_RT_SIGPROCMASK, unix.SIG_BLOCK, a.Sigset(unix.SIGUSR2), nil, size)
		}, 0},
		{"rt_sigpending", func(a *actor.Actor, size int) *actor.Call {
			return a.Raw(unix.SYS_RT_SIGPENDING, a.Alloc(16), size)
		}, 0},
		{"rt_sigtimedwait", func(a *actor.Actor, size int) *actor.Call {
			return a.Raw(unix.SYS_RT_SIGTIMEDWAIT, a.Sigset(unix.SIGTERM), nil, make([]byte, 16), size)
		}, int(unix.SIGTERM)},
		{"rt_sigsuspend", func(a *actor.Actor, size int) *actor.Call {
			return a.Raw(unix.SYS_RT_SIGSUSPEND, a.Sigset(), size)
		}, -1},
	} {
		Clause("signal.set-of-64-bits", call.name, func() {
			a := actor.New()
			a.Handle(unix.SIGTERM, 0)
			blockSignals(a, unix.SIGTERM)
			Must(a.Kill(a.PID(), unix.SIGTERM))

			Expect(call.make(a, 16)).To(FailWith(unix.EINVAL))
			expectMaskIs(a, unix.SIGTERM)
			expectPendingSet(a, unix.SIGTERM)
			Expect(dispositionOf(a, unix.SIGUSR1)).To(Equal(isDefault))
			right := call.make(a, 8)
			switch call.name {
			case "rt_sigsuspend":
				Expect(right).To(FailWith(unix.EINTR))
				expectCaughtFrom(a, a, unix.SIGTERM)
			case "rt_sigaction":
				Expect(right).To(Return(call.want))
				Expect(dispositionOf(a, unix.SIGUSR1)).To(Equal(isIgnored))
			case "rt_sigprocmask":
				Expect(right).To(Return(call.want))
				expectMaskIs(a, unix.SIGTERM, unix.SIGUSR2)
			default:
				Expect(right).To(Return(call.want))
			}
		})
	}
})
