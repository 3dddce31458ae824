package signals

import (
	"encoding/binary"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// Two real-time signals to wait for.
const (
	lowRT  = unix.Signal(40)
	highRT = unix.Signal(42)
)

const (
	noTimeout   = -1                 // of Sigtimedwait: a null pointer for the timeout, as of sigwaitinfo
	longTimeout = int64(3600 * 1e9)  // nobody waits for it
	shortWait   = int64(3 * 1000000) // 3 ms: waited for
)

// timespecOf lays out a struct timespec that need not be a valid one.
func timespecOf(sec, nsec int64) []byte {
	b := binary.NativeEndian.AppendUint64(nil, uint64(sec))
	return binary.NativeEndian.AppendUint64(b, uint64(nsec))
}

// monotonic returns the actor's CLOCK_MONOTONIC.
func monotonic(a *actor.Actor) int64 {
	clock := a.ClockGettime(unix.CLOCK_MONOTONIC)
	Must(clock)
	return clock.Nanoseconds()
}

// waiterFor starts an actor that blocks the given signals.
func waiterFor(sigs ...unix.Signal) *actor.Actor {
	a := actor.New()
	a.SetMask(sigs...)
	return a
}

// beginWait has an actor wait for signals without a timeout and sees it asleep.
func beginWait(a *actor.Actor, sigs ...unix.Signal) *actor.Call {
	GinkgoHelper()
	wait := a.Begin().Sigtimedwait(sigs, noTimeout)
	Expect(wait).To(Block())
	return wait
}

// expectNothing shows that no signal of a set is pending for the actor: a poll says so.
func expectNothing(a *actor.Actor, sigs ...unix.Signal) {
	GinkgoHelper()
	Expect(a.Sigtimedwait(sigs, 0)).To(FailWith(unix.EAGAIN))
}

// expectLeft judges the set of signals that are pending for the actor.
func expectLeft(a *actor.Actor, sigs ...unix.Signal) {
	GinkgoHelper()
	Expect(a.PendingSignals()).To(Equal(actor.Mask(sigs...)))
}

// Accept succeeds when a Sigtimedwait returns the signal, and tells a siginfo_t that names it.
func Accept(sig unix.Signal) types.GomegaMatcher {
	return And(Return(int(sig)), WithTransform(func(c *actor.Call) unix.Signal { return c.Siginfo().Signo() }, Equal(sig)))
}

// acceptAny has an actor accept whichever signal of a set is pending, and returns its bit.
func acceptAny(a *actor.Actor, set ...unix.Signal) uint64 {
	GinkgoHelper()
	wait := a.Sigtimedwait(set, noTimeout)
	sig := wait.Siginfo().Signo()
	Expect(set).To(ContainElement(sig))
	Expect(wait).To(Return(int(sig)))
	return actor.Bit(sig)
}

var _ = Describe("sigwaitinfo", func() {
	Clause("sigwaitinfo.sleeps-until-pending", func() {
		a, sender := waiterFor(unix.SIGUSR1), actor.New()

		wait := beginWait(a, unix.SIGUSR1)
		Must(sender.Kill(a.PID(), unix.SIGUSR1))
		Expect(wait).To(Accept(unix.SIGUSR1))
	})

	Clause("sigwaitinfo.pending-returns-at-once", func() {
		a, sender := waiterFor(unix.SIGUSR1), actor.New()

		Must(sender.Kill(a.PID(), unix.SIGUSR1))
		Expect(a.Sigtimedwait([]unix.Signal{unix.SIGUSR1}, noTimeout)).To(Accept(unix.SIGUSR1))
	})

	Clause("sigwaitinfo.removes-signal", func() {
		a, sender := waiterFor(unix.SIGUSR1), actor.New()
		a.Handle(unix.SIGUSR1, 0)

		Must(sender.Kill(a.PID(), unix.SIGUSR1))
		expectLeft(a, unix.SIGUSR1)
		Expect(a.Sigtimedwait([]unix.Signal{unix.SIGUSR1}, noTimeout)).To(Accept(unix.SIGUSR1))
		expectLeft(a)
		expectNothing(a, unix.SIGUSR1)
		a.SetMask()
		Must(a.Getpid())
		Expect(a).To(Catch())
	})

	Clause("sigwaitinfo.leaves-other-signals", func() {
		a, sender := waiterFor(unix.SIGUSR1, unix.SIGUSR2, lowRT), actor.New()

		for _, sig := range []unix.Signal{unix.SIGUSR1, unix.SIGUSR2, lowRT} {
			Must(sender.Kill(a.PID(), sig))
		}
		Expect(a.Sigtimedwait([]unix.Signal{unix.SIGUSR2}, noTimeout)).To(Accept(unix.SIGUSR2))
		expectLeft(a, unix.SIGUSR1, lowRT)
		Expect(a.Sigtimedwait([]unix.Signal{lowRT}, noTimeout)).To(Accept(lowRT))
		expectLeft(a, unix.SIGUSR1)
	})

	Clause("sigwaitinfo.other-signal-does-not-wake", func() {
		a, sender := waiterFor(unix.SIGUSR1, unix.SIGUSR2), actor.New()

		wait := beginWait(a, unix.SIGUSR1)
		Must(sender.Kill(a.PID(), unix.SIGUSR2))
		Expect(wait).To(Block())
		Must(sender.Kill(a.PID(), unix.SIGUSR1))
		Expect(wait).To(Accept(unix.SIGUSR1))
		expectLeft(a, unix.SIGUSR2)
	})

	Clause("sigwaitinfo.each-signal-of-the-set", func() {
		set := []unix.Signal{unix.SIGHUP, unix.SIGALRM, unix.SIGWINCH, lowRT, unix.Signal(64)}
		a, sender := waiterFor(set...), actor.New()

		for _, sig := range set {
			wait := beginWait(a, set...)
			Must(sender.Kill(a.PID(), sig))
			Expect(wait).To(Accept(sig))
			Expect(wait.Siginfo().Signo()).To(Equal(sig))
		}
		expectNothing(a, set...)
	})

	Clause("sigwaitinfo.kept-between-waits", func() {
		a, sender := waiterFor(unix.SIGUSR1), actor.New()

		for range 3 {
			wait := beginWait(a, unix.SIGUSR1)
			Must(sender.Kill(a.PID(), unix.SIGUSR1))
			Expect(wait).To(Accept(unix.SIGUSR1))
			// One that comes while nobody waits is there for the next wait.
			Must(sender.Kill(a.PID(), unix.SIGUSR1))
			Must(a.Getpid())
			Expect(a.Sigtimedwait([]unix.Signal{unix.SIGUSR1}, noTimeout)).To(Accept(unix.SIGUSR1))
		}
		expectNothing(a, unix.SIGUSR1)
	})

	Clause("sigwaitinfo.null-info", func() {
		a, sender := waiterFor(unix.SIGUSR1), actor.New()
		wait := func(by actor.Caller) *actor.Call {
			return by.Raw(unix.SYS_RT_SIGTIMEDWAIT, a.Sigset(unix.SIGUSR1), actor.Null, actor.Null, 8)
		}

		Must(sender.Kill(a.PID(), unix.SIGUSR1))
		Expect(wait(a.Caller)).To(Return(int(unix.SIGUSR1)))
		pending := wait(a.Begin())
		Expect(pending).To(Block())
		Must(sender.Kill(a.PID(), unix.SIGUSR1))
		Expect(pending).To(Return(int(unix.SIGUSR1)))
		expectNothing(a, unix.SIGUSR1)
	})

	Clause("sigwaitinfo.mask-as-before", func() {
		a, sender := waiterFor(unix.SIGUSR1, unix.SIGUSR2), actor.New()

		wait := beginWait(a, unix.SIGUSR1)
		Must(sender.Kill(a.PID(), unix.SIGUSR1))
		Expect(wait).To(Accept(unix.SIGUSR1))
		Expect(a.Sigprocmask(unix.SIG_BLOCK, nil).Word()).To(Equal(actor.Mask(unix.SIGUSR1, unix.SIGUSR2)))
		Must(sender.Kill(a.PID(), unix.SIGUSR1))
		expectLeft(a, unix.SIGUSR1)
	})

	Clause("sigwaitinfo.info-of-kill", func() {
		a, sender := waiterFor(unix.SIGUSR1), actor.New()

		wait := beginWait(a, unix.SIGUSR1)
		Must(sender.Kill(a.PID(), unix.SIGUSR1))
		Expect(wait).To(Accept(unix.SIGUSR1))
		info := wait.Siginfo()
		Expect(info.Signo()).To(Equal(unix.SIGUSR1))
		Expect(info.Code()).To(Equal(actor.SI_USER))
		Expect(info.PID()).To(Equal(Must(sender.Getpid())))
		Expect(info.UID()).To(Equal(Must(sender.Getuid())))
	})

	Clause("sigwaitinfo.info-of-tgkill", func() {
		a, sender := waiterFor(unix.SIGUSR1), actor.New()

		Must(sender.Tgkill(a.PID(), a.TID(), unix.SIGUSR1))
		wait := a.Sigtimedwait([]unix.Signal{unix.SIGUSR1}, noTimeout)
		Expect(wait).To(Accept(unix.SIGUSR1))
		info := wait.Siginfo()
		Expect(info.Code()).To(Equal(actor.SI_TKILL))
		Expect(info.PID()).To(Equal(Must(sender.Getpid())))
		Expect(info.UID()).To(Equal(Must(sender.Getuid())))
	})

	Clause("sigwaitinfo.info-of-sigqueue", func() {
		for _, sig := range []unix.Signal{unix.SIGUSR1, lowRT} {
			a, sender := waiterFor(sig), actor.New()

			for _, value := range []uint64{0, 0x7fffffff, 0x1122334455667788} {
				Must(sender.Sigqueue(a.PID(), sig, value))
				wait := a.Sigtimedwait([]unix.Signal{sig}, noTimeout)
				Expect(wait).To(Accept(sig))
				info := wait.Siginfo()
				Expect(info.Signo()).To(Equal(sig))
				Expect(info.Code()).To(Equal(actor.SI_QUEUE))
				Expect(info.PID()).To(Equal(Must(sender.Getpid())))
				Expect(info.UID()).To(Equal(Must(sender.Getuid())))
				Expect(info.Value()).To(Equal(value))
			}
		}
	})

	Clause("sigwaitinfo.info-of-child", func() {
		const cldExited = 1
		a := waiterFor(unix.SIGCHLD)
		a.Handle(unix.SIGCHLD, 0)
		child := a.Fork()

		wait := beginWait(a, unix.SIGCHLD)
		child.Exit(7)
		Expect(wait).To(Accept(unix.SIGCHLD))
		info := wait.Siginfo()
		Expect(info.Signo()).To(Equal(unix.SIGCHLD))
		Expect(info.Code()).To(Equal(cldExited))
		Expect(info.PID()).To(Equal(child.PID()))
		Expect(info.Status()).To(Equal(7))
		Expect(a).To(Catch())
	})

	Clause("sigwaitinfo.realtime-lowest-first", func() {
		a, sender := waiterFor(lowRT, lowRT+1, highRT), actor.New()
		set := []unix.Signal{lowRT, lowRT + 1, highRT}

		for _, sig := range []unix.Signal{highRT, lowRT, lowRT + 1} {
			Must(sender.Kill(a.PID(), sig))
		}
		for _, sig := range set {
			Expect(a.Sigtimedwait(set, noTimeout)).To(Accept(sig))
		}
		expectNothing(a, set...)
	})

	Clause("sigwaitinfo.realtime-in-order", func() {
		a, sender := waiterFor(lowRT), actor.New()

		for value := range uint64(5) {
			Must(sender.Sigqueue(a.PID(), lowRT, 100+value))
		}
		for value := range uint64(5) {
			wait := a.Sigtimedwait([]unix.Signal{lowRT}, noTimeout)
			Expect(wait).To(Accept(lowRT))
			Expect(wait.Siginfo().Value()).To(Equal(100 + value))
		}
		expectNothing(a, lowRT)
	})

	Clause("sigwaitinfo.standard-before-realtime", func() {
		a, sender := waiterFor(unix.SIGUSR2, lowRT), actor.New()
		set := []unix.Signal{unix.SIGUSR2, lowRT}

		Must(sender.Kill(a.PID(), lowRT))
		Must(sender.Kill(a.PID(), unix.SIGUSR2))
		Expect(a.Sigtimedwait(set, noTimeout)).To(Accept(unix.SIGUSR2))
		Expect(a.Sigtimedwait(set, noTimeout)).To(Accept(lowRT))
		expectNothing(a, set...)
	})

	Clause("sigwaitinfo.all-pending-one-by-one", func() {
		set := []unix.Signal{unix.SIGUSR1, unix.SIGUSR2, unix.SIGTERM}
		a, sender := waiterFor(set...), actor.New()

		for _, sig := range set {
			Must(sender.Kill(a.PID(), sig))
		}
		var got uint64
		for range set {
			got |= acceptAny(a, set...)
		}
		Expect(got).To(Equal(actor.Mask(set...)))
		expectNothing(a, set...)
	})

	for _, flags := range []uint64{0, actor.SA_RESTART} {
		name := map[uint64]string{0: "", actor.SA_RESTART: "SA_RESTART"}[flags]
		Clause("sigwaitinfo.eintr", name, func() {
			a, sender := waiterFor(unix.SIGUSR1), actor.New()
			a.Handle(unix.SIGUSR2, flags)

			wait := beginWait(a, unix.SIGUSR1)
			Must(sender.Kill(a.PID(), unix.SIGUSR2))
			Expect(wait).To(FailWith(unix.EINTR))
			Expect(a).To(Catch(unix.SIGUSR2))
			Expect(a.Events()[0].InCall).To(BeTrue())
			Expect(a.Events()[0].Info.PID()).To(Equal(Must(sender.Getpid())))
			Expect(a.Sigprocmask(unix.SIG_BLOCK, nil).Word()).To(Equal(actor.Mask(unix.SIGUSR1)))
		})
	}

	Clause("sigwaitinfo.handler-does-not-run", func() {
		// Not even where the signal is not blocked: it never comes to be delivered.
		for _, blocked := range [][]unix.Signal{{unix.SIGUSR1}, nil} {
			a, sender := waiterFor(blocked...), actor.New()
			a.Handle(unix.SIGUSR1, 0)

			wait := beginWait(a, unix.SIGUSR1)
			Must(sender.Kill(a.PID(), unix.SIGUSR1))
			Expect(wait).To(Accept(unix.SIGUSR1))
			a.SetMask()
			Must(a.Getpid())
			Expect(a).To(Catch())
		}
	})

	Clause("sigwaitinfo.unblocked-elsewhere", func() {
		a, sender := waiterFor(unix.SIGUSR1), actor.New()
		thread := a.Thread()
		thread.SetMask()

		Expect(sender.Kill(a.PID(), unix.SIGUSR1)).To(Return(0))
		Expect(a).To(BeKilledBy(unix.SIGUSR1))
	})

	for _, ignored := range []bool{true, false} {
		name := map[bool]string{true: "ignored", false: "default"}[ignored]
		Clause("sigwaitinfo.ignored-signal", name, func() {
			sig := unix.SIGURG // whose default is to be ignored
			a, sender := waiterFor(sig, lowRT), actor.New()
			if ignored {
				a.Ignore(sig)
			}

			// Whether an ignored signal stays pending is the kernel's choice, which it has to stand by.
			Must(sender.Kill(a.PID(), sig))
			if a.PendingSignals() == 0 {
				expectNothing(a, sig)
			} else {
				Expect(a.Sigtimedwait([]unix.Signal{sig}, noTimeout)).To(Accept(sig))
			}
			expectLeft(a)
			Must(sender.Kill(a.PID(), lowRT))
			Expect(a.Sigtimedwait([]unix.Signal{sig, lowRT}, noTimeout)).To(Accept(lowRT))
		})
	}

	Clause("sigwaitinfo.kill-and-stop-ignored", func() {
		set := []unix.Signal{unix.SIGKILL, unix.SIGSTOP, unix.SIGUSR1}
		a, sender := waiterFor(unix.SIGUSR1), actor.New()

		expectNothing(a, set...)
		expectNothing(a, unix.SIGKILL, unix.SIGSTOP)
		wait := beginWait(a, set...)
		Must(sender.Kill(a.PID(), unix.SIGUSR1))
		Expect(wait).To(Accept(unix.SIGUSR1))
	})

	Clause("sigwaitinfo.stop-stops", func() {
		a, sender := waiterFor(unix.SIGUSR1), actor.New()

		beginWait(a, unix.SIGSTOP, unix.SIGUSR1)
		Must(sender.Kill(a.PID(), unix.SIGSTOP))
		Expect(a.AwaitStopped()).To(BeTrue())
	})

	Clause("sigwaitinfo.kill-kills", func() {
		a, sender := actor.New(), actor.New()

		wait := beginWait(a, unix.SIGKILL)
		Must(sender.Kill(a.PID(), unix.SIGKILL))
		Expect(wait).To(BeKilledBy(unix.SIGKILL))
	})

	Clause("sigwaitinfo.thread-and-process-pending", func() {
		a, sender := waiterFor(unix.SIGUSR1, unix.SIGUSR2), actor.New()
		thread := a.Thread()
		set := []unix.Signal{unix.SIGUSR1, unix.SIGUSR2}

		Must(sender.Tgkill(a.PID(), thread.TID(), unix.SIGUSR1))
		Must(sender.Kill(a.PID(), unix.SIGUSR2))
		got := acceptAny(thread, set...)
		got |= acceptAny(thread, set...)
		Expect(got).To(Equal(actor.Mask(set...)))
		expectNothing(thread, set...)
		expectNothing(a, set...)
	})

	Clause("sigwaitinfo.not-another-threads", func() {
		a, sender := waiterFor(unix.SIGUSR1), actor.New()
		thread := a.Thread()

		Must(sender.Tgkill(a.PID(), thread.TID(), unix.SIGUSR1))
		expectNothing(a, unix.SIGUSR1)
		wait := beginWait(a, unix.SIGUSR1)
		Expect(thread.Sigtimedwait([]unix.Signal{unix.SIGUSR1}, noTimeout)).To(Accept(unix.SIGUSR1))
		Must(sender.Tgkill(a.PID(), a.TID(), unix.SIGUSR1))
		Expect(wait).To(Accept(unix.SIGUSR1))
		expectLeft(a)
		expectLeft(thread)
	})

	Clause("sigwaitinfo.wakes-the-thread-meant", func() {
		a, sender := waiterFor(unix.SIGUSR1), actor.New()
		first, second := a.Thread(), a.Thread()

		one, two := beginWait(first, unix.SIGUSR1), beginWait(second, unix.SIGUSR1)
		Must(sender.Tgkill(a.PID(), second.TID(), unix.SIGUSR1))
		Expect(two).To(Accept(unix.SIGUSR1))
		Expect(one).To(Block())
		Must(sender.Tgkill(a.PID(), first.TID(), unix.SIGUSR1))
		Expect(one).To(Accept(unix.SIGUSR1))
	})

	Clause("sigwaitinfo.exactly-one-thread", func() {
		a, sender := waiterFor(lowRT), actor.New()
		threads := []*actor.Actor{a, a.Thread(), a.Thread()}

		for value := range uint64(4) {
			waits := make([]*actor.Call, len(threads))
			for i, t := range threads {
				waits[i] = beginWait(t, lowRT)
			}
			Must(sender.Sigqueue(a.PID(), lowRT, value))
			accepted := -1
			Eventually(func() int {
				accepted = slices.IndexFunc(waits, func(c *actor.Call) bool { return c.Done() && c.OK() })
				return accepted
			}).WithTimeout(10 * time.Second).WithPolling(100 * time.Microsecond).Should(BeNumerically(">=", 0))
			Expect(waits[accepted]).To(Accept(lowRT))
			Expect(waits[accepted].Siginfo().Value()).To(Equal(value))

			// Each of the others gets one that nobody else can accept, and no other before it.
			for i, t := range threads {
				if i == accepted {
					continue
				}
				Must(sender.Tgkill(a.PID(), t.TID(), lowRT))
				wait := waits[i]
				if wait.Errno() == unix.EINTR { // Woken in vain, which is not what this is about.
					wait = t.Sigtimedwait([]unix.Signal{lowRT}, noTimeout)
				}
				Expect(wait).To(Accept(lowRT))
				Expect(wait.Siginfo().Code()).To(Equal(actor.SI_TKILL))
			}
			for _, t := range threads {
				expectNothing(t, lowRT)
			}
		}
	})

	Clause("sigwaitinfo.others-wait-on", func() {
		a, sender := waiterFor(unix.SIGUSR1), actor.New()
		threads := []*actor.Actor{a.Thread(), a.Thread()}
		waits := []*actor.Call{beginWait(threads[0], unix.SIGUSR1), beginWait(threads[1], unix.SIGUSR1)}

		Must(sender.Kill(a.PID(), unix.SIGUSR1))
		Eventually(func() bool {
			return slices.ContainsFunc(waits, func(c *actor.Call) bool { return c.Done() && c.OK() })
		}).WithTimeout(10 * time.Second).WithPolling(100 * time.Microsecond).Should(BeTrue())
		if waits[1].Done() && waits[1].OK() {
			slices.Reverse(waits)
		}
		Expect(waits[0]).To(Accept(unix.SIGUSR1))
		Expect(waits[1]).To(Block())
		Must(sender.Kill(a.PID(), unix.SIGUSR1))
		Expect(waits[1]).To(Accept(unix.SIGUSR1))
	})

	for _, blocked := range []bool{false, true} {
		name := map[bool]string{false: "handled", true: "blocked"}[blocked]
		Clause("sigwaitinfo.not-synchronous", name, func() {
			a := actor.New()
			a.Handle(unix.SIGSEGV, 0)
			waiter := a.Thread()
			a.SetMask()
			waiter.SetMask(unix.SIGSEGV)
			wait := beginWait(waiter, unix.SIGSEGV)

			if blocked {
				a.SetMask(unix.SIGSEGV)
				Expect(a.Load(a.Unmapped(), 1)).To(BeKilledBy(unix.SIGSEGV))
				Expect(wait).To(BeKilledBy(unix.SIGSEGV))
				return
			}
			Expect(a.Load(a.Unmapped(), 1)).To(FailWith(unix.EFAULT))
			Expect(a).To(Catch(unix.SIGSEGV))
			Expect(a.Events()[0].Info.Addr()).To(Equal(a.Unmapped().Addr))
			Expect(wait).To(Block())
			Must(a.Tgkill(a.PID(), waiter.TID(), unix.SIGSEGV))
			Expect(wait).To(Accept(unix.SIGSEGV)) // which is what it waits for
			Expect(waiter).To(Catch())
		})
	}
})

var _ = Describe("sigtimedwait", func() {
	Clause("sigtimedwait.poll-none", func() {
		a, sender := waiterFor(unix.SIGUSR1, unix.SIGUSR2), actor.New()
		Must(sender.Kill(a.PID(), unix.SIGUSR2))

		Expect(a.Sigtimedwait([]unix.Signal{unix.SIGUSR1}, 0)).To(FailWith(unix.EAGAIN))
		expectLeft(a, unix.SIGUSR2)
	})

	Clause("sigtimedwait.poll-pending", func() {
		a, sender := waiterFor(lowRT), actor.New()
		Must(sender.Sigqueue(a.PID(), lowRT, 4711))

		poll := a.Sigtimedwait([]unix.Signal{lowRT}, 0)
		Expect(poll).To(Accept(lowRT))
		Expect(poll.Siginfo().Code()).To(Equal(actor.SI_QUEUE))
		Expect(poll.Siginfo().Value()).To(Equal(uint64(4711)))
		Expect(a.Sigtimedwait([]unix.Signal{lowRT}, 0)).To(FailWith(unix.EAGAIN))
	})

	Clause("sigtimedwait.eagain-not-early", func() {
		a := waiterFor(unix.SIGUSR1)

		for _, ns := range []int64{1, 999_999, shortWait} {
			before := monotonic(a)
			Expect(a.Sigtimedwait([]unix.Signal{unix.SIGUSR1}, ns)).To(FailWith(unix.EAGAIN))
			Expect(monotonic(a) - before).To(BeNumerically(">=", ns))
		}
	})

	Clause("sigtimedwait.signal-before-timeout", func() {
		a, sender := waiterFor(unix.SIGUSR1), actor.New()

		wait := a.Begin().Sigtimedwait([]unix.Signal{unix.SIGUSR1}, longTimeout)
		Expect(wait).To(Block())
		Must(sender.Kill(a.PID(), unix.SIGUSR1))
		Expect(wait).To(Accept(unix.SIGUSR1))
		Expect(wait.Siginfo().PID()).To(Equal(Must(sender.Getpid())))
		expectNothing(a, unix.SIGUSR1)
	})

	Clause("sigtimedwait.after-timeout", func() {
		a, sender := waiterFor(unix.SIGUSR1), actor.New()

		Expect(a.Sigtimedwait([]unix.Signal{unix.SIGUSR1}, 1000)).To(FailWith(unix.EAGAIN))
		Must(sender.Kill(a.PID(), unix.SIGUSR1))
		Expect(a.Sigtimedwait([]unix.Signal{unix.SIGUSR1}, 1000)).To(Accept(unix.SIGUSR1))
		expectLeft(a)
		Expect(a.Sigprocmask(unix.SIG_BLOCK, nil).Word()).To(Equal(actor.Mask(unix.SIGUSR1)))
	})

	Clause("sigtimedwait.eintr", func() {
		a, sender := waiterFor(unix.SIGUSR1), actor.New()
		a.Handle(unix.SIGUSR2, actor.SA_RESTART)

		wait := a.Begin().Sigtimedwait([]unix.Signal{unix.SIGUSR1}, longTimeout)
		Expect(wait).To(Block())
		Must(sender.Kill(a.PID(), unix.SIGUSR2))
		Expect(wait).To(FailWith(unix.EINTR))
		Expect(a).To(Catch(unix.SIGUSR2))
		Expect(a.Events()[0].Info.PID()).To(Equal(Must(sender.Getpid())))
	})

	for _, invalid := range []struct {
		name      string
		sec, nsec int64
	}{
		{"nanoseconds too many", 0, 1_000_000_000}, {"nanoseconds negative", 0, -1}, {"seconds negative", -1, 0},
	} {
		Clause("sigtimedwait.einval", invalid.name, func() {
			a, sender := waiterFor(unix.SIGUSR1), actor.New()
			info := a.Alloc(128)
			wait := func(sec, nsec int64) *actor.Call {
				return a.Raw(unix.SYS_RT_SIGTIMEDWAIT, a.Sigset(unix.SIGUSR1), info, timespecOf(sec, nsec), 8)
			}
			Expect(wait(invalid.sec, invalid.nsec)).To(FailWith(unix.EINVAL))

			Must(sender.Kill(a.PID(), unix.SIGUSR1))
			Expect(wait(invalid.sec, invalid.nsec)).To(FailWith(unix.EINVAL))
			expectLeft(a, unix.SIGUSR1)
			Expect(info.Uint32(0)).To(BeZero())
			Expect(wait(0, 999_999_999)).To(Return(int(unix.SIGUSR1)))
			Expect(info.Uint32(0)).To(Equal(uint32(unix.SIGUSR1)))
			expectLeft(a)
		})
	}

	Clause("sigtimedwait.set-size", func() {
		a, sender := waiterFor(unix.SIGUSR1), actor.New()
		Must(sender.Kill(a.PID(), unix.SIGUSR1))
		set := a.Alloc(16)
		set.PutUint64(0, actor.Bit(unix.SIGUSR1))

		for _, size := range []int{0, 4, 7, 9, 16, 128} {
			Expect(a.Raw(unix.SYS_RT_SIGTIMEDWAIT, set, actor.Null, actor.Null, size)).To(FailWith(unix.EINVAL))
		}
		expectLeft(a, unix.SIGUSR1)
		Expect(a.Raw(unix.SYS_RT_SIGTIMEDWAIT, set, actor.Null, actor.Null, 8)).To(Return(int(unix.SIGUSR1)))
	})

	Clause("sigtimedwait.efault", func() {
		a, sender := waiterFor(unix.SIGUSR1), actor.New()
		Must(sender.Kill(a.PID(), unix.SIGUSR1))
		set, bad := a.Sigset(unix.SIGUSR1), a.Unmapped()

		Expect(a.Raw(unix.SYS_RT_SIGTIMEDWAIT, bad, actor.Null, actor.Null, 8)).To(FailWith(unix.EFAULT))
		Expect(a.Raw(unix.SYS_RT_SIGTIMEDWAIT, actor.Null, actor.Null, actor.Null, 8)).To(FailWith(unix.EFAULT))
		Expect(a.Raw(unix.SYS_RT_SIGTIMEDWAIT, set, actor.Null, bad, 8)).To(FailWith(unix.EFAULT))
		expectLeft(a, unix.SIGUSR1)
		Expect(a.Raw(unix.SYS_RT_SIGTIMEDWAIT, set, bad, actor.Null, 8)).To(FailWith(unix.EFAULT))
	})
})

var _ = Describe("sigwait", func() {
	// What sigwait(3) asks of the kernel: no siginfo_t, no timeout.
	sigwait := func(by actor.Caller, set actor.Mem) *actor.Call {
		return by.Raw(unix.SYS_RT_SIGTIMEDWAIT, set, actor.Null, actor.Null, 8)
	}

	Clause("sigwait.sleeps-and-accepts", func() {
		a, sender := waiterFor(unix.SIGUSR1, lowRT), actor.New()
		set := a.Sigset(unix.SIGUSR1, lowRT)

		for _, sig := range []unix.Signal{unix.SIGUSR1, lowRT} {
			wait := sigwait(a.Begin(), set)
			Expect(wait).To(Block())
			Must(sender.Kill(a.PID(), sig))
			Expect(wait).To(Return(int(sig)))
			expectLeft(a)
		}
	})

	Clause("sigwait.only-the-set", func() {
		a, sender := waiterFor(unix.SIGUSR1, unix.SIGUSR2), actor.New()
		set := a.Sigset(unix.SIGUSR1)

		Must(sender.Kill(a.PID(), unix.SIGUSR2))
		wait := sigwait(a.Begin(), set)
		Expect(wait).To(Block())
		Must(sender.Kill(a.PID(), unix.SIGUSR1))
		Expect(wait).To(Return(int(unix.SIGUSR1)))
		expectLeft(a, unix.SIGUSR2)
	})

	Clause("sigwait.unblocked-not-pending", func() {
		a, sender := waiterFor(unix.SIGUSR2), actor.New()
		a.Handle(unix.SIGUSR1, 0)

		Must(sender.Kill(a.PID(), unix.SIGUSR1))
		Expect(a).To(Catch(unix.SIGUSR1))
		Expect(a.Events()[0].Info.PID()).To(Equal(Must(sender.Getpid())))
		wait := sigwait(a.Begin(), a.Sigset(unix.SIGUSR1, unix.SIGUSR2))
		Expect(wait).To(Block())
		Must(sender.Kill(a.PID(), unix.SIGUSR2))
		Expect(wait).To(Return(int(unix.SIGUSR2)))
		Expect(a).To(Catch(unix.SIGUSR1))
	})
})
