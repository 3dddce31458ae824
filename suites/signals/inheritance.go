package signals

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

const (
	isDefault = 0 // SIG_DFL
	isIgnored = 1 // SIG_IGN
)

// dispositionOf returns sa_handler of a signal: isDefault, isIgnored or the address of a handler.
func dispositionOf(a *actor.Actor, sig unix.Signal) int {
	GinkgoHelper()
	action := a.Alloc(32)
	Expect(a.Raw(unix.SYS_RT_SIGACTION, sig, nil, action, 8)).To(Return(0))
	return int(action.Uint64(0))
}

// executeProgram has the actor execute its program, and looks that it has: what was caught is not
// any more.
func executeProgram(a *actor.Actor) {
	GinkgoHelper()
	Must(a.Sigaction(unix.SIGWINCH, actor.SA_SIGINFO, 0))
	Expect(dispositionOf(a, unix.SIGWINCH)).To(BeNumerically(">", isIgnored))
	a.Exec()
	Expect(dispositionOf(a, unix.SIGWINCH)).To(Equal(isDefault))
}

// setDisposition has a signal ignored (isIgnored) or take its default action (isDefault).
func setDisposition(a *actor.Actor, sig unix.Signal, disposition byte) *actor.Call {
	return a.Raw(unix.SYS_RT_SIGACTION, sig, append([]byte{disposition}, make([]byte, 31)...), nil, 8)
}

