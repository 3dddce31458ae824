package signals

import (
	"fmt"
	"math"
	"os"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// endThread has a thread exit, and waits until nothing is left of it.
func endThread(thread *actor.Actor) {
	thread.Begin().Raw(unix.SYS_EXIT, 0)
	for range 10000 {
		if _, err := os.Stat(fmt.Sprintf("/proc/%d/task/%d", thread.PID(), thread.TID())); err != nil {
			return
		}
		time.Sleep(100 * time.Microsecond)
	}
	Presuppose(false, "a thread that ends")
}

// sameSession makes two actors of one session and different users.
func sameSession() (sender, target *actor.Actor) {
	session := killTarget()
	session.Handle(unix.SIGCONT, 0)
	sender, target = session.Fork(), session.Fork()
	sender.BecomeUser(FreshUser())
	target.BecomeUser(FreshUser())
	return sender, target
}

var _ = Describe("tgkill and tkill", func() {
	threads := func() (first, second, third *actor.Actor) {
		first = killTarget()
		return first, first.Thread(), first.Thread()
	}

	Clause("tgkill.that-thread", func() {
		first, second, third := threads()
		Expect(first.Tgkill(first.PID(), third.TID(), unix.SIGUSR1)).To(Return(0))
		expectKillsAs(third, actor.SI_TKILL, unix.SIGUSR1)
		expectNoKills(first, second)
		Expect(third.Tgkill(first.PID(), first.TID(), unix.SIGUSR2)).To(Return(0))
		expectKillsAs(first, actor.SI_TKILL, unix.SIGUSR2)
		expectKillsAs(third, actor.SI_TKILL, unix.SIGUSR1)
		expectNoKills(second)
	})

	Clause("tgkill.waits-for-that-thread", func() {
		first, second, third := threads()
		second.SetMask(unix.SIGUSR1)

		Expect(first.Tgkill(first.PID(), second.TID(), unix.SIGUSR1)).To(Return(0))
		Expect(second.PendingSignals()).To(Equal(actor.Bit(unix.SIGUSR1)))
		Expect(first.PendingSignals()).To(BeZero())
		expectNoKills(first, second, third)
		second.SetMask()
		expectKillsAs(second, actor.SI_TKILL, unix.SIGUSR1)
		expectNoKills(first, third)
	})

	Clause("tgkill.from-another-process", func() {
		first, second, third := threads()
		sender := actor.New()

		Expect(sender.Tgkill(first.PID(), second.TID(), unix.SIGUSR1)).To(Return(0))
		expectKillsAs(second, actor.SI_TKILL, unix.SIGUSR1)
		expectNoKills(first, third)
	})

	Clause("tgkill.siginfo", func() {
		_, second, _ := threads()
		sender := actor.New()
		thread := sender.Thread()

		Expect(thread.Tgkill(second.PID(), second.TID(), unix.SIGUSR1)).To(Return(0))
		expectKillsAs(second, actor.SI_TKILL, unix.SIGUSR1)
		info := second.Events()[0].Info
		Expect(info.PID()).To(Equal(sender.PID()))
		Expect(info.UID()).To(Equal(Must(sender.Getuid())))
	})

	Clause("tgkill.self", func() {
		first, second, _ := threads()
		for _, a := range []*actor.Actor{first, second} {
			Expect(a.Tgkill(a.PID(), a.TID(), unix.SIGUSR1)).To(Return(0))
			Expect(a.Events()).To(HaveLen(1))
		}
		expectKillsAs(first, actor.SI_TKILL, unix.SIGUSR1)
		expectKillsAs(second, actor.SI_TKILL, unix.SIGUSR1)
	})

	Clause("tkill.that-thread", func() {
		first, second, third := threads()
		sender := actor.New()

		Expect(sender.Tkill(second.TID(), unix.SIGUSR1)).To(Return(0))
		expectKillsAs(second, actor.SI_TKILL, unix.SIGUSR1)
		expectNoKills(first, third)
		Expect(sender.Tkill(first.TID(), unix.SIGUSR2)).To(Return(0))
		expectKillsAs(first, actor.SI_TKILL, unix.SIGUSR2)
		expectKillsAs(second, actor.SI_TKILL, unix.SIGUSR1)
		expectNoKills(third)
	})

	Clause("tkill.siginfo", func() {
		_, second, _ := threads()
		sender := actor.New()

		Expect(sender.Tkill(second.TID(), unix.SIGUSR1)).To(Return(0))
		expectKillsAs(second, actor.SI_TKILL, unix.SIGUSR1)
		info := second.Events()[0].Info
		Expect(info.PID()).To(Equal(sender.PID()))
		Expect(info.UID()).To(Equal(Must(sender.Getuid())))
	})

	Clause("tgkill.einval-ids", func() {
		a := killTarget()
		for _, id := range []int{0, -1, -a.PID(), math.MinInt32} {
			Expect(a.Tgkill(a.PID(), id, unix.SIGUSR1)).To(FailWith(unix.EINVAL))
			Expect(a.Tgkill(id, a.TID(), unix.SIGUSR1)).To(FailWith(unix.EINVAL))
		}
		expectNoKills(a)
	})

	Clause("tgkill.einval-signal", func() {
		first, second, _ := threads()
		for _, sig := range invalidSignals {
			Expect(first.Tgkill(first.PID(), second.TID(), sig)).To(FailWith(unix.EINVAL))
		}
		expectNoKills(first, second)
	})

	Clause("tkill.einval", func() {
		a := killTarget()
		for _, id := range []int{0, -1, -a.PID(), math.MinInt32} {
			Expect(a.Tkill(id, unix.SIGUSR1)).To(FailWith(unix.EINVAL))
		}
		for _, sig := range invalidSignals {
			Expect(a.Tkill(a.TID(), sig)).To(FailWith(unix.EINVAL))
		}
		expectNoKills(a)
	})

	Clause("tgkill.esrch-other-group", func() {
		first, second, _ := threads()
		other := killTarget()

		for _, sig := range []unix.Signal{0, unix.SIGUSR1} {
			Expect(first.Tgkill(other.PID(), second.TID(), sig)).To(FailWith(unix.ESRCH))
			Expect(first.Tgkill(first.PID(), other.TID(), sig)).To(FailWith(unix.ESRCH))
			// The id of a thread is not that of a group.
			Expect(first.Tgkill(second.TID(), second.TID(), sig)).To(FailWith(unix.ESRCH))
		}
		expectNoKills(first, second, other)
	})

	Clause("tgkill.esrch-exited-thread", func() {
		first, second, _ := threads()
		endThread(second)

		for _, sig := range []unix.Signal{0, unix.SIGUSR1} {
			Expect(first.Tgkill(first.PID(), second.TID(), sig)).To(FailWith(unix.ESRCH))
			Expect(first.Tkill(second.TID(), sig)).To(FailWith(unix.ESRCH))
		}
		expectNoKills(first)
	})

	Clause("tgkill.esrch-reaped-process", func() {
		a := actor.New()
		gone := deadAndReaped(a, false)

		for _, sig := range []unix.Signal{0, unix.SIGUSR1} {
			Expect(a.Tgkill(gone, gone, sig)).To(FailWith(unix.ESRCH))
			Expect(a.Tkill(gone, sig)).To(FailWith(unix.ESRCH))
		}
	})

	Clause("tgkill.null-signal", func() {
		first := actor.New() // any signal would end it
		second := first.Thread()
		sender := actor.New()

		for _, a := range []*actor.Actor{first, second} {
			Expect(sender.Tgkill(first.PID(), a.TID(), 0)).To(Return(0))
			Expect(sender.Tkill(a.TID(), 0)).To(Return(0))
		}
		Must(first.Getpid())
		Must(second.Getpid())
	})

	Clause("tgkill.eperm", func() {
		target, sender := killTarget(), actor.New()
		target.Handle(unix.SIGCONT, 0)
		target.BecomeUser(FreshUser())
		sender.BecomeUser(FreshUser())

		for _, sig := range []unix.Signal{0, unix.SIGUSR1, unix.SIGCONT, rtSignal} {
			Expect(sender.Tgkill(target.PID(), target.TID(), sig)).To(FailWith(unix.EPERM))
			Expect(sender.Tkill(target.TID(), sig)).To(FailWith(unix.EPERM))
		}
		expectNoKills(target)
	})

	Clause("tgkill.sigcont-same-session", func() {
		sender, target := sameSession()

		Expect(sender.Tgkill(target.PID(), target.TID(), unix.SIGCONT)).To(Return(0))
		expectKillsAs(target, actor.SI_TKILL, unix.SIGCONT)
		Expect(sender.Tkill(target.TID(), unix.SIGCONT)).To(Return(0))
		expectKillsAs(target, actor.SI_TKILL, unix.SIGCONT, unix.SIGCONT)
		Expect(sender.Tgkill(target.PID(), target.TID(), unix.SIGUSR1)).To(FailWith(unix.EPERM))
		Expect(sender.Tkill(target.TID(), unix.SIGUSR1)).To(FailWith(unix.EPERM))
		expectKillsAs(target, actor.SI_TKILL, unix.SIGCONT, unix.SIGCONT)
	})

	Clause("tgkill.eagain-real-time", func() {
		a, sender := actor.New(), actor.New()
		a.Handle(rtSignal, 0)
		a.SetMask(rtSignal)
		a.SetRlimit(unix.RLIMIT_SIGPENDING, 0)

		Expect(sender.Tgkill(a.PID(), a.TID(), rtSignal)).To(FailWith(unix.EAGAIN))
		Expect(sender.Tkill(a.TID(), rtSignal)).To(FailWith(unix.EAGAIN))
		Expect(a.PendingSignals()).To(BeZero())
	})

	Clause("tgkill.eagain-after-limit", func() {
		const most = 3
		a, sender := actor.New(), actor.New()
		a.SetMask(rtSignal)
		a.SetRlimit(unix.RLIMIT_SIGPENDING, most)

		for range most {
			Expect(sender.Tgkill(a.PID(), a.TID(), rtSignal)).To(Return(0))
		}
		Expect(sender.Tgkill(a.PID(), a.TID(), rtSignal)).To(FailWith(unix.EAGAIN))
		Must(a.Sigtimedwait(actor.Bit(rtSignal), 0))
		Expect(sender.Tgkill(a.PID(), a.TID(), rtSignal)).To(Return(0))
		Expect(sender.Tgkill(a.PID(), a.TID(), rtSignal)).To(FailWith(unix.EAGAIN))
		for range most {
			Must(a.Sigtimedwait(actor.Bit(rtSignal), 0))
		}
		// Exactly as many as were queued.
		Expect(a.Sigtimedwait(actor.Bit(rtSignal), 0)).To(FailWith(unix.EAGAIN))
	})

	Clause("tgkill.standard-past-limit", func() {
		a, sender := killTarget(), actor.New()
		a.SetRlimit(unix.RLIMIT_SIGPENDING, 0)

		Expect(sender.Tgkill(a.PID(), a.TID(), unix.SIGUSR1)).To(Return(0))
		Must(a.Getpid())
		Expect(a).To(Catch(unix.SIGUSR1))
		Expect(sender.Tkill(a.TID(), unix.SIGUSR2)).To(Return(0))
		Must(a.Getpid())
		Expect(a).To(Catch(unix.SIGUSR1, unix.SIGUSR2))
	})
})

var _ = Describe("pthread_kill", func() {
	Clause("pthread-kill.sibling", func() {
		first := killTarget()
		second, third := first.Thread(), first.Thread()

		Expect(second.Tgkill(Must(second.Getpid()), third.TID(), unix.SIGUSR1)).To(Return(0))
		expectKillsAs(third, actor.SI_TKILL, unix.SIGUSR1)
		expectNoKills(first, second)
	})

	Clause("pthread-kill.asynchronous", func() {
		first := killTarget()
		second := first.Thread()
		second.SetMask(unix.SIGUSR1)

		Expect(first.Tgkill(first.PID(), second.TID(), unix.SIGUSR1)).To(Return(0))
		expectNoKills(first, second)
		Expect(second.PendingSignals()).To(Equal(actor.Bit(unix.SIGUSR1)))
	})

	Clause("pthread-kill.interrupts-that-thread", func() {
		first := killTarget()
		second, third := first.Thread(), first.Thread()
		r, w := first.Pipe(0)

		one, other := second.Begin().Read(r, 1), third.Begin().Read(r, 1)
		Expect(one).To(Block())
		Expect(other).To(Block())
		Expect(first.Tgkill(first.PID(), second.TID(), unix.SIGUSR1)).To(Return(0))
		Expect(one).To(FailWith(unix.EINTR))
		Expect(other).To(Block())
		Must(first.Write(w, []byte("x")))
		Expect(other).To(Return(1))
		expectKillsAs(second, actor.SI_TKILL, unix.SIGUSR1)
	})

	Clause("pthread-kill.null-signal", func() {
		first := actor.New()
		second := first.Thread()

		Expect(first.Tgkill(first.PID(), second.TID(), 0)).To(Return(0))
		Must(second.Getpid())
		endThread(second)
		Expect(first.Tgkill(first.PID(), second.TID(), 0)).To(FailWith(unix.ESRCH))
	})

	Clause("pthread-kill.einval", func() {
		first := killTarget()
		second := first.Thread()
		for _, sig := range invalidSignals {
			Expect(first.Tgkill(first.PID(), second.TID(), sig)).To(FailWith(unix.EINVAL))
		}
		expectNoKills(first, second)
	})

	for _, sig := range []unix.Signal{unix.SIGTERM, unix.SIGKILL, rtSignal} {
		Clause("pthread-kill.terminates-process", actor.SignalName(sig), func() {
			first := actor.New()
			second, third := first.Thread(), first.Thread()

			first.Begin().Tgkill(first.PID(), second.TID(), sig)
			Expect(first).To(BeKilledBy(sig)) // in the call, or at any time after it
			Expect(third.AwaitGone()).To(BeTrue())
		})
	}

	Clause("pthread-kill.stops-process", func() {
		first, sender := killTarget(), actor.New()
		second := first.Thread()

		Expect(sender.Tgkill(first.PID(), second.TID(), unix.SIGSTOP)).To(Return(0))
		Expect(first.AwaitStopped()).To(BeTrue())
		Expect(second.AwaitStopped()).To(BeTrue())
		Expect(sender.Tgkill(first.PID(), second.TID(), unix.SIGCONT)).To(Return(0))
		Must(first.Getpid())
		Must(second.Getpid())
	})
})
