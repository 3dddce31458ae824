package signals

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// childStops are the signals that stop a process.
var childStops = []unix.Signal{unix.SIGSTOP, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU}

// childOf forks a child into a process group of its own, which is not orphaned, so that terminal stop
// signals stop it.
func childOf(parent *actor.Actor) *actor.Actor {
	child := parent.Fork()
	Must(child.Setpgid(0, 0))
	return child
}

// expectSIGCHLD checks the next SIGCHLD that an actor catches.
func expectSIGCHLD(parent, child *actor.Actor, code, status int) {
	GinkgoHelper()
	e := parent.NextEvent()
	Expect(e.Signal).To(Equal(unix.SIGCHLD))
	Expect(e.Info.Signo()).To(Equal(unix.SIGCHLD))
	Expect(e.Info.Code()).To(Equal(code), "si_code")
	Expect(e.Info.PID()).To(Equal(child.PID()), "si_pid")
	Expect(e.Info.Status()).To(Equal(status), "si_status")
	Expect(e.Info.UID()).To(Equal(Must(parent.Getuid())), "si_uid")
}

// stopChildAndContinue has a child stop and go on. When this returns, everybody has been told.
func stopChildAndContinue(parent, child *actor.Actor, sig unix.Signal) {
	GinkgoHelper()
	Must(parent.Kill(child.PID(), sig))
	Expect(child.AwaitStopped()).To(BeTrue())
	Must(parent.Kill(child.PID(), unix.SIGCONT))
	Must(child.Getpid())
	Must(parent.Getpid())
}