var _ = Describe("The disposition of a signal", func() {
	for _, sig := range standardAndRealTime {
		Clause("signal.disposition-three-kinds", actor.SignalName(sig), func() {
			a := actor.New()
			sender := a.Fork()
			Expect(dispositionOf(a, sig)).To(Equal(isDefault))

			Expect(a.Sigaction(sig, actor.SA_SIGINFO, 0)).To(Return(0))
			Expect(sender.Kill(a.PID(), sig)).To(Return(0))
			expectCaughtFrom(a, sender, sig)
			Expect(setDisposition(a, sig, isIgnored)).To(Return(0))
			Expect(dispositionOf(a, sig)).To(Equal(isIgnored))
			Expect(sender.Kill(a.PID(), sig)).To(Return(0))
			Expect(settledSignals(a)).To(HaveLen(1))
			Expect(a.Sigaction(sig, actor.SA_SIGINFO, 0)).To(Return(0))
			Expect(sender.Kill(a.PID(), sig)).To(Return(0))
			expectCaughtFrom(a, sender, sig, sig)
			Expect(setDisposition(a, sig, isDefault)).To(Return(0))
			Expect(dispositionOf(a, sig)).To(Equal(isDefault))
			Expect(sender.Kill(a.PID(), sig)).To(Return(0))
			Expect(a).To(BeKilledBy(sig))
		})
	}

	Clause("signal.disposition-decides-at-delivery", func() {
		a := actor.New()
		sender := a.Fork()
		blockSignals(a, unix.SIGUSR1)
		Expect(sender.Kill(a.PID(), unix.SIGUSR1)).To(Return(0))

		// It was to end the process when it was sent.
		Expect(a.Sigaction(unix.SIGUSR1, actor.SA_SIGINFO, 0)).To(Return(0))
		unblockAll(a)
		expectCaughtFrom(a, sender, unix.SIGUSR1)
	})

	Clause("signal.ignored-wakes-nobody", func() {
		a := actor.New()
		sender := a.Fork()
		a.Handle(unix.SIGUSR2, 0)
		Expect(setDisposition(a, unix.SIGUSR1, isIgnored)).To(Return(0))

		sleeping := beginPause(a)
		Expect(sender.Kill(a.PID(), unix.SIGUSR1)).To(Return(0))
		Expect(sleeping).To(Block())
		Must(sender.Kill(a.PID(), unix.SIGUSR2))
		Expect(sleeping).To(FailWith(unix.EINTR))
		expectCaughtFrom(a, sender, unix.SIGUSR2)
	})

	Clause("signal.disposition-per-process", func() {
		a := actor.New()
		thread := a.Thread()
		sender := actor.New()

		Expect(thread.Sigaction(unix.SIGUSR1, actor.SA_SIGINFO, 0)).To(Return(0))
		Expect(setDisposition(thread, unix.SIGUSR2, isIgnored)).To(Return(0))
		Expect(dispositionOf(a, unix.SIGUSR1)).To(Equal(dispositionOf(thread, unix.SIGUSR1)))
		Expect(dispositionOf(a, unix.SIGUSR2)).To(Equal(isIgnored))
		Expect(sender.Tgkill(a.PID(), a.TID(), unix.SIGUSR1)).To(Return(0))
		Expect(a).To(Catch(unix.SIGUSR1))
		Expect(setDisposition(a, unix.SIGUSR1, isDefault)).To(Return(0))
		Expect(dispositionOf(thread, unix.SIGUSR1)).To(Equal(isDefault))
	})

	Clause("signal.disposition-inherited-by-fork", func() {
		a := actor.New()
		Expect(a.Sigaction(unix.SIGUSR1, actor.SA_SIGINFO, 0)).To(Return(0))
		Expect(setDisposition(a, unix.SIGUSR2, isIgnored)).To(Return(0))

		child := a.Fork()
		Expect(dispositionOf(child, unix.SIGUSR1)).To(Equal(dispositionOf(a, unix.SIGUSR1)))
		Expect(dispositionOf(child, unix.SIGUSR2)).To(Equal(isIgnored))
		Expect(dispositionOf(child, unix.SIGTERM)).To(Equal(isDefault))
		Expect(a.Kill(child.PID(), unix.SIGUSR2)).To(Return(0))
		Expect(a.Kill(child.PID(), unix.SIGUSR1)).To(Return(0))
		expectCaughtFrom(child, a, unix.SIGUSR1)
	})

	Clause("signal.disposition-copied-by-fork", func() {
		a := actor.New()
		Expect(a.Sigaction(unix.SIGUSR1, actor.SA_SIGINFO, 0)).To(Return(0))
		child := a.Fork()

		Expect(setDisposition(child, unix.SIGUSR1, isIgnored)).To(Return(0))
		Expect(child.Kill(a.PID(), unix.SIGUSR1)).To(Return(0))
		expectCaughtFrom(a, child, unix.SIGUSR1)
		Expect(setDisposition(a, unix.SIGUSR1, isDefault)).To(Return(0))
		Expect(dispositionOf(child, unix.SIGUSR1)).To(Equal(isIgnored))
	})

	Clause("signal.handled-is-default-after-exec", func() {
		a := actor.New()
		sender := actor.New()
		Expect(a.Sigaction(unix.SIGUSR1, actor.SA_SIGINFO, 0)).To(Return(0))
		Expect(a.Sigaction(40, actor.SA_SIGINFO, 0)).To(Return(0))
		Expect(dispositionOf(a, unix.SIGUSR1)).To(BeNumerically(">", isIgnored))
		Expect(dispositionOf(a, 40)).To(Equal(dispositionOf(a, unix.SIGUSR1)))

		executeProgram(a)
		Expect(dispositionOf(a, unix.SIGUSR1)).To(Equal(isDefault))
		Expect(dispositionOf(a, 40)).To(Equal(isDefault))
		Expect(sender.Kill(a.PID(), unix.SIGUSR1)).To(Return(0))
		Expect(a).To(BeKilledBy(unix.SIGUSR1))
	})

	Clause("signal.ignored-stays-after-exec", func() {
		a := actor.New()
		sender := actor.New()
		Expect(setDisposition(a, unix.SIGUSR1, isIgnored)).To(Return(0))
		Expect(setDisposition(a, 40, isIgnored)).To(Return(0))

		executeProgram(a)
		Expect(dispositionOf(a, unix.SIGUSR1)).To(Equal(isIgnored))
		Expect(dispositionOf(a, 40)).To(Equal(isIgnored))
		Expect(dispositionOf(a, unix.SIGUSR2)).To(Equal(isDefault))
		Expect(sender.Kill(a.PID(), unix.SIGUSR1)).To(Return(0))
		Expect(a.Getpid()).To(Return(a.PID()))
	})
})

