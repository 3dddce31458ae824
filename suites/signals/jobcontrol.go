package signals

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// The stop signals that a process may do something about.
var negotiableStops = []unix.Signal{unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU}

var _ = Describe("Stopping and continuing", func() {
	for _, sig := range negotiableStops {
		Clause("signal.sigcont-discards-stop", actor.SignalName(sig), func() {
			_, child, sender := familyOf()
			blockSignals(child, sig)
			Expect(sender.Kill(child.PID(), sig)).To(Return(0))
			expectPendingSet(child, sig)
			Expect(sender.Kill(child.PID(), unix.SIGCONT)).To(Return(0))
			expectPendingSet(child)
			Expect(sender.Tgkill(child.PID(), child.TID(), sig)).To(Return(0))
			expectPendingSet(child, sig)
			Expect(sender.Kill(child.PID(), unix.SIGCONT)).To(Return(0))
			expectPendingSet(child)
			unblockAll(child)
			Expect(child.Getpid()).To(Return(child.PID()))
			Expect(child.Stopped()).To(BeFalse())
		})

		Clause("signal.stop-discards-sigcont", actor.SignalName(sig), func() {
			_, child, sender := familyOf()
			child.Handle(unix.SIGCONT, 0)
			blockSignals(child, unix.SIGCONT, sig)
			Expect(sender.Kill(child.PID(), unix.SIGCONT)).To(Return(0))
			expectPendingSet(child, unix.SIGCONT)

			Expect(sender.Kill(child.PID(), sig)).To(Return(0))
			expectPendingSet(child, sig)
			unblockSignals(child, unix.SIGCONT)
			Expect(settledSignals(child)).To(BeEmpty())
		})

		Clause("signal.stop-caught", actor.SignalName(sig), func() {
			_, child, sender := familyOf()
			child.Handle(sig, 0)

			Expect(sender.Kill(child.PID(), sig)).To(Return(0))
			expectCaughtFrom(child, sender, sig)
			Expect(child.Getpid()).To(Return(child.PID()))
		})

		Clause("signal.stop-ignored", actor.SignalName(sig), func() {
			parent, child, sender := familyOf()
			child.Ignore(sig)

			Expect(sender.Kill(child.PID(), sig)).To(Return(0))
			Expect(child.Getpid()).To(Return(child.PID()))
			Expect(parent.Wait4(child.PID(), unix.WUNTRACED|unix.WNOHANG)).To(Return(0))
			child.Default(sig)
			Expect(child.Getpid()).To(Return(child.PID()))
			// The same one stops it now.
			Expect(sender.Kill(child.PID(), sig)).To(Return(0))
			Expect(waitStatus(parent, child, unix.WUNTRACED)).To(Equal(stoppedBy(sig)))
		})

		Clause("signal.orphaned-group-not-stopped", actor.SignalName(sig), func() {
			a := actor.New() // whose parent is in another session
			sender := actor.New()
			a.Handle(unix.SIGUSR1, 0)

			sleeping := beginPause(a)
			Expect(sender.Kill(a.PID(), sig)).To(Return(0))
			Expect(sleeping).To(Block())
			Must(sender.Kill(a.PID(), unix.SIGUSR1))
			Expect(sleeping).To(FailWith(unix.EINTR))
			expectPendingSet(a)
			// SIGSTOP does.
			Expect(sender.Kill(a.PID(), unix.SIGSTOP)).To(Return(0))
			Expect(a.AwaitStopped()).To(BeTrue())
		})
	}

	for _, way := range []string{"blocked", "ignored", "caught"} {
		Clause("signal.sigcont-continues-anyway", way, func() {
			parent, child, sender := familyOf()
			switch way {
			case "blocked":
				blockSignals(child, unix.SIGCONT)
			case "ignored":
				child.Ignore(unix.SIGCONT)
			case "caught":
				child.Handle(unix.SIGCONT, 0)
			}
			Must(sender.Kill(child.PID(), unix.SIGSTOP))
			Expect(waitStatus(parent, child, unix.WUNTRACED)).To(Equal(stoppedBy(unix.SIGSTOP)))

			Expect(sender.Kill(child.PID(), unix.SIGCONT)).To(Return(0))
			Expect(waitStatus(parent, child, unix.WCONTINUED)).To(Equal(continued))
			Expect(child.Getpid()).To(Return(child.PID()))
			switch way {
			case "blocked":
				expectPendingSet(child, unix.SIGCONT)
			case "ignored":
				expectPendingSet(child)
			case "caught":
				expectCaughtFrom(child, sender, unix.SIGCONT)
			}
		})
	}

	Clause("signal.stopped-keeps-signals", func() {
		parent, child, sender := familyOf()
		child.Handle(unix.SIGUSR1, 0)
		Must(sender.Kill(child.PID(), unix.SIGSTOP))
		Expect(waitStatus(parent, child, unix.WUNTRACED)).To(Equal(stoppedBy(unix.SIGSTOP)))

		Expect(sender.Kill(child.PID(), unix.SIGUSR1)).To(Return(0))
		Must(sender.Getpid())
		Expect(child.Events()).To(BeEmpty())
		Expect(sender.Kill(child.PID(), unix.SIGCONT)).To(Return(0))
		expectCaughtFrom(child, sender, unix.SIGUSR1)
	})

	Clause("signal.stop-told-once", func() {
		parent, child, sender := familyOf()
		Must(sender.Kill(child.PID(), unix.SIGSTOP))
		Expect(waitStatus(parent, child, unix.WUNTRACED)).To(Equal(stoppedBy(unix.SIGSTOP)))

		Expect(sender.Kill(child.PID(), unix.SIGSTOP)).To(Return(0))
		Expect(sender.Kill(child.PID(), unix.SIGTSTP)).To(Return(0))
		Expect(parent.Wait4(child.PID(), unix.WUNTRACED|unix.WNOHANG)).To(Return(0))
		// And it takes no more than one SIGCONT to undo.
		Must(sender.Kill(child.PID(), unix.SIGCONT))
		Expect(waitStatus(parent, child, unix.WCONTINUED)).To(Equal(continued))
		Expect(child.Getpid()).To(Return(child.PID()))
	})

	for _, way := range []string{"stopped", "running"} {
		Clause("signal.newly-orphaned-group", way, func() {
			leader := actor.New()
			parent := leader.Fork()
			Must(parent.Setpgid(0, 0))
			orphan := parent.Fork()
			Must(orphan.Setpgid(0, 0))
			handleInTurn(orphan, unix.SIGHUP, unix.SIGCONT)
			if way == "stopped" {
				Must(leader.Kill(orphan.PID(), unix.SIGSTOP))
				Expect(waitStatus(parent, orphan, unix.WUNTRACED)).To(Equal(stoppedBy(unix.SIGSTOP)))
			}

			Expect(leader.Kill(parent.PID(), unix.SIGKILL)).To(Return(0))
			Expect(waitStatus(leader, parent, 0)).To(Equal(killedBy(unix.SIGKILL)))
			if way == "running" {
				Expect(settledSignals(orphan)).To(BeEmpty())
				return
			}
			orphan.AwaitEvents(2)
			Expect(settledSignals(orphan)).To(ConsistOf(unix.SIGHUP, unix.SIGCONT))
			for _, e := range orphan.Events() {
				Expect(e.Info.Code()).To(Equal(actor.SI_KERNEL))
			}
		})
	}
})