var _ = Describe("The action of SIGCHLD", func() {
	const usr1 = unix.SIGUSR1

	for _, sig := range childStops {
		Clause("sigaction.nocldstop", actor.SignalName(sig), func() {
			parent := actor.New()
			child := childOf(parent)
			setAction(parent, unix.SIGCHLD, recordingSiginfo(actor.SA_NOCLDSTOP), noAction)

			stopChildAndContinue(parent, child, sig)
			Expect(parent.Events()).To(BeEmpty())
			child.Exit(3)
			expectSIGCHLD(parent, child, cldExited, 3)
			Expect(parent.Events()).To(HaveLen(1))
		})

		Clause("sigaction.cldstop", actor.SignalName(sig), func() {
			parent := actor.New()
			child := childOf(parent)
			setAction(parent, unix.SIGCHLD, recordingSiginfo(0), noAction)

			Must(parent.Kill(child.PID(), sig))
			expectSIGCHLD(parent, child, cldStopped, int(sig))
			Must(parent.Kill(child.PID(), unix.SIGCONT))
			expectSIGCHLD(parent, child, cldContinued, int(unix.SIGCONT))
			Expect(parent.Events()).To(HaveLen(2))
		})
	}

	Clause("sigaction.nocldstop-waits", func() {
		parent := actor.New()
		child := childOf(parent)
		setAction(parent, unix.SIGCHLD, recordingSiginfo(actor.SA_NOCLDSTOP), noAction)

		Must(parent.Kill(child.PID(), unix.SIGSTOP))
		wait := parent.Waitid(unix.P_PID, child.PID(), unix.WSTOPPED)
		Expect(wait).To(Return(0))
		expectChild(wait, child, cldStopped, int(unix.SIGSTOP))
		Expect(wait.Siginfo().UID()).To(Equal(Must(parent.Getuid())))
		Expect(parent.Events()).To(BeEmpty())
		Must(parent.Kill(child.PID(), unix.SIGCONT))
		child.Exit(3)
		expectSIGCHLD(parent, child, cldExited, 3)
		Expect(parent).To(Catch(unix.SIGCHLD))
	})

	Clause("sigaction.nocldstop-other-signal", func() {
		parent := actor.New()
		child := childOf(parent)
		setAction(parent, usr1, recordingSiginfo(actor.SA_NOCLDSTOP), noAction)
		setAction(parent, unix.SIGCHLD, recordingSiginfo(0), noAction)

		Must(parent.Kill(child.PID(), unix.SIGSTOP))
		expectSIGCHLD(parent, child, cldStopped, int(unix.SIGSTOP))
		Expect(actionOf(parent, usr1)).To(Equal(recordingSiginfo(actor.SA_NOCLDSTOP)))
		Expect(parent).To(Catch(unix.SIGCHLD))
	})

	// endsUnseen checks that nothing is left of a child that ends.
	endsUnseen := func(parent *actor.Actor) (pid int) {
		GinkgoHelper()
		child := parent.Fork()
		child.Exit(3)
		Expect(parent.Wait4(child.PID(), 0)).To(FailWith(unix.ECHILD))
		Expect(parent.Wait4(-1, unix.WNOHANG)).To(FailWith(unix.ECHILD))
		return child.PID()
	}

	// endsAsZombie checks that a child that ends can be waited for.
	endsAsZombie := func(parent *actor.Actor) (pid int) {
		GinkgoHelper()
		child := parent.Fork()
		child.Exit(3)
		wait := parent.Wait4(child.PID(), 0)
		Expect(wait).To(Return(child.PID()))
		Expect(wait.Int()).To(Equal(3 << 8))
		return child.PID()
	}

	Clause("sigaction.nocldwait", func() {
		parent := actor.New()
		setAction(parent, unix.SIGCHLD, recordingSiginfo(actor.SA_NOCLDWAIT), noAction)

		unseen := endsUnseen(parent)
		setAction(parent, unix.SIGCHLD, recordingSiginfo(0), recordingSiginfo(actor.SA_NOCLDWAIT))
		zombie := endsAsZombie(parent)
		Expect(parent).To(Catch(unix.SIGCHLD, unix.SIGCHLD))
		for i, pid := range []int{unseen, zombie} {
			Expect(parent.Events()[i].Info.Code()).To(Equal(cldExited))
			Expect(parent.Events()[i].Info.PID()).To(Equal(pid))
		}
	})

	Clause("sigaction.nocldwait-signal", func() {
		parent := actor.New()
		setAction(parent, unix.SIGCHLD, recordingSiginfo(actor.SA_NOCLDWAIT), noAction)

		child := parent.Fork()
		child.Exit(3)
		expectSIGCHLD(parent, child, cldExited, 3)
		Expect(parent.Wait4(child.PID(), 0)).To(FailWith(unix.ECHILD))
		Expect(parent.Events()).To(HaveLen(1))
	})

	Clause("sigaction.nocldwait-default", func() {
		parent := actor.New()
		noWait := actor.Disposition{Flags: actor.SA_NOCLDWAIT}
		setAction(parent, unix.SIGCHLD, noWait, noAction)

		endsUnseen(parent)
		setAction(parent, unix.SIGCHLD, noAction, noWait)
		endsAsZombie(parent)
	})

	Clause("sigaction.nocldwait-other-signal", func() {
		parent := actor.New()
		setAction(parent, usr1, recordingSiginfo(actor.SA_NOCLDWAIT), noAction)

		Expect(actionOf(parent, usr1)).To(Equal(recordingSiginfo(actor.SA_NOCLDWAIT)))
		endsAsZombie(parent)
	})

	Clause("sigaction.ignored-sigchld", func() {
		parent := actor.New()
		ignore := actor.Disposition{Handler: actor.SIG_IGN}
		setAction(parent, unix.SIGCHLD, ignore, noAction)

		endsUnseen(parent)
		setAction(parent, unix.SIGCHLD, noAction, ignore)
		endsAsZombie(parent)
	})

	Clause("sigaction.nocldwait-wait-blocks", func() {
		parent := actor.New()
		setAction(parent, unix.SIGCHLD, actor.Disposition{Flags: actor.SA_NOCLDWAIT}, noAction)
		one, other := parent.Fork(), parent.Fork()

		wait := parent.Begin().Wait4(-1, 0)
		Expect(wait).To(Block())
		one.Exit(0)
		Expect(wait).To(Block())
		other.Exit(0)
		Expect(wait).To(FailWith(unix.ECHILD))
	})
})
