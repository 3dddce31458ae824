package signals

import (
	"fmt"
	"math"
	"os"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

const (
	lastSignal = unix.Signal(64)
	rtSignal   = unix.Signal(40) // one that queues
)

// expectKillsAs judges that these signals have been sent to an actor so far, all with the same si_code,
// and no others. One that was sent before is handled at the latest when the actor comes out of the
// system call made here.
func expectKillsAs(a *actor.Actor, code int, sigs ...unix.Signal) {
	judgeKills(2, a, code, sigs)
}

// expectKills is expectKillsAs for signals sent with kill.
func expectKills(a *actor.Actor, sigs ...unix.Signal) {
	judgeKills(2, a, actor.SI_USER, sigs)
}

func judgeKills(offset int, a *actor.Actor, code int, sigs []unix.Signal) {
	Must(a.Getpid())
	ExpectWithOffset(offset, a).To(Catch(sigs...))
	for _, e := range a.Events() {
		ExpectWithOffset(offset, e.Info.Code()).To(Equal(code))
	}
}

// expectNoKills judges that none of the actors has been sent a signal.
func expectNoKills(actors ...*actor.Actor) {
	for _, a := range actors {
		Must(a.Getpid())
		ExpectWithOffset(1, a).To(Catch())
	}
}

// killTarget is an actor that handles SIGUSR1 and SIGUSR2; those it forks do as well.
func killTarget() *actor.Actor {
	a := actor.New()
	a.Handle(unix.SIGUSR1, 0)
	a.Handle(unix.SIGUSR2, 0)
	return a
}

// killGroup has a parent fork a process group of its own: its leader and another member.
func killGroup(parent *actor.Actor) (leader, member *actor.Actor, group int) {
	leader, member = parent.Fork(), parent.Fork()
	group = leader.PID()
	Must(leader.Setpgid(0, 0))
	Must(member.Setpgid(0, group))
	return leader, member, group
}

// deadAndReaped returns the id of a child that the parent has waited for; with a group of its own
// if that is wanted.
func deadAndReaped(parent *actor.Actor, ownGroup bool) int {
	child := parent.Fork()
	if ownGroup {
		Must(child.Setpgid(0, 0))
	}
	child.Exit(0)
	Must(parent.Wait4(child.PID(), 0))
	return child.PID()
}

// pidNamespace makes a PID namespace: its first process, and a member besides.
func pidNamespace(outside *actor.Actor) (first, member *actor.Actor) {
	Must(outside.Unshare(unix.CLONE_NEWPID))
	first = outside.Fork()
	return first, first.Fork()
}

// withUserIDs is a killTarget with the given real, effective and saved user ids.
func withUserIDs(ruid, euid, suid int) *actor.Actor {
	a := killTarget()
	Must(a.Setresuid(ruid, euid, suid))
	return a
}

var _ = Describe("kill", func() {
	Clause("kill.every-signal", func() {
		sender, a := actor.New(), actor.New()
		var all []unix.Signal
		for sig := unix.Signal(1); sig <= lastSignal; sig++ {
			switch sig {
			case unix.SIGKILL:
				victim := actor.New()
				Expect(sender.Kill(victim.PID(), sig)).To(Return(0))
				Expect(victim).To(BeKilledBy(sig))
			case unix.SIGSTOP:
				stopped := actor.New()
				Expect(sender.Kill(stopped.PID(), sig)).To(Return(0))
				Expect(stopped.AwaitStopped()).To(BeTrue())
			default:
				a.Handle(sig, 0)
				Expect(sender.Kill(a.PID(), sig)).To(Return(0))
				all = append(all, sig)
				expectKills(a, all...)
			}
		}
	})

	Clause("kill.positive-pid", func() {
		a := killTarget()
		child, sibling := a.Fork(), a.Fork()
		grandchild := child.Fork()
		sender := killTarget()

		Expect(sender.Kill(child.PID(), unix.SIGUSR1)).To(Return(0))
		expectKills(child, unix.SIGUSR1)
		Expect(sender.Kill(child.PID(), unix.SIGUSR2)).To(Return(0))
		expectKills(child, unix.SIGUSR1, unix.SIGUSR2)
		expectNoKills(a, sibling, grandchild, sender)
	})

	Clause("kill.self", func() {
		a := killTarget()
		Expect(a.Kill(a.PID(), unix.SIGUSR1)).To(Return(0))
		expectKills(a, unix.SIGUSR1)
		Expect(a.Begin().Kill(a.PID(), unix.SIGTERM)).To(BeKilledBy(unix.SIGTERM))
	})

	Clause("kill.self-before-return", func() {
		a := killTarget()
		var sent []unix.Signal
		for _, sig := range []unix.Signal{unix.SIGUSR1, unix.SIGUSR2, unix.SIGUSR1} {
			sent = append(sent, sig)
			Expect(a.Kill(a.PID(), sig)).To(Return(0))
			Expect(a.Events()).To(HaveLen(len(sent)))
		}
		expectKills(a, sent...)
	})

	Clause("kill.whole-process", func() {
		a := killTarget()
		thread := a.Thread()
		a.SetMask(unix.SIGUSR1)

		Expect(actor.New().Kill(a.PID(), unix.SIGUSR1)).To(Return(0))
		expectKills(thread, unix.SIGUSR1)
		expectNoKills(a)
	})

	Clause("kill.siginfo", func() {
		a := actor.New()
		a.Handle(unix.SIGUSR1, actor.SA_SIGINFO)
		sender := actor.New()

		Expect(sender.Kill(a.PID(), unix.SIGUSR1)).To(Return(0))
		expectKills(a, unix.SIGUSR1)
		info := a.Events()[0].Info
		Expect(info.Signo()).To(Equal(unix.SIGUSR1))
		Expect(info.Code()).To(Equal(actor.SI_USER))
		Expect(info.PID()).To(Equal(sender.PID()))
		Expect(info.UID()).To(Equal(Must(sender.Getuid())))
	})

	Clause("kill.zero-own-group", func() {
		a := killTarget()
		leader, member, _ := killGroup(a)
		another, _, _ := killGroup(a)

		Expect(member.Kill(0, unix.SIGUSR1)).To(Return(0))
		expectKills(member, unix.SIGUSR1)
		expectKills(leader, unix.SIGUSR1)
		expectNoKills(a, another)
	})

	Clause("kill.negative-group", func() {
		a := killTarget()
		leader, member, group := killGroup(a)
		another, _, _ := killGroup(a)
		sender := killTarget() // of another session

		Expect(sender.Kill(-group, unix.SIGUSR1)).To(Return(0))
		expectKills(leader, unix.SIGUSR1)
		expectKills(member, unix.SIGUSR1)
		expectNoKills(a, another, sender)
	})

	Clause("kill.negative-group-own", func() {
		a := killTarget()
		leader, member, group := killGroup(a)

		Expect(member.Kill(-group, unix.SIGUSR1)).To(Return(0))
		expectKills(leader, unix.SIGUSR1)
		expectKills(member, unix.SIGUSR1)
		expectNoKills(a)
	})

	Clause("kill.negative-group-of-leaderless", func() {
		a := killTarget()
		leader, member, group := killGroup(a)
		leader.Exit(0)
		Must(a.Wait4(leader.PID(), 0))

		Expect(a.Kill(-group, unix.SIGUSR1)).To(Return(0))
		expectKills(member, unix.SIGUSR1)
		expectNoKills(a)
	})

	Clause("kill.negative-not-the-process", func() {
		a := killTarget()
		child := a.Fork()

		Expect(a.Kill(-child.PID(), unix.SIGUSR1)).To(FailWith(unix.ESRCH))
		expectNoKills(child, a)
	})

	Clause("kill.all-but-init-and-caller", func() {
		outside := killTarget()
		first, member := pidNamespace(outside)
		others := []*actor.Actor{first.Fork(), first.Fork(), member.Fork()}
		Must(others[0].Setsid())

		Expect(member.Kill(-1, unix.SIGUSR1)).To(Return(0))
		for _, other := range others {
			expectKills(other, unix.SIGUSR1)
		}
		expectNoKills(first, member)
	})

	Clause("kill.all-not-own-threads", func() {
		first, member := pidNamespace(killTarget())
		other := first.Fork()
		thread := member.Thread()

		Expect(member.Kill(-1, unix.SIGUSR1)).To(Return(0))
		expectKills(other, unix.SIGUSR1)
		Expect(thread.Kill(-1, unix.SIGUSR2)).To(Return(0))
		expectKills(other, unix.SIGUSR1, unix.SIGUSR2)
		expectNoKills(member, thread)
	})

	Clause("kill.all-stays-in-namespace", func() {
		outside := killTarget()
		bystander := outside.Fork()
		_, member := pidNamespace(outside)
		other := member.Fork()

		Expect(member.Kill(-1, unix.SIGUSR1)).To(Return(0))
		expectKills(other, unix.SIGUSR1)
		expectNoKills(outside, bystander)
	})

	Clause("kill.all-only-permitted", func() {
		first, member := pidNamespace(killTarget())
		own, others := FreshUser(), FreshUser()
		permitted, forbidden := first.Fork(), first.Fork()
		Must(permitted.Setresuid(own, own, own))
		Must(forbidden.Setresuid(others, others, others))
		Must(member.Setresuid(own, own, own))

		Expect(member.Kill(-1, unix.SIGUSR1)).To(Return(0))
		expectKills(permitted, unix.SIGUSR1)
		expectNoKills(forbidden, first, member)
	})

	Clause("kill.all-none-permitted", func() {
		first, member := pidNamespace(killTarget())
		other := first.Fork()
		others := FreshUser()
		Must(other.Setresuid(others, others, others))
		own := FreshUser()
		Must(member.Setresuid(own, own, own))

		for _, sig := range []unix.Signal{unix.SIGUSR1, 0} {
			Expect(member.Kill(-1, sig)).To(FailWith(unix.EPERM))
		}
		expectNoKills(other, first, member)
	})

	Clause("kill.all-nobody", func() {
		first, member := pidNamespace(killTarget())

		for _, sig := range []unix.Signal{unix.SIGUSR1, 0} {
			Expect(member.Kill(-1, sig)).To(FailWith(unix.ESRCH))
		}
		expectNoKills(first, member)
		// With one more process there is one to signal.
		other := member.Fork()
		Expect(member.Kill(-1, unix.SIGUSR1)).To(Return(0))
		expectKills(other, unix.SIGUSR1)
	})

	Clause("kill.all-null-signal", func() {
		first, member := pidNamespace(killTarget())
		other := first.Fork()

		Expect(member.Kill(-1, 0)).To(Return(0))
		expectNoKills(first, member, other)
	})

	Clause("kill.int-min", func() {
		a := killTarget()
		for _, sig := range []unix.Signal{0, unix.SIGUSR1} {
			Expect(a.Kill(math.MinInt32, sig)).To(FailWith(unix.ESRCH))
		}
		expectNoKills(a)
	})
})

var _ = Describe("The null signal", func() {
	Clause("kill.null-signal-sends-nothing", func() {
		a := actor.New() // any signal would end it
		sender := actor.New()
		for range 3 {
			Expect(sender.Kill(a.PID(), 0)).To(Return(0))
		}
		Must(a.Getpid())
		Expect(sender.Kill(sender.PID(), 0)).To(Return(0))
	})

	Clause("kill.null-signal-group", func() {
		a := actor.New()
		leader, member, group := killGroup(a)

		Expect(a.Kill(-group, 0)).To(Return(0))
		Expect(member.Kill(0, 0)).To(Return(0))
		Must(leader.Getpid())
		Must(member.Getpid())
	})

	Clause("kill.null-signal-esrch", func() {
		a := actor.New()
		gone := deadAndReaped(a, true)

		Expect(a.Kill(gone, 0)).To(FailWith(unix.ESRCH))
		Expect(a.Kill(-gone, 0)).To(FailWith(unix.ESRCH))
	})

	Clause("kill.null-signal-eperm", func() {
		target := actor.New()
		target.BecomeUser(FreshUser())
		sender := actor.New()
		sender.BecomeUser(FreshUser())

		Expect(sender.Kill(target.PID(), 0)).To(FailWith(unix.EPERM))
		Expect(sender.Kill(-target.PID(), 0)).To(FailWith(unix.EPERM))
		Must(target.Getpid())
	})
})

var _ = Describe("Permission to send a signal", func() {
	Clause("kill.eperm-other-user", func() {
		target, sender := killTarget(), killTarget()
		target.BecomeUser(FreshUser())
		sender.BecomeUser(FreshUser())

		for _, sig := range []unix.Signal{unix.SIGUSR1, unix.SIGTERM, unix.SIGKILL, unix.SIGSTOP, rtSignal} {
			Expect(sender.Kill(target.PID(), sig)).To(FailWith(unix.EPERM))
		}
		expectNoKills(target, sender)
	})

	for _, sends := range []string{"real", "effective"} {
		for _, receives := range []string{"real", "saved"} {
			Clause("kill.real-or-effective-to-real-or-saved", sends+" to "+receives, func() {
				same := FreshUser()
				ids := func(which string) (r, e, s int) {
					r, e, s = FreshUser(), FreshUser(), FreshUser()
					switch which {
					case "real":
						r = same
					case "effective":
						e = same
					case "saved":
						s = same
					}
					return r, e, s
				}
				target, sender := withUserIDs(ids(receives)), withUserIDs(ids(sends))

				Expect(sender.Kill(target.PID(), unix.SIGUSR1)).To(Return(0))
				expectKills(target, unix.SIGUSR1)
			})
		}
	}

	Clause("kill.target-effective-not-enough", func() {
		same := FreshUser()
		target := withUserIDs(FreshUser(), same, FreshUser())
		sender := withUserIDs(same, same, same)

		Expect(sender.Kill(target.PID(), unix.SIGUSR1)).To(FailWith(unix.EPERM))
		expectNoKills(target)
	})

	Clause("kill.sender-saved-not-enough", func() {
		same := FreshUser()
		target := withUserIDs(same, same, same)
		sender := withUserIDs(FreshUser(), FreshUser(), same)

		Expect(sender.Kill(target.PID(), unix.SIGUSR1)).To(FailWith(unix.EPERM))
		expectNoKills(target)
	})

	Clause("kill.cap-kill", func() {
		const capKill = 1 << unix.CAP_KILL
		target := killTarget()
		target.BecomeUser(FreshUser())
		uid := FreshUser()
		with := actor.New(actor.Unprivileged(uid), actor.Keeping(capKill))
		without := actor.New(actor.Unprivileged(uid))

		Expect(with.Kill(target.PID(), unix.SIGUSR1)).To(Return(0))
		expectKills(target, unix.SIGUSR1)
		Expect(without.Kill(target.PID(), unix.SIGUSR1)).To(FailWith(unix.EPERM))
		with.DropCapabilities(capKill)
		Expect(with.Kill(target.PID(), unix.SIGUSR1)).To(FailWith(unix.EPERM))
		expectKills(target, unix.SIGUSR1)
	})

	Clause("kill.cap-kill-of-another-namespace", func() {
		target := killTarget()
		target.BecomeUser(FreshUser())
		sender := actor.New()
		sender.BecomeUser(FreshUser())
		Must(sender.Unshare(unix.CLONE_NEWUSER)) // and so it has all capabilities there

		Expect(sender.Kill(target.PID(), unix.SIGUSR1)).To(FailWith(unix.EPERM))
		expectNoKills(target)
	})

	Clause("kill.cap-kill-in-target-namespace", func() {
		own, others := FreshUser(), FreshUser()
		sender := killTarget()
		sender.BecomeUser(own)
		Must(sender.Unshare(unix.CLONE_NEWUSER))
		mapping := fmt.Sprintf("0 %d 1\n1 %d 1\n", own, others)
		err := os.WriteFile(fmt.Sprintf("/proc/%d/uid_map", sender.PID()), []byte(mapping), 0)
		Presuppose(err == nil, "to map the users of a user namespace: %v", err)
		target := sender.Fork()
		Must(target.Setresuid(1, 1, 1))

		Expect(sender.Kill(target.PID(), unix.SIGUSR1)).To(Return(0))
		expectKills(target, unix.SIGUSR1)
		sender.DropCapabilities(1 << unix.CAP_KILL)
		Expect(sender.Kill(target.PID(), unix.SIGUSR1)).To(FailWith(unix.EPERM))
		expectKills(target, unix.SIGUSR1)
	})

	Clause("kill.sigcont-same-session", func() {
		session := killTarget()
		session.Handle(unix.SIGCONT, 0)
		target, sender := session.Fork(), session.Fork()
		Must(target.Setpgid(0, 0))
		target.BecomeUser(FreshUser())
		sender.BecomeUser(FreshUser())
		Must(session.Kill(target.PID(), unix.SIGSTOP))
		Expect(target.AwaitStopped()).To(BeTrue())

		Expect(sender.Kill(target.PID(), unix.SIGCONT)).To(Return(0))
		expectKills(target, unix.SIGCONT)
	})

	Clause("kill.same-session-only-sigcont", func() {
		session := killTarget()
		target, sender := session.Fork(), session.Fork()
		target.BecomeUser(FreshUser())
		sender.BecomeUser(FreshUser())

		for sig := unix.Signal(0); sig <= lastSignal; sig++ {
			if sig != unix.SIGCONT {
				Expect(sender.Kill(target.PID(), sig)).To(FailWith(unix.EPERM))
			}
		}
		expectNoKills(target)
	})

	Clause("kill.sigcont-other-session", func() {
		target, sender := killTarget(), killTarget()
		target.BecomeUser(FreshUser())
		sender.BecomeUser(FreshUser())
		Must(actor.New().Kill(target.PID(), unix.SIGSTOP))
		Expect(target.AwaitStopped()).To(BeTrue())

		Expect(sender.Kill(target.PID(), unix.SIGCONT)).To(FailWith(unix.EPERM))
		Expect(target.Stopped()).To(BeTrue())
	})

	Clause("kill.group-some-permitted", func() {
		own, others := FreshUser(), FreshUser()
		// Whether the first or the last member is the one makes no difference.
		for _, swap := range []bool{false, true} {
			a := killTarget()
			leader, member, group := killGroup(a)
			permitted, forbidden := leader, member
			if swap {
				permitted, forbidden = member, leader
			}
			permitted.BecomeUser(own)
			forbidden.BecomeUser(others)
			sender := actor.New()
			sender.BecomeUser(own)

			Expect(sender.Kill(-group, unix.SIGUSR1)).To(Return(0))
			expectKills(permitted, unix.SIGUSR1)
			expectNoKills(forbidden)
		}
	})

	Clause("kill.group-none-permitted", func() {
		a := killTarget()
		leader, member, group := killGroup(a)
		leader.BecomeUser(FreshUser())
		member.BecomeUser(FreshUser())
		sender := actor.New()
		sender.BecomeUser(FreshUser())

		Expect(sender.Kill(-group, unix.SIGUSR1)).To(FailWith(unix.EPERM))
		expectNoKills(leader, member)
	})
})

// invalidSignals are numbers that name no signal.
var invalidSignals = []unix.Signal{-1, lastSignal + 1, 128 + unix.SIGUSR1, math.MaxInt32, math.MinInt32}

var _ = Describe("What kill refuses", func() {
	Clause("kill.einval", func() {
		a := killTarget()
		leader, member, group := killGroup(a)

		for _, sig := range invalidSignals {
			for _, pid := range []int{leader.PID(), member.PID(), -group} {
				Expect(a.Kill(pid, sig)).To(FailWith(unix.EINVAL))
			}
			Expect(member.Kill(0, sig)).To(FailWith(unix.EINVAL))
		}
		expectNoKills(leader, member, a)
	})

	Clause("kill.esrch-reaped", func() {
		a := actor.New()
		child := a.Fork()
		Expect(a.Kill(child.PID(), unix.SIGTERM)).To(Return(0))
		Must(a.Wait4(child.PID(), 0))

		for _, sig := range []unix.Signal{0, unix.SIGTERM, unix.SIGKILL} {
			Expect(a.Kill(child.PID(), sig)).To(FailWith(unix.ESRCH))
		}
	})

	Clause("kill.esrch-group", func() {
		a := actor.New()
		leader, member, group := killGroup(a)
		leader.Exit(0)
		Must(a.Wait4(leader.PID(), 0))
		Expect(a.Kill(-group, 0)).To(Return(0))
		member.Exit(0)
		Must(a.Wait4(member.PID(), 0))

		Expect(a.Kill(-group, unix.SIGTERM)).To(FailWith(unix.ESRCH))
		Expect(a.Kill(-group, 0)).To(FailWith(unix.ESRCH))
	})

	Clause("kill.zombie", func() {
		a := actor.New()
		child := a.Fork()
		child.Exit(7)

		for _, sig := range []unix.Signal{0, unix.SIGTERM, unix.SIGKILL, unix.SIGSTOP} {
			Expect(a.Kill(child.PID(), sig)).To(Return(0))
		}
		Expect(child).To(Exit(7))
	})

	Clause("kill.group-of-zombies", func() {
		a := actor.New()
		leader, member, group := killGroup(a)
		leader.Exit(7)
		member.Exit(8)

		Expect(a.Kill(-group, unix.SIGTERM)).To(Return(0))
		Expect(leader).To(Exit(7))
		Expect(member).To(Exit(8))
	})
})

var _ = Describe("Process 1 of a PID namespace", func() {
	// What would end or stop any other process, or dump its core.
	deadly := []unix.Signal{unix.SIGTERM, unix.SIGKILL, unix.SIGSTOP, unix.SIGHUP, unix.SIGQUIT, unix.SIGTSTP, rtSignal}

	Clause("kill.init-ignores-default", func() {
		first, member := pidNamespace(killTarget())
		for _, sig := range deadly {
			Expect(member.Kill(1, sig)).To(Return(0))
			Must(first.Getpid())
		}
		// What it handles does come.
		Expect(member.Kill(1, unix.SIGUSR1)).To(Return(0))
		expectKills(first, unix.SIGUSR1)
	})

	Clause("kill.init-ignores-own", func() {
		first, _ := pidNamespace(killTarget())
		for _, sig := range deadly {
			Expect(first.Kill(1, sig)).To(Return(0))
			Must(first.Getpid())
		}
		Expect(first.Kill(1, unix.SIGUSR1)).To(Return(0))
		expectKills(first, unix.SIGUSR1)
	})

	Clause("kill.init-handled", func() {
		first, member := pidNamespace(killTarget())
		Expect(member.Kill(1, unix.SIGUSR1)).To(Return(0))
		expectKills(first, unix.SIGUSR1)
		Expect(first.NextEvent().Info.PID()).To(Equal(Must(member.Getpid())))
		first.Handle(unix.SIGTERM, 0)
		Expect(member.Kill(1, unix.SIGTERM)).To(Return(0))
		expectKills(first, unix.SIGUSR1, unix.SIGTERM)
	})

	Clause("kill.init-protected-by-zero", func() {
		outside := actor.New()
		first, member := pidNamespace(outside)
		Must(first.Setpgid(0, 0))
		Must(member.Setpgid(0, 1))
		sender := first.Fork()

		Expect(sender.Begin().Kill(0, unix.SIGTERM)).To(BeKilledBy(unix.SIGTERM))
		Expect(member).To(BeKilledBy(unix.SIGTERM))
		Must(first.Getpid())
	})

	Clause("kill.init-sigkill-from-outside", func() {
		outside := actor.New()
		first, member := pidNamespace(outside)

		Expect(outside.Kill(first.PID(), unix.SIGSTOP)).To(Return(0))
		Expect(first.AwaitStopped()).To(BeTrue())
		Expect(outside.Kill(first.PID(), unix.SIGKILL)).To(Return(0))
		Expect(first).To(BeKilledBy(unix.SIGKILL))
		Expect(member.AwaitGone()).To(BeTrue())
	})

	Clause("kill.init-sigterm-from-outside", func() {
		outside := killTarget()
		first, _ := pidNamespace(outside)
		for _, sig := range deadly {
			if sig != unix.SIGKILL && sig != unix.SIGSTOP {
				Expect(outside.Kill(first.PID(), sig)).To(Return(0))
				Must(first.Getpid())
			}
		}
		Expect(outside.Kill(first.PID(), unix.SIGUSR1)).To(Return(0))
		expectKills(first, unix.SIGUSR1)
	})
})
