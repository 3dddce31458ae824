package signals

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

var _ = Describe("A system call that a handler interrupts", func() {
	for _, call := range restartable {
		Clause("signal.restart-"+call.name, func() {
			a := actor.New()
			s := call.prepare(a)
			a.Handle(unix.SIGUSR1, actor.SA_RESTART)

			sleeping := s.begin()
			Expect(sleeping).To(Block())
			Must(s.other.Kill(a.PID(), unix.SIGUSR1))
			expectCaughtFrom(a, s.other, unix.SIGUSR1)
			Expect(sleeping).To(Block())
			s.expectEnd(sleeping)
		})

		Clause("signal.eintr-"+call.name, func() {
			a := actor.New()
			expectSleepInterrupted(a, call.prepare(a), 0)
		})
	}

	for _, call := range neverRestarted {
		Clause("signal.never-restarted-"+call.name, "with SA_RESTART", func() {
			a := actor.New()
			expectSleepInterrupted(a, call.prepare(a), actor.SA_RESTART)
		})
		Clause("signal.never-restarted-"+call.name, "without SA_RESTART", func() {
			a := actor.New()
			expectSleepInterrupted(a, call.prepare(a), 0)
		})
	}
})

// expectSleepInterrupted checks that a call fails with EINTR when a handler has run, and that this has
// changed nothing: the call sleeps and ends as usual when it is made again.
func expectSleepInterrupted(a *actor.Actor, s sleep, flags uint64) {
	GinkgoHelper()
	a.Handle(unix.SIGUSR1, flags)
	sleeping := s.begin()
	Expect(sleeping).To(Block())
	Must(s.other.Kill(a.PID(), unix.SIGUSR1))
	Expect(sleeping).To(FailWith(unix.EINTR))
	expectCaughtFrom(a, s.other, unix.SIGUSR1)

	again := s.begin()
	Expect(again).To(Block())
	s.expectEnd(again)
}

// expectCaughtFrom checks that the actor has caught just these signals, sent by another one's kill.
func expectCaughtFrom(a, sender *actor.Actor, sigs ...unix.Signal) {
	GinkgoHelper()
	Expect(a).To(Catch(sigs...))
	for _, e := range a.Events() {
		Expect(e.Info.Code()).To(Equal(actor.SI_USER))
		Expect(e.Info.PID()).To(Equal(sender.PID()))
	}
}

// stopEnds are the calls that fail with EINTR when the process was stopped and continued.
var stopEnds = map[string]bool{
	"accept-rcvtimeo": true, "recvfrom-rcvtimeo": true, "recvmsg-rcvtimeo": true, "recvmmsg-rcvtimeo": true,
	"connect-sndtimeo": true, "sendto-sndtimeo": true, "sendmsg-sndtimeo": true, "epoll-wait": true, "epoll-pwait": true,
	"semop": true, "semtimedop": true, "sigtimedwait": true, "sigwaitinfo": true, "io-getevents": true,
}

var _ = Describe("A system call of a process that is stopped and continued", func() {
	for _, calls := range [][]sleeper{restartable, neverRestarted} {
		for _, call := range calls {
			if stopEnds[call.name] {
				Clause("signal.stop-eintr-"+call.name, func() {
					a := actor.New()
					s := call.prepare(a)

					sleeping := s.begin()
					Expect(sleeping).To(Block())
					stopAndContinue(s.other, a)
					Expect(sleeping).To(FailWith(unix.EINTR))
					again := s.begin()
					Expect(again).To(Block())
					s.expectEnd(again)
				})
				continue
			}
			Clause("signal.stop-asleep-"+call.name, func() {
				a := actor.New()
				s := call.prepare(a)

				sleeping := s.begin()
				Expect(sleeping).To(Block())
				stopAndContinue(s.other, a)
				Expect(sleeping).To(Block())
				s.expectEnd(sleeping)
			})
		}
	}
})

// stopAndContinue has a process stopped, and sees it so, and continued.
func stopAndContinue(sender, a *actor.Actor) {
	GinkgoHelper()
	Must(sender.Kill(a.PID(), unix.SIGSTOP))
	Expect(a.AwaitStopped()).To(BeTrue())
	Must(sender.Kill(a.PID(), unix.SIGCONT))
}