var _ = Describe("The mask", func() {
	Clause("signal.mask-inherited-by-fork", func() {
		a := actor.New()
		blockSignals(a, unix.SIGUSR1, 40)

		child := a.Fork()
		expectMaskIs(child, unix.SIGUSR1, 40)
		Expect(a.Kill(child.PID(), unix.SIGUSR1)).To(Return(0))
		expectPendingSet(child, unix.SIGUSR1)
		unblockSignals(child, 40)
		expectMaskIs(a, unix.SIGUSR1, 40)
	})

	Clause("signal.mask-preserved-by-exec", func() {
		a := actor.New()
		blockSignals(a, unix.SIGUSR1, 40, unix.SIGTERM)

		executeProgram(a)
		expectMaskIs(a, unix.SIGUSR1, 40, unix.SIGTERM)
		Expect(actor.New().Kill(a.PID(), unix.SIGTERM)).To(Return(0))
		expectPendingSet(a, unix.SIGTERM)
	})
})

var _ = Describe("Pending signals", func() {
	Clause("signal.nothing-pending-after-fork", func() {
		a := actor.New()
		blockSignals(a, unix.SIGUSR1, unix.SIGUSR2, 40)
		sender := actor.New()
		Must(sender.Kill(a.PID(), unix.SIGUSR1))
		Must(sender.Tgkill(a.PID(), a.TID(), unix.SIGUSR2))
		Must(sender.Sigqueue(a.PID(), 40, 1))

		child := a.Fork()
		expectPendingSet(child)
		unblockAll(child)
		Expect(child.Getpid()).To(Return(child.PID()))
		expectPendingSet(a, unix.SIGUSR1, unix.SIGUSR2, 40)
	})

	Clause("signal.nothing-pending-in-new-thread", func() {
		a := actor.New()
		blockSignals(a, unix.SIGUSR1, unix.SIGUSR2)
		sender := actor.New()
		Must(sender.Tgkill(a.PID(), a.TID(), unix.SIGUSR1))
		Must(sender.Kill(a.PID(), unix.SIGUSR2))

		thread := a.Thread()
		expectPendingSet(thread, unix.SIGUSR2) // which is the process's
		expectPendingSet(a, unix.SIGUSR1, unix.SIGUSR2)
	})

	Clause("signal.pending-preserved-by-exec", func() {
		a := actor.New()
		sender := actor.New()
		blockSignals(a, unix.SIGUSR1, unix.SIGUSR2, 40)
		Expect(sender.Kill(a.PID(), unix.SIGUSR1)).To(Return(0))
		Expect(sender.Tgkill(a.PID(), a.TID(), unix.SIGUSR2)).To(Return(0))
		queue(sender, a, 40, 7, 5)

		executeProgram(a)
		expectPendingSet(a, unix.SIGUSR1, unix.SIGUSR2, 40)
		for _, value := range []uint64{7, 5} {
			wait := a.Sigtimedwait(actor.Mask(40), 0)
			Expect(wait).To(Return(40))
			Expect(wait.Siginfo().Signo()).To(Equal(unix.Signal(40)))
			Expect(wait.Siginfo().Value()).To(Equal(value))
			Expect(wait.Siginfo().PID()).To(Equal(sender.PID()))
		}
		expectPendingSet(a, unix.SIGUSR1, unix.SIGUSR2)
	})

	Clause("signal.pending-handled-is-default-after-exec", func() {
		a := actor.New()
		sender := actor.New()
		Must(a.Sigaction(unix.SIGUSR1, actor.SA_SIGINFO, 0))
		blockSignals(a, unix.SIGUSR1)
		Expect(sender.Kill(a.PID(), unix.SIGUSR1)).To(Return(0))

		executeProgram(a)
		expectPendingSet(a, unix.SIGUSR1)
		Expect(a.Sigprocmask(unix.SIG_UNBLOCK, actor.Mask(unix.SIGUSR1))).To(BeKilledBy(unix.SIGUSR1))
	})
})
