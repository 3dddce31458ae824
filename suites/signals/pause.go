package signals

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// beginPause has the actor call pause and sees it asleep there.
func beginPause(a *actor.Actor) *actor.Call {
	pause := a.Begin().Raw(unix.SYS_PAUSE)
	ExpectWithOffset(1, pause).To(Block())
	return pause
}

var _ = Describe("pause", func() {
	Clause("pause.sleeps", func() {
		a := actor.New()
		sender := actor.New()
		a.Handle(unix.SIGUSR1, 0)

		pause := beginPause(a)
		Must(sender.Kill(a.PID(), unix.SIGUSR1))
		Expect(pause).To(FailWith(unix.EINTR))
		Expect(a).To(Catch(unix.SIGUSR1))
		Expect(a.Events()[0].InCall).To(BeTrue())
	})

	for name, flags := range map[string]uint64{"": 0, "SA_RESTART": actor.SA_RESTART} {
		Clause("pause.eintr-after-handler", name, func() {
			a := actor.New()
			sender := actor.New()
			a.Handle(unix.SIGUSR1, flags)

			pause := beginPause(a)
			Must(sender.Kill(a.PID(), unix.SIGUSR1))
			Expect(pause).To(FailWith(unix.EINTR))
			Expect(a).To(Catch(unix.SIGUSR1))
		})
	}

	Clause("pause.not-while-in-handler", func() {
		a := actor.New()
		sender := actor.New()
		a.HandleAndPark(unix.SIGUSR1, 0)

		pause := beginPause(a)
		Must(sender.Kill(a.PID(), unix.SIGUSR1))
		a.AwaitPark(1)
		Must(a.Getpid())
		Expect(pause.Done()).To(BeFalse())
		a.ReturnFromHandler()
		Expect(pause).To(FailWith(unix.EINTR))
		Expect(a).To(Catch(unix.SIGUSR1))
	})

	Clause("pause.signal-terminates", func() {
		a := actor.New()
		sender := actor.New()

		pause := beginPause(a)
		Must(sender.Kill(a.PID(), unix.SIGUSR1))
		Expect(pause).To(BeKilledBy(unix.SIGUSR1))
	})

	for name, sig := range map[string]unix.Signal{"ignored": unix.SIGUSR1, "default": unix.SIGURG} {
		Clause("pause.ignored-signal", name, func() {
			a := actor.New()
			sender := actor.New()
			if name == "ignored" {
				a.Ignore(sig)
			}
			a.Handle(unix.SIGUSR2, 0)

			pause := beginPause(a)
			Must(sender.Kill(a.PID(), sig))
			Expect(pause).To(Block())
			// What comes later is what ends it.
			Must(sender.Kill(a.PID(), unix.SIGUSR2))
			Expect(pause).To(FailWith(unix.EINTR))
			Expect(a).To(Catch(unix.SIGUSR2))
		})
	}

	Clause("pause.stop-and-continue", func() {
		a := actor.New()
		sender := actor.New()
		a.Handle(unix.SIGUSR1, 0)

		pause := beginPause(a)
		Must(sender.Kill(a.PID(), unix.SIGSTOP))
		Expect(a.AwaitStopped()).To(BeTrue())
		Must(sender.Kill(a.PID(), unix.SIGCONT))
		Expect(pause).To(Block())
		Must(sender.Kill(a.PID(), unix.SIGUSR1))
		Expect(pause).To(FailWith(unix.EINTR))
	})

	Clause("pause.only-calling-thread", func() {
		a := actor.New()
		thread := a.Thread()
		sender := actor.New()
		a.Handle(unix.SIGUSR1, 0)

		pause, other := beginPause(a), beginPause(thread)
		Must(sender.Tgkill(a.PID(), thread.TID(), unix.SIGUSR1))
		Expect(other).To(FailWith(unix.EINTR))
		Expect(pause).To(Block())
		Must(sender.Tgkill(a.PID(), a.TID(), unix.SIGUSR1))
		Expect(pause).To(FailWith(unix.EINTR))
	})
})
